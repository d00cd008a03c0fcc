mod reader;
mod writer;

use super::*;
use crate::{
    append::{Append, Expected, NewEvent},
    log::Log,
    options::Durability,
    request::Request,
    stream_id::StreamId,
};
use std::path::PathBuf;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("docket-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("log.db")
    }

    async fn open(&self, durability: Durability) -> Writer {
        open(&self.file(), &Options { durability, ..Options::default() }).await.unwrap().0
    }

    async fn log(&self) -> Log {
        Log::open(&crate::DatabaseUrl::Sqlite(self.file()), Options::default()).await.unwrap()
    }

    /// Runs SQL beside the log, sensible or not.
    fn sql(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.file()).unwrap();
        connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn stream() -> StreamId {
    StreamId::new("chat", "1")
}

fn event(payload: impl Into<bytes::Bytes>) -> NewEvent {
    NewEvent { event_type: "chat.noted".into(), event_version: "1".into(), payload: payload.into() }
}

fn append(stream: StreamId, events: Vec<NewEvent>) -> Append {
    let metadata = docket_domain::Metadata::system();
    Append { stream, scope: None, expected: Expected::Any, events, blobs: Vec::new(), metadata }
}

fn request(bytes: usize) -> Request {
    Request::new(append(stream(), vec![event(format!("\"{}\"", "x".repeat(bytes)))])).unwrap()
}
