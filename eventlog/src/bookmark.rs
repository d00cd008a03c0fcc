//! Where a reader of the log stands.

/// A position with whatever the reader has made of the log up to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    pub position: u64,
    pub state: Vec<u8>,
}
