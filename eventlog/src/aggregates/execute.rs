//! Executing a command: load, decide, append; and again where someone else was faster.

use super::{Aggregates, ExecuteError, encode, stream};
use crate::{
    append::{Append, Appended, Expected},
    blob::Blob,
    error::AppendError,
};
use docket_domain::{Context, Decide, Metadata};
use uuid::Uuid;

/// How often a command is decided at most. Each conflict means that another command got through.
const ATTEMPTS: usize = 16;

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed<E> {
    /// Of the last event; of the stream's newest event when there were none (0 for an empty stream).
    pub position: u64,
    /// Of that same event, in its stream.
    pub sequence: u64,
    pub events: Vec<E>,
    /// The command had been applied before; nothing was done now, and the position is the old one.
    pub repeated: bool,
}

impl<E> Executed<E> {
    fn repeated(old: Appended) -> Self {
        Self { position: old.last_position, sequence: old.last_sequence, events: Vec::new(), repeated: true }
    }
}

impl<A: Decide> Aggregates<A>
where
    A::Command: Clone,
{
    /// Decides a command on the current state and appends what follows from it. This is the one place that retries conflicts.
    ///
    /// # Errors
    /// [`ExecuteError::Refused`] when the aggregate does not allow it; otherwise the log did not take or give the events.
    pub async fn execute(
        &self,
        id: Uuid,
        scope: Option<Uuid>,
        metadata: Metadata,
        context: &Context,
        command: A::Command,
        blobs: Vec<Blob>,
    ) -> Result<Executed<A::Event>, ExecuteError<A::Refusal>> {
        let id = id.to_string();
        let stream = stream::<A>(&id);
        let mut slot = self.cache.slot(&id).lock_owned().await;
        // What is remembered is taken as it is: were it old, the log would not take the events.
        let mut current = slot.is_none();
        let mut conflict = None;
        for _ in 0..ATTEMPTS {
            if current {
                self.refreshed(&mut slot, &stream).await?;
            }
            let cached = slot.get_or_insert_default();
            let events = match cached.state.decide(command.clone(), context) {
                Ok(events) if !events.is_empty() => events,
                nothing => {
                    // A repeat often looks like something that is not allowed any more.
                    if let Some(command) = metadata.command
                        && let Some(old) = self.log.find_command(&stream, command.0).await?
                    {
                        return Ok(Executed::repeated(old));
                    }
                    if !current {
                        current = true;
                        continue;
                    }
                    nothing.map_err(ExecuteError::Refused)?;
                    let (position, sequence) = (cached.position, cached.sequence);
                    return Ok(Executed { position, sequence, events: Vec::new(), repeated: false });
                }
            };
            let append = Append {
                stream: stream.clone(),
                scope,
                expected: Expected::after(cached.sequence),
                events: encode(&events).map_err(|error| ExecuteError::Encode(error.to_string()))?,
                blobs: blobs.clone(),
                metadata: metadata.clone(),
            };
            match self.log.append(append).await {
                Ok(appended) if appended.repeated => return Ok(Executed::repeated(appended)),
                Ok(Appended { last_position: position, last_sequence: sequence, .. }) => {
                    events.iter().for_each(|event| cached.state.apply_event(event));
                    (cached.position, cached.sequence) = (position, sequence);
                    self.snapshot_if_due(&stream, cached);
                    return Ok(Executed { position, sequence, events, repeated: false });
                }
                Err(error @ AppendError::Conflict { .. }) => {
                    current = true;
                    conflict = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let none = || AppendError::Storage { reason: "no attempt was made".into() };
        Err(conflict.unwrap_or_else(none).into())
    }
}
