//! What this process knows of streams: how many events they have, and which commands those came from. It is brought up to date by
//! reading on, so it costs the whole stream once.

use super::{connection::Connection, envelope};
use crate::{error::ReadError, request::Request, stream_id::StreamId};
use futures_util::{TryStreamExt, future::try_join_all};
use lru::LruCache;
use std::{collections::HashMap, num::NonZeroUsize, pin::pin};
use uuid::Uuid;

/// More than one batch can name.
const STREAMS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);

/// A stream, up to one of its events.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The sequence of that event; 0 for none.
    pub(super) sequence: u64,
    /// The last sequence of each command.
    pub(super) commands: HashMap<Uuid, u64>,
}

#[derive(Debug)]
pub(super) struct Known(LruCache<StreamId, Stream>);

impl Default for Known {
    fn default() -> Self {
        Self(LruCache::new(STREAMS))
    }
}

impl Known {
    /// The stream as far as it is known.
    pub(super) fn get(&mut self, stream: &StreamId) -> Option<&mut Stream> {
        self.0.get_mut(stream)
    }

    /// Brings what is known of these streams (each named once) up to date.
    pub(super) async fn read_on(
        &mut self,
        connection: &Connection,
        streams: Vec<(&StreamId, String)>,
    ) -> Result<(), ReadError> {
        let known: Vec<_> =
            streams.into_iter().map(|(stream, name)| (stream, name, self.0.pop(stream).unwrap_or_default())).collect();
        let read =
            try_join_all(known.into_iter().map(|(stream, name, known)| async move {
                Ok::<_, ReadError>((stream, known.read_on(connection, &name).await?))
            }));
        for (stream, known) in read.await? {
            self.0.put(stream.clone(), known);
        }
        Ok(())
    }
}

impl Stream {
    /// The last sequence of what the request's command has done before.
    pub(super) fn applied(&self, request: &Request) -> Option<u64> {
        self.commands.get(&request.command?).copied()
    }

    /// Takes it for granted that the request's events come after this one.
    pub(super) fn append(&mut self, request: &Request, after: u64) {
        let last = after + request.count();
        self.sequence = self.sequence.max(last);
        if let Some(command) = request.command {
            self.commands.insert(command, last);
        }
    }

    /// Takes back what was thought of the events after this one.
    pub(super) fn back_to(&mut self, sequence: u64) {
        if sequence < self.sequence {
            self.sequence = sequence;
            self.commands.retain(|_, last| *last <= sequence);
        }
    }

    async fn read_on(mut self, connection: &Connection, name: &str) -> Result<Self, ReadError> {
        let mut events = pin!(connection.read_stream(name, self.sequence, usize::MAX).await?);
        while let Some(event) = events.try_next().await? {
            if event.revision != self.sequence {
                return Err(ReadError::damaged(format!("stream {name} has lost events before number {}", event.revision + 1)));
            }
            self.sequence += 1;
            if let Some(command) = envelope::command(&event) {
                self.commands.insert(command, self.sequence);
            }
        }
        Ok(self)
    }
}
