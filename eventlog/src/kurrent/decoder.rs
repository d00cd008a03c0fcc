//! Events as the log gives them, from events as the server does.

use super::{
    blobs,
    connection::Connection,
    envelope::{Pack, created, open},
    names::Names,
};
use crate::{
    error::ReadError,
    leaf::{leaf_hash, name_digest, sha256},
    recorded::Recorded,
    stream_id::StreamId,
};
use bytes::Bytes;
use eventstore::RecordedEvent;
use std::sync::Arc;

/// Decodes the events of a page, and shares what they have in common.
pub(super) struct Decoder<'a> {
    connection: &'a Connection,
    names: Names,
    /// The pack that was needed last: the events of one append follow one another.
    pack: Option<(String, Bytes)>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, names: Names::default(), pack: None }
    }

    /// None for an event that another program wrote.
    pub(super) async fn event(&mut self, event: &RecordedEvent) -> Result<Option<Arc<Recorded>>, ReadError> {
        let (Some(envelope), Some((kind, id))) = (open(event), event.stream_id.split_once('-')) else { return Ok(None) };
        let payload = match &envelope.pack {
            None => event.data.clone(),
            Some(pack) => self.unpacked(pack).await?,
        };
        let stream = StreamId { aggregate_type: self.names.get(kind), aggregate_id: self.names.get(id) };
        let (event_type, event_version) = (self.names.get(&event.event_type), self.names.get(&envelope.version));
        let metadata = self.names.metadata(envelope.metadata.get());
        let (position, sequence, recorded_at) = (event.position.commit, event.revision + 1, created(event));
        let name = name_digest(&stream, &event_type, &event_version);
        let leaf_hash = leaf_hash(position, sequence, recorded_at, &name, &sha256(&metadata), &sha256(&payload));
        let scope = envelope.scope;
        Ok(Some(Arc::new(Recorded {
            position,
            stream,
            scope,
            sequence,
            event_type,
            event_version,
            payload,
            metadata,
            recorded_at,
            leaf_hash,
            encoded: Default::default(),
        })))
    }

    async fn unpacked(&mut self, pack: &Pack<'_>) -> Result<Bytes, ReadError> {
        let content = match self.pack.take() {
            Some((sha256, content)) if sha256 == *pack.sha256 => content,
            _ => {
                let absent = || ReadError::damaged(format!("the payloads in blob {} are missing", pack.sha256));
                let digest = hex::decode(&*pack.sha256).map_err(|_| absent())?;
                let stored = blobs::read(self.connection, &digest).await?.ok_or_else(absent)?;
                let content = stored.content().map_err(ReadError::damaged)?;
                if sha256(&content)[..] != digest[..] {
                    return Err(ReadError::damaged(format!("blob {} has other content", pack.sha256)));
                }
                content
            }
        };
        let end = pack.at.checked_add(pack.length).filter(|end| *end <= content.len());
        let payload = end.map(|end| content.slice(pack.at..end));
        self.pack = Some((pack.sha256.clone().into_owned(), content));
        payload.ok_or_else(|| ReadError::damaged(format!("blob {} ends before a payload in it", pack.sha256)))
    }
}
