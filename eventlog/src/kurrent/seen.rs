//! Who waits for an event to come back on the subscription: only there has it a position.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tokio::sync::oneshot;
use uuid::Uuid;

/// By the event's id.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<Uuid, oneshot::Sender<u64>>>);

impl Seen {
    /// To be called before the event is sent.
    pub(super) fn expect(&self, id: Uuid) -> oneshot::Receiver<u64> {
        let (sender, position) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        position
    }

    pub(super) fn forget(&self, id: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Tells whoever waits for them that these events, with their positions, have been shown to the readers.
    pub(super) fn shown(&self, events: impl IntoIterator<Item = (Uuid, u64)>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, position) in events {
            if waiting.is_empty() {
                return;
            }
            if let Some(sender) = waiting.remove(&id) {
                // Whoever waited may have given up.
                let _ = sender.send(position);
            }
        }
    }
}
