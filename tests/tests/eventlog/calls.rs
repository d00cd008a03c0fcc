//! Model calls, their tokens and their ends, for what seals and keeps them.

use crate::fixture::*;
use docket_domain::{Metadata, ids::CommandId};
use docket_eventlog::{Append, Blob, Expected, FileStore, Log, NewEvent, OpenError, Options, SealLimits, StreamId};
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// Everything that has ended, at once.
pub const NOW: SealLimits = SealLimits { older_than: Duration::ZERO, least_events: 1 };

/// A database and a place for segments.
pub struct World {
    pub fixture: Fixture,
    pub folder: TempDir,
}

impl World {
    pub fn new(fixture: Fixture) -> Self {
        Self { fixture, folder: tempfile::tempdir().unwrap() }
    }

    pub fn store(&self) -> FileStore {
        FileStore::folder(self.folder.path().to_owned()).unwrap()
    }

    pub async fn open(&self) -> Log {
        let durability = docket_eventlog::Durability::Relaxed;
        let options = Options { durability, segments: Some(self.store()), ..Options::default() };
        let opening = async {
            loop {
                match Log::open(&self.fixture.url(), options.clone()).await {
                    // Another test's child, which has not yet become another program, has all files of this process.
                    Err(OpenError::Locked { .. }) => tokio::task::yield_now().await,
                    opened => return opened.unwrap(),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), opening).await.expect("the file is let go")
    }

    /// A log whose memory has none of the events.
    pub async fn reopen(&self, log: Log) -> Log {
        log.close().await;
        self.open().await
    }

    /// The segments' files.
    pub fn files(&self) -> Vec<std::path::PathBuf> {
        let mut files: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

pub fn call(number: impl Into<u128>) -> StreamId {
    StreamId::new("model_call", Uuid::from_u128(number.into()).to_string())
}

/// Text as models stream it: words of a language, each with its share of chance, now and then a number.
pub fn token(index: usize) -> NewEvent {
    const WORDS: [&str; 24] = [
        "The",
        " build",
        " fails",
        " because",
        " the",
        " \\\"lock\\\"",
        " file",
        " is",
        " out",
        " of",
        " date",
        ".\\n",
        " I",
        "'ll",
        " run",
        " `cargo",
        " update",
        "`",
        " and",
        " look",
        " at",
        " what",
        " changed",
        " since",
    ];
    let chance = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let chance = (chance ^ chance >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
    let text = if chance.is_multiple_of(23) { format!(" {}", chance % 997) } else { WORDS[chance as usize % 24].to_owned() };
    let payload = format!(r#"{{"type":"text_streamed","index":{index},"block":0,"text":"{text}"}}"#);
    NewEvent { event_type: "model_call.text_streamed".into(), event_version: "1".into(), payload: payload.into() }
}

pub fn end(kind: &str) -> NewEvent {
    let payload = format!(r#"{{"type":"{kind}"}}"#);
    NewEvent { event_type: format!("model_call.{kind}").into(), event_version: "1".into(), payload: payload.into() }
}

/// One append to a model call of a chat.
pub fn streamed(stream: &StreamId, chat: u128, events: Vec<NewEvent>) -> Append {
    let metadata = Metadata::system();
    Append {
        stream: stream.clone(),
        scope: Some(Uuid::from_u128(chat)),
        expected: Expected::Any,
        events,
        blobs: Vec::new(),
        metadata,
    }
}

/// A whole model call: `tokens` and an end.
pub async fn finished(log: &Log, number: u128, chat: u128, tokens: usize) {
    let stream = call(number);
    for from in (0..tokens).step_by(50) {
        let texts = (from..tokens.min(from + 50)).map(|index| index + number as usize * 7919);
        log.append(streamed(&stream, chat, texts.map(token).collect())).await.unwrap();
    }
    let ends = ["finished", "failed", "interrupted"];
    log.append(streamed(&stream, chat, vec![end(ends[number as usize % 3])])).await.unwrap();
}

/// A chat's own event, with a command and a blob.
pub async fn noted(log: &Log, number: u128, command: u128) {
    let note = Append {
        scope: Some(Uuid::from_u128(number)),
        blobs: vec![Blob::new(format!("blob of {command} ").repeat(100))],
        metadata: Metadata::system().commanded(CommandId(Uuid::from_u128(command))),
        ..append(&chat(number), "{\"noted\":[1.5,\"é\",null]}")
    };
    log.append(note).await.unwrap();
}
