//! The bytes of an event as they go out to readers.

use bytes::Bytes;
use std::sync::OnceLock;

/// Made by the first reader of an event who needs it, and shared by all others. The event is no other one for having it.
#[derive(Clone, Debug, Default)]
pub struct Encoded(OnceLock<Bytes>);

impl Encoded {
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> Bytes) -> &Bytes {
        self.0.get_or_init(make)
    }
}

impl PartialEq for Encoded {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Encoded {}
