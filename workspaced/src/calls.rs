//! One effect per idempotency key, across restarts of the daemon.
//!
//! An answered request is a file under `calls/`, named by its key's hash. A request that changes things leaves a file in
//! `journal/` before its effect; the next daemon settles what it finds there before it serves anyone.

use crate::{
    durable,
    file::transaction::{self, Change, Moves},
    refusal::Refusal,
    root::Root,
};
use docket_wire::{
    limits::{KEPT_ANSWERS, KEY_BYTES},
    problem::{KEY_REQUIRED, KEY_REUSED, OUTCOME_UNKNOWN},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};
use tokio::sync::watch;

const KEPT_BYTES: u64 = 128 * 1024 * 1024;
const PRUNE_EVERY: usize = 512;

/// An answer as it is kept and sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
}

impl Answer {
    /// The answer that was asked for.
    pub fn ok<T: Serialize>(value: &T) -> Self {
        match serde_json::to_string(value) {
            Ok(body) => Self { status: 200, body },
            Err(error) => Refusal::internal("the answer", &error).into(),
        }
    }

    /// Whether a repeat of the request must get the same. What failed for want of something is tried again.
    fn final_(&self) -> bool {
        self.status < 500 && self.status != 429
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status, body: serde_json::to_string(&refusal.problem()).unwrap_or_default() }
    }
}

/// A request with an idempotency key.
#[derive(Clone, Debug)]
pub struct Call {
    /// A hash of the key, which names the record.
    pub name: String,
    /// A hash of everything that the request says.
    pub request: String,
}

impl Call {
    /// Of a key as received, and a request.
    pub fn new<T: Serialize>(key: Option<&str>, route: &str, request: &T) -> Result<Self, Refusal> {
        let key = key.filter(|key| (1..=KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
        let Some(key) = key else {
            let message = format!("the Idempotency-Key header must have 1 to {KEY_BYTES} visible ASCII characters");
            return Err(Refusal::invalid(KEY_REQUIRED, message));
        };
        let body = serde_json::to_vec(request).map_err(|error| Refusal::internal("the request", &error))?;
        Ok(Self { name: hash(&[key.as_bytes()])[..40].to_owned(), request: hash(&[route.as_bytes(), b"\0", &body]) })
    }
}

fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}

/// A record in `calls/`; those in `journal/` have more fields.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    request: String,
    answer: Answer,
}

/// A record in `journal/`.
#[derive(Debug, Serialize, Deserialize)]
struct Open {
    request: String,
    /// Given if the effect takes place, or if it cannot be known whether it did.
    answer: Answer,
    /// Of a change of files; what has none is an effect that cannot be looked up afterwards.
    moves: Option<Moves>,
}

type Running = HashMap<String, (String, watch::Receiver<Option<Answer>>)>;

/// All answers, and the requests that are being answered.
#[derive(Debug)]
pub struct Calls {
    calls: PathBuf,
    journal: PathBuf,
    running: Mutex<Running>,
    since_prune: AtomicUsize,
}

impl Calls {
    /// Opens the records and settles what an earlier daemon left undone.
    pub fn open(state: &Path, root: &Root) -> io::Result<Self> {
        let calls = state.join("calls");
        durable::private_dir(&calls)?;
        let journal = transaction::journal_dir(state)?;
        let this = Self { calls, journal, running: Mutex::default(), since_prune: AtomicUsize::new(0) };
        this.settle(root)?;
        this.prune()?;
        Ok(this)
    }

    /// Answers a request: from the record, or with the one effect that is under way, or by having it.
    pub async fn once<F>(self: &Arc<Self>, call: Call, effect: impl FnOnce(Call) -> F + Send + 'static) -> Answer
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let mut answer = match self.join(call, effect) {
            Ok(answer) => answer,
            Err(refusal) => return refusal.into(),
        };
        match answer.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or_else(|| unanswered().into()),
            Err(_) => unanswered().into(),
        }
    }

    fn join<F>(
        self: &Arc<Self>,
        call: Call,
        effect: impl FnOnce(Call) -> F + Send + 'static,
    ) -> Result<watch::Receiver<Option<Answer>>, Refusal>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((request, answer)) = running.get(&call.name) {
            return if *request == call.request { Ok(answer.clone()) } else { Err(reused()) };
        }
        let (sender, receiver) = watch::channel(None);
        running.insert(call.name.clone(), (call.request.clone(), receiver.clone()));
        drop(running);
        let this = Arc::clone(self);
        // Not the request's own task: a stream that breaks must not break the effect.
        tokio::spawn(async move {
            let name = call.name.clone();
            let _forget = Forget { calls: &this, name: &name };
            let answer = this.answer(call, effect).await;
            sender.send_replace(Some(answer));
        });
        Ok(receiver)
    }

    async fn answer<F>(&self, call: Call, effect: impl FnOnce(Call) -> F) -> Answer
    where
        F: Future<Output = Answer>,
    {
        match self.recorded(&call.name) {
            Ok(Some(record)) if record.request == call.request => return record.answer,
            Ok(Some(_)) => return reused().into(),
            Ok(None) => {}
            Err(error) => return Refusal::internal("the record of this key", &error).into(),
        }
        let (name, request) = (call.name.clone(), call.request.clone());
        let answer = effect(call).await;
        if answer.final_()
            && !self.calls.join(&name).exists()
            && let Err(error) = self.record(&name, Record { request, answer: answer.clone() })
        {
            return Refusal::internal("the record of this key", &error).into();
        }
        answer
    }

    fn recorded(&self, name: &str) -> io::Result<Option<Record>> {
        durable::read_json(&self.calls.join(name))
    }

    fn record(&self, name: &str, record: Record) -> io::Result<()> {
        durable::write_json(&self.calls.join(name), &record)?;
        if self.since_prune.fetch_add(1, Ordering::Relaxed) >= PRUNE_EVERY {
            self.since_prune.store(0, Ordering::Relaxed);
            self.prune()?;
        }
        Ok(())
    }

    /// Changes files, all or none, and records the answer with the same step that decides the change.
    pub fn change(&self, root: &Root, call: &Call, changes: &[Change], answer: Answer) -> Answer {
        self.try_change(root, call, changes, answer).unwrap_or_else(Answer::from)
    }

    fn try_change(&self, root: &Root, call: &Call, changes: &[Change], answer: Answer) -> Result<Answer, Refusal> {
        let journal = self.journal.join(&call.name);
        let failed = |error: io::Error| Refusal::internal("the journal", &error);
        let mut moves = transaction::moves(&call.name, changes);
        let open = |moves: &Moves| Open { request: call.request.clone(), answer: answer.clone(), moves: Some(moves.clone()) };
        let undecided = serde_json::to_vec(&open(&moves)).map_err(|error| failed(error.into()))?;
        durable::replace_lazily(&journal, &undecided).map_err(failed)?;
        let decided = transaction::prepare(root, &moves, changes).and_then(|()| {
            moves.decided = true;
            durable::write_json(&journal, &open(&moves)).map_err(failed)
        });
        if let Err(refusal) = decided {
            transaction::abandon(root, &moves);
            let _ = fs::remove_file(&journal);
            return Err(refusal);
        }
        if let Err(error) = transaction::carry_out(root, &moves) {
            transaction::undo(root, &moves, changes);
            let _ = fs::remove_file(&journal);
            return Err(Refusal::with(500, "io", format!("the change was undone, because it could not be completed: {error}")));
        }
        self.close(&call.name).map_err(failed)?;
        Ok(answer)
    }

    /// Says that an effect begins that cannot be looked up afterwards.
    pub fn begin(&self, call: &Call) -> io::Result<()> {
        let answer = unknown().into();
        durable::write_json(&self.journal.join(&call.name), &Open { request: call.request.clone(), answer, moves: None })
    }

    /// Ends what [`Self::begin`] began.
    pub fn end(&self, call: &Call, answer: &Answer) -> io::Result<()> {
        if answer.final_() {
            self.record(&call.name, Record { request: call.request.clone(), answer: answer.clone() })?;
        }
        fs::remove_file(self.journal.join(&call.name))
    }

    fn close(&self, name: &str) -> io::Result<()> {
        fs::rename(self.journal.join(name), self.calls.join(name))?;
        durable::sync_dir(&self.calls)
    }

    fn settle(&self, root: &Root) -> io::Result<()> {
        // Records that were being written: what they would have replaced, or that there was none, is what holds.
        for dir in [&self.journal, &self.calls] {
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                if path.extension().is_some() {
                    fs::remove_file(path)?;
                }
            }
        }
        for entry in fs::read_dir(&self.journal)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let open: Option<Open> = durable::read_json(&path).unwrap_or_default();
            match open.and_then(|open| open.moves.map_or(Some(None), |moves| Some(Some(moves)))) {
                Some(Some(moves)) if moves.decided => {
                    if let Err(error) = transaction::carry_out(root, &moves) {
                        tracing::error!(%error, "a change that was decided could not be completed");
                    }
                    self.close(name)?;
                }
                Some(Some(moves)) => {
                    transaction::abandon(root, &moves);
                    fs::remove_file(&path)?;
                }
                Some(None) if self.calls.join(name).exists() => fs::remove_file(&path)?,
                Some(None) => self.close(name)?,
                // A file that was being written.
                None => fs::remove_file(&path)?,
            }
        }
        Ok(())
    }

    fn prune(&self) -> io::Result<()> {
        let mut records: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.calls)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            records.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        records.sort_unstable_by_key(|(modified, ..)| std::cmp::Reverse(*modified));
        let mut bytes = 0;
        for (index, (_, length, path)) in records.into_iter().enumerate() {
            bytes += length;
            if index >= KEPT_ANSWERS || bytes > KEPT_BYTES {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Forgets a running request, also when its task panics.
struct Forget<'a> {
    calls: &'a Calls,
    name: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.calls.running.lock().unwrap_or_else(PoisonError::into_inner).remove(self.name);
    }
}

/// The answer where an effect may or may not have taken place.
pub fn unknown() -> Refusal {
    let message = "the daemon was interrupted in the middle of this request, and whether it had its effect cannot be known; \
                   it was not run again";
    Refusal::with(409, OUTCOME_UNKNOWN, message)
}

fn reused() -> Refusal {
    Refusal::with(409, KEY_REUSED, "this idempotency key was used for another request")
}

fn unanswered() -> Refusal {
    Refusal::with(500, "internal", "the request ended without an answer")
}
