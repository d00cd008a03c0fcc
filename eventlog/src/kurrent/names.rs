//! Sharing of what repeats from row to row.

use bytes::Bytes;
use std::{collections::HashSet, sync::Arc};

/// The strings of one page, each allocated once.
#[derive(Default)]
pub(super) struct Names {
    names: HashSet<Arc<str>>,
    metadata: Bytes,
}

impl Names {
    pub(super) fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }

    /// The events of one append lie together and have the same metadata.
    pub(super) fn metadata(&mut self, json: &str) -> Bytes {
        if self.metadata != json {
            self.metadata = Bytes::copy_from_slice(json.as_bytes());
        }
        self.metadata.clone()
    }
}
