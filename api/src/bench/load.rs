//! Chats whose model calls are recorded as fast as the log takes it.

use super::samples::Samples;
use anyhow::{Context as _, Result};
use docket_domain::{
    Context, Metadata, Timestamp,
    actor::Actor,
    ids::{ChatId, ModelCallId, TurnId, UserId, WorkerId},
    model_call::{ModelCall, ModelCallCommand, ModelCallEvent},
};
use docket_eventlog::{Aggregates, Log};
use std::time::{Duration, Instant};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use uuid::Uuid;

/// So many chats, each of which sends the next request when the last is durable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) chats: usize,
    /// Token events of one request.
    pub(super) events: u64,
    pub(super) time: Duration,
}

/// What was done, in one round or in several.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) events: u64,
    pub(super) elapsed: Duration,
    /// How long each request took.
    pub(super) requests: Samples,
}

impl Done {
    pub(super) fn add(&mut self, other: Self) {
        self.events += other.events;
        self.elapsed += other.elapsed;
        self.requests.extend([other.requests]);
    }

    pub(super) fn per_second(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64()
    }
}

/// `1 chat`, `10 chats`
pub(super) fn many(chats: usize) -> String {
    if chats == 1 { "1 chat".to_owned() } else { format!("{chats} chats") }
}

/// The events of a request, as a provider's decoder makes them.
pub(super) fn tokens(from: u64, count: u64) -> Vec<ModelCallEvent> {
    const WORDS: [&str; 8] = ["The", " quick", " brown", " fox", " jumps", " over", " the lazy", " dog.\n"];
    let token = |index: u64| {
        let word = WORDS[usize::try_from(index % 8).unwrap_or(0)];
        ModelCallEvent::TextStreamed { index, block: 0, text: word.to_owned() }
    };
    (from..from + count).map(token).collect()
}

/// The event that a call begins with.
pub(super) fn requested(chat: ChatId) -> Result<ModelCallEvent> {
    Ok(ModelCallEvent::Requested {
        chat_id: chat,
        turn_id: TurnId(Uuid::now_v7()),
        model: "openai/bench".parse()?,
        body_sha256: "0".repeat(64),
        body_bytes: 1,
        parts: vec!["0".repeat(64)],
    })
}

/// What a decision knows; these need none of it.
pub(super) fn context() -> Context {
    Context { now: Timestamp(0), id: Uuid::nil() }
}

/// What stands beside an event that a worker appends for a chat.
pub(super) fn metadata(worker: Uuid, chat: ChatId) -> Metadata {
    Metadata::new(Actor::Worker(WorkerId(worker)), UserId::SYSTEM).correlated(chat.0)
}

/// Drives the log as the recorder of the agent loop does: through the aggregate of the model call, in the chat's scope. Begins when
/// all is ready and the signal has come.
pub(super) async fn drive(log: &Log, load: Load, signal: impl Future<Output = Result<()>>) -> Result<Done> {
    let calls = Aggregates::<ModelCall>::new(log.clone());
    together(load.chats, load.events, signal, |start| {
        let (calls, worker) = (calls.clone(), log.worker());
        async move {
            let (chat, call) = (ChatId(Uuid::now_v7()), ModelCallId(Uuid::now_v7()));
            let (metadata, context) = (metadata(worker, chat), context());
            let request = ModelCallCommand::Request(requested(chat)?);
            calls.execute(call.0, Some(chat.0), metadata.clone(), &context, request, vec![]).await?;
            let until = start.together().await? + load.time;
            let (mut index, mut requests) = (0, Samples::default());
            while Instant::now() < until {
                let one = Instant::now();
                let record = ModelCallCommand::Record(tokens(index, load.events));
                calls.execute(call.0, Some(chat.0), metadata.clone(), &context, record, vec![]).await?;
                requests.add(one.elapsed());
                index += load.events;
            }
            Ok(requests)
        }
    })
    .await
}

/// Where the tasks of a measurement wait for each other.
#[derive(Clone, Debug)]
pub(super) struct Start {
    begin: watch::Receiver<Option<Instant>>,
    /// Nothing is sent: that all are dropped says that nobody is still getting ready.
    ready: mpsc::Sender<()>,
}

impl Start {
    /// This task is ready; gives the time when all were.
    pub(super) async fn together(self) -> Result<Instant> {
        let Self { mut begin, ready } = self;
        drop(ready);
        let begun = *begin.wait_for(Option::is_some).await?;
        begun.context("nobody gave the signal")
    }
}

/// Runs `count` tasks from one moment on, when the signal has come, each of which measures its own requests of so many events.
pub(super) async fn together<F>(
    count: usize,
    events: u64,
    signal: impl Future<Output = Result<()>>,
    task: impl Fn(Start) -> F,
) -> Result<Done>
where
    F: Future<Output = Result<Samples>> + Send + 'static,
{
    let (starter, begin) = watch::channel(None);
    let (ready, mut unready) = mpsc::channel(1);
    let mut tasks: JoinSet<_> = (0..count).map(|_| task(Start { begin: begin.clone(), ready: ready.clone() })).collect();
    drop(ready);
    unready.recv().await;
    signal.await?;
    let begun = Instant::now();
    starter.send_replace(Some(begun));
    let mut requests = Samples::default();
    while let Some(done) = tasks.join_next().await {
        requests.extend([done??]);
    }
    Ok(Done { events: requests.len() as u64 * events, elapsed: begun.elapsed(), requests })
}
