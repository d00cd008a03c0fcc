//! A chat as of any position, from the log alone.

use super::{
    document::ChatSnapshot,
    live::{self, Delta},
    view::ChatView,
};
use docket_domain::{
    chat::ChatEvent,
    ids::{ChatId, ModelCallId},
};
use docket_eventlog::{Log, ReadError, Recorded, StreamId};
use std::sync::Arc;

const PAGE: usize = 1_000;

/// The chat as it was when the log ended at `position`, with its last `limit` messages; `None` when there was none yet.
///
/// # Errors
/// When the log cannot be read, or holds what is no event of a chat.
pub async fn at(log: &Log, id: ChatId, position: u64, limit: usize) -> Result<Option<ChatSnapshot>, ReadError> {
    let mut view = ChatView::new(id);
    for event in stream(log, &StreamId::new("chat", id.to_string()), position).await? {
        view.apply(event.position, event.recorded_at, &event.decode::<ChatEvent>()?);
    }
    if !view.exists() {
        return Ok(None);
    }
    if let Some(call) = view.open_call() {
        view.apply_deltas(call, &deltas(log, call, position).await?);
    }
    Ok(Some(view.into_snapshot(position, limit)))
}

pub(super) async fn deltas(log: &Log, id: ModelCallId, position: u64) -> Result<Vec<Delta>, ReadError> {
    live::decoded(&stream(log, &StreamId::new("model_call", id.to_string()), position).await?)
}

/// The stream's events up to `position`.
async fn stream(log: &Log, stream: &StreamId, position: u64) -> Result<Vec<Arc<Recorded>>, ReadError> {
    let mut events: Vec<Arc<Recorded>> = Vec::new();
    loop {
        let page = log.read_stream(stream, events.last().map_or(0, |event| event.sequence), PAGE).await?;
        let ends = page.last().is_none_or(|last| last.position > position);
        events.extend(page.into_iter().take_while(|event| event.position <= position));
        if ends {
            return Ok(events);
        }
    }
}

impl ChatView {
    /// The model call whose answer is being streamed.
    #[must_use]
    pub fn open_call(&self) -> Option<ModelCallId> {
        self.chat.turn.as_ref().and_then(|turn| turn.model_call_id)
    }

    pub(super) fn apply_deltas(&mut self, id: ModelCallId, deltas: &[Delta]) {
        for (position, recorded_at, event) in deltas {
            self.apply_delta(*position, *recorded_at, id, event);
        }
    }

    /// The chat with its last `limit` messages, as of `position`.
    #[must_use]
    pub fn into_snapshot(mut self, position: u64, limit: usize) -> ChatSnapshot {
        let before = self.messages.len().saturating_sub(limit);
        self.messages.drain(..before);
        let has_more = self.messages.first().map_or(self.chat.message_count > 0, |message| message.ordinal > 0);
        ChatSnapshot { chat: self.chat, messages: self.messages, has_more, position }
    }
}
