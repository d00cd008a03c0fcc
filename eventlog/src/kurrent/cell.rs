//! A value that can be replaced: a stream of which only the last event counts, and the server keeps no more than that.

use super::{
    appender::{Appender, Failure},
    blobs::{self, Blobs},
    connection::Connection,
    envelope::INTERNAL,
};
use crate::{blob::Blob, error::ReadError};
use bytes::Bytes;
use eventstore::{EventData, ExpectedRevision, RecordedEvent};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use uuid::Uuid;

/// What goes into an event; more goes into a blob.
const INLINE: usize = 256 << 10;

/// The metadata: what the value says of itself, and where it is when it is large.
#[derive(Serialize, Deserialize)]
struct About<T> {
    about: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
}

/// The place of one value.
pub(super) struct Cell(String);

impl Cell {
    pub(super) fn new(kind: &str, name: impl std::fmt::Display) -> Self {
        Self(format!("{INTERNAL}{kind}-{name}"))
    }

    pub(super) async fn put(&self, blobs: &Blobs, about: impl Serialize, value: &[u8]) -> Result<(), String> {
        let (bytes, blob) = if value.len() > INLINE {
            let blob = Blob::new(value.to_vec());
            blobs.write(vec![&blob]).await?;
            (Bytes::new(), Some(blob.sha256()))
        } else {
            (Bytes::copy_from_slice(value), None)
        };
        let event = EventData::binary("~value", bytes).metadata_as_json(&About { about, blob });
        let event = event.map_err(|error| error.to_string())?;
        if blobs.connection.last(&self.0).await.map_err(|error| error.to_string())?.is_none() {
            self.keep_one(&blobs.appender).await?;
        }
        blobs.appender.append(&self.0, ExpectedRevision::Any, vec![event]).await.map_err(Failure::reason)
    }

    /// Has the server forget all but the last. The same event at the same place every time, which the server takes as one.
    async fn keep_one(&self, appender: &Appender) -> Result<(), String> {
        let metadata = format!("$${}", self.0);
        let event = EventData::json("$metadata", &json!({ "$maxCount": 1 })).map_err(|error| error.to_string())?;
        let event = event.id(Uuid::new_v5(&Uuid::NAMESPACE_OID, metadata.as_bytes()));
        appender.append(&metadata, ExpectedRevision::NoStream, vec![event]).await.map_err(Failure::reason)
    }

    /// The value, what it says of itself, and the event that holds it.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        connection: &Connection,
    ) -> Result<Option<(T, Bytes, RecordedEvent)>, ReadError> {
        let Some(event) = connection.last(&self.0).await? else { return Ok(None) };
        let damaged = |error: &dyn std::fmt::Display| ReadError::damaged(format!("stream {}: {error}", self.0));
        let About { about, blob } = serde_json::from_slice(&event.custom_metadata).map_err(|error| damaged(&error))?;
        let value = match blob {
            None => event.data.clone(),
            Some(sha256) => {
                let digest = hex::decode(&sha256).map_err(|error| damaged(&error))?;
                let stored = blobs::read(connection, &digest).await?.ok_or_else(|| damaged(&"its blob is missing"))?;
                stored.content().map_err(|error| damaged(&error))?
            }
        };
        Ok(Some((about, value, event)))
    }
}
