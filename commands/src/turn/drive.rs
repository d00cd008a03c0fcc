//! The task of one chat with an open turn.

use super::{
    Worker,
    call_model::{AFTER_FAULT, Interrupted},
};
use crate::error::CommandError;
use docket_domain::{
    chat::{Action, Chat, ChatCommand},
    ids::{ChatId, TurnId, UserId},
};
use std::sync::Arc;

/// After so many refusals in a row the task ends; the worker looks after the chat again a little later.
const MAX_REFUSALS: u32 = 5;

/// A task that ends by a fault is forgotten too, so that the worker looks after its chat again.
struct Forget<'a> {
    worker: &'a Worker,
    chat: ChatId,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.worker.forget(self.chat);
        }
    }
}

impl Worker {
    pub(super) async fn drive(self: Arc<Self>, chat: ChatId, mut signal: Interrupted) {
        let _forget = Forget { worker: &self, chat };
        let mut refusals = 0;
        loop {
            let seen = self.pokes(chat);
            let step = self.step(chat, &mut signal).await;
            let shutting_down = self.control.shutdown.is_cancelled();
            match step {
                Ok(true) if !shutting_down => refusals = 0,
                // Another process, or a person, was faster: the state tells what to do now.
                Err(error) if error.refusal().is_some() && !shutting_down && refusals < MAX_REFUSALS => {
                    tracing::info!(%error, %chat, "a step of the agent loop was refused");
                    refusals += 1;
                }
                Err(error) if error.refusal().is_none() && !shutting_down => {
                    tracing::error!(%error, %chat, "the agent loop cannot record; trying again");
                    tokio::time::sleep(AFTER_FAULT).await;
                }
                Ok(_) | Err(_) => {
                    if self.rest(chat, seen) || shutting_down {
                        return;
                    }
                }
            }
        }
    }

    /// Does what comes next. `false` when there is nothing for this worker to do.
    async fn step(&self, chat: ChatId, signal: &mut Interrupted) -> Result<bool, CommandError> {
        let control = &self.control;
        let worker = self.id();
        let state = |chat: &Chat, _| {
            let by = chat.turn.as_ref().map(|turn| (turn.id, turn.by));
            (chat.next_action(worker), by)
        };
        let (action, turn) = control.chats.read(chat.0, state).await?;
        let (turn, by): (TurnId, UserId) = match turn {
            Some(turn) => turn,
            None => return Ok(false),
        };
        let metadata = control.acting_for(by, chat);
        let command = match action {
            Action::Rest => return Ok(false),
            Action::Claim { from } => {
                if let Some(other) = from
                    && control.log.is_worker_alive(other.0).await?
                {
                    return Ok(false);
                }
                ChatCommand::ClaimTurn { worker, from }
            }
            Action::DeliverForStep => ChatCommand::DeliverForStep { worker },
            Action::FinishInterrupt => ChatCommand::FinishInterrupt { worker, partial: None },
            Action::AbandonModelCall { model_call_id } => {
                self.recover(chat, model_call_id, &metadata).await?;
                return Ok(true);
            }
            Action::CallModel { not_before, .. } => {
                self.call_model(chat, turn, not_before, &metadata, signal).await?;
                return Ok(true);
            }
            Action::RunTools { calls } => {
                self.run_tools(chat, turn, calls, &metadata, signal).await?;
                return Ok(true);
            }
        };
        control.chat(chat, metadata, command, vec![]).await?;
        Ok(true)
    }
}
