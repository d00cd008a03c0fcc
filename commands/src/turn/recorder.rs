//! Records the deltas of a model call while they come: whatever waits when the last append is durable goes into the next, so
//! that the size of a batch follows the speed of the disk and nothing waits for a timer.

use crate::{control::Control, error::CommandError};
use docket_domain::{
    Metadata,
    ids::{ChatId, ModelCallId},
    model_call::{ModelCallCommand, ModelCallEvent},
};
use docket_eventlog::Blob;
use tokio::{sync::mpsc, task::JoinHandle};

/// Frames that wait to be recorded. When so many wait, the provider is not read any further.
const WAITING: usize = 1024;
/// The most events in one append, about. KurrentDB takes no more than some thousands at once.
const BATCH: usize = 1024;

/// One received frame's events, and blobs that they name.
type Frame = (Vec<ModelCallEvent>, Vec<Blob>);

#[derive(Debug)]
pub(super) struct Recorder {
    frames: mpsc::Sender<Frame>,
    task: JoinHandle<Result<(), CommandError>>,
}

impl Recorder {
    pub(super) fn start(control: Control, id: ModelCallId, chat: ChatId, metadata: Metadata) -> Self {
        let (frames, mut waiting) = mpsc::channel::<Frame>(WAITING);
        let task = tokio::spawn(async move {
            while let Some((mut events, mut blobs)) = waiting.recv().await {
                while events.len() < BATCH {
                    let Ok((more, named)) = waiting.try_recv() else { break };
                    events.extend(more);
                    blobs.extend(named);
                }
                let command = ModelCallCommand::Record(events);
                control.model_call(id, chat, metadata.clone(), command, blobs).await?;
            }
            Ok(())
        });
        Self { frames, task }
    }

    /// Hands over one frame. Waits only while too many wait. `false` when recording has failed; [`Self::finish`] says why.
    pub(super) async fn record(&self, events: Vec<ModelCallEvent>, blobs: Vec<Blob>) -> bool {
        self.frames.send((events, blobs)).await.is_ok()
    }

    /// Waits until everything is durable.
    pub(super) async fn finish(self) -> Result<(), CommandError> {
        drop(self.frames);
        match self.task.await {
            Ok(result) => result,
            Err(_) => Err(CommandError::Append(docket_eventlog::AppendError::Closed)),
        }
    }
}
