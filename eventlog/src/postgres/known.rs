//! The numbers that stand for names in the database, as far as the writer has met them. They never change; but a server that was
//! failed over may have lost the last of them, so they are forgotten with the connection.

use crate::{append::NewEvent, stream_id::StreamId};
use bytes::Bytes;
use lru::LruCache;
use std::{collections::HashMap, hash::Hash, num::NonZeroUsize, sync::Arc};
use uuid::Uuid;

const NAMES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);
const METADATA: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) streams: Names<StreamId>,
    pub(crate) scopes: Names<Uuid>,
    /// Of an event's type and version.
    pub(crate) types: Names<(Arc<str>, Arc<str>)>,
    pub(crate) metadata: Names<Bytes>,
    /// The newest position after this writer's last batch, and whether nobody else had written before that one.
    pub(crate) head: Option<u64>,
    pub(crate) alone: bool,
}

/// Names of one kind: those with known numbers, and the new ones of the batch that is being made.
#[derive(Debug)]
pub(crate) struct Names<N: Eq + Hash> {
    known: LruCache<N, i32>,
    places: HashMap<N, i32>,
    new: Vec<N>,
}

impl Known {
    pub(crate) fn nothing() -> Self {
        Self {
            streams: Names::none(NAMES),
            scopes: Names::none(NAMES),
            types: Names::none(NAMES),
            metadata: Names::none(METADATA),
            head: None,
            alone: true,
        }
    }

    /// Forgets what was new in a batch that may not have been written.
    pub(crate) fn begin_batch(&mut self) {
        self.streams.begin_batch();
        self.scopes.begin_batch();
        self.types.begin_batch();
        self.metadata.begin_batch();
    }
}

impl<N: Clone + Eq + Hash> Names<N> {
    fn none(limit: NonZeroUsize) -> Self {
        Self { known: LruCache::new(limit), places: HashMap::new(), new: Vec::new() }
    }

    fn begin_batch(&mut self) {
        self.new.clear();
        self.places.clear();
    }

    /// The number that stands for a name. One that is new in this batch is counted from -1.
    pub(crate) fn number(&mut self, name: &N) -> i32 {
        if let Some(number) = self.known.get(name).or_else(|| self.places.get(name)) {
            return *number;
        }
        self.new.push(name.clone());
        // A batch has some thousands of names at most.
        let place = i32::try_from(self.new.len()).map_or(i32::MIN, |count| -count);
        self.places.insert(name.clone(), place);
        place
    }

    /// The new names, in their order.
    pub(crate) fn new_names(&self) -> &[N] {
        &self.new
    }

    /// Their numbers have come.
    pub(crate) fn learn(&mut self, numbers: &[i32]) {
        for (name, number) in self.new.drain(..).zip(numbers) {
            self.known.put(name, *number);
        }
        self.places.clear();
    }
}

/// What the number of an event's type stands for.
pub(crate) fn type_name(event: &NewEvent) -> (Arc<str>, Arc<str>) {
    (event.event_type.clone(), event.event_version.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_name_is_known_once_its_number_has_come() {
        let mut names = Names::none(METADATA);
        assert_eq!(["a", "b", "a"].map(|name| names.number(&name)), [-1, -2, -1]);
        names.begin_batch();
        assert_eq!(["b", "c"].map(|name| names.number(&name)), [-1, -2]);
        names.learn(&[7, 9]);
        assert_eq!(["a", "b", "c"].map(|name| names.number(&name)), [-1, 7, 9]);
        assert_eq!(names.new_names(), ["a"]);
    }
}
