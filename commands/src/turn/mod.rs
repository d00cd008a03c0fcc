//! The agent loop, as a process manager: for each chat with an open turn a task that asks the state what to do next
//! ([`docket_domain::chat::Action`]), does it, and records the outcome.

mod call_model;
mod drive;
mod recorder;
mod request;
mod run_tools;
mod system_prompt;

use crate::control::Control;
use docket_domain::ids::{ChatId, TurnId, WorkerId};
use docket_eventlog::{Filter, ReadError};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use uuid::Uuid;

/// How often turns whose worker may be gone are looked after. Only another process's death needs it.
const LOOK_AFTER: Duration = Duration::from_secs(5);

/// A chat that is being driven.
#[derive(Debug)]
struct Driven {
    /// Counts the reasons to look at the chat's state again, so that none is lost while the task ends.
    pokes: u64,
    /// The turn that a person asked to interrupt.
    interrupted: watch::Sender<Option<TurnId>>,
}

/// The worker of this process.
#[derive(Debug)]
pub struct Worker {
    control: Control,
    driven: Mutex<HashMap<ChatId, Driven>>,
}

impl Worker {
    /// Goes on with every open turn, then follows the log.
    pub(crate) fn start(control: &Control) {
        let worker = Arc::new(Self { control: control.clone(), driven: Mutex::default() });
        control.tasks.spawn(worker.follow());
    }

    fn id(&self) -> WorkerId {
        self.control.worker()
    }

    fn driven(&self) -> MutexGuard<'_, HashMap<ChatId, Driven>> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow(self: Arc<Self>) {
        let control = &self.control;
        // The directory is current as of the head that it read; a turn that is requested twice over is driven once.
        let filter = Filter::all().types(["chat.turn_requested", "chat.interrupt_requested"]);
        let Ok(head) = control.log.head().await else {
            tracing::error!("the agent loop cannot read the log");
            return;
        };
        let mut subscription = control.log.follow(head, filter);
        control.directory.reached(head).await;
        let mut look_after = tokio::time::interval(LOOK_AFTER);
        loop {
            let batch = tokio::select! {
                () = control.shutdown.cancelled() => return,
                _ = look_after.tick() => {
                    control.directory.open_turns().into_iter().for_each(|chat| self.wake(chat, None));
                    continue;
                }
                batch = subscription.next() => batch,
            };
            match batch {
                Ok(batch) => {
                    for event in &batch.events {
                        let Ok(chat) = event.stream.aggregate_id.parse::<Uuid>() else { continue };
                        let interrupted = match event.decode() {
                            Ok(docket_domain::chat::ChatEvent::InterruptRequested { turn_id, .. }) => Some(turn_id),
                            _ => None,
                        };
                        self.wake(ChatId(chat), interrupted);
                    }
                }
                Err(ReadError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "the agent loop cannot read the log; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Lets the chat's task look at the state again; starts one if there is none.
    fn wake(self: &Arc<Self>, chat: ChatId, interrupted: Option<TurnId>) {
        let mut driven = self.driven();
        if let Some(driven) = driven.get_mut(&chat) {
            driven.pokes += 1;
            if interrupted.is_some() {
                driven.interrupted.send_replace(interrupted);
            }
            return;
        }
        let (sender, receiver) = watch::channel(interrupted);
        driven.insert(chat, Driven { pokes: 0, interrupted: sender });
        self.control.tasks.spawn(self.clone().drive(chat, receiver));
    }

    fn pokes(&self, chat: ChatId) -> u64 {
        self.driven().get(&chat).map_or(0, |driven| driven.pokes)
    }

    fn forget(&self, chat: ChatId) {
        self.driven().remove(&chat);
    }

    /// Ends the chat's task, unless there was a reason to look again since `seen`.
    fn rest(&self, chat: ChatId, seen: u64) -> bool {
        let mut driven = self.driven();
        let rests = driven.get(&chat).is_none_or(|driven| driven.pokes == seen);
        if rests {
            driven.remove(&chat);
        }
        rests
    }
}
