//! The double's events, and what appends do to them.

use bytes::Bytes;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;
use uuid::Uuid;

/// The real server's default.
const MAX_APPEND: usize = 1 << 20;

#[derive(Clone, Debug)]
pub(super) struct New {
    pub(super) id: Uuid,
    pub(super) metadata: HashMap<String, String>,
    pub(super) custom: Bytes,
    pub(super) data: Bytes,
}

#[derive(Debug)]
pub(super) struct Event {
    pub(super) stream: String,
    pub(super) revision: u64,
    pub(super) position: u64,
    pub(super) new: New,
}

impl Event {
    pub(super) fn event_type(&self) -> &str {
        self.new.metadata.get("type").map_or("", String::as_str)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Any,
    NoStream,
    Exists,
    Revision(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The stream's last revision.
    WrongVersion(Option<u64>),
    TooLarge,
}

#[derive(Debug, Default)]
struct Inner {
    all: Vec<Arc<Event>>,
    streams: BTreeMap<String, Vec<Arc<Event>>>,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    inner: Mutex<Inner>,
    /// How many events there are.
    pub(super) grown: watch::Sender<usize>,
}

impl Store {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Gives the last event's revision and position, be it old or new.
    pub(super) fn append(&self, stream: &str, expected: Expected, events: Vec<New>) -> Result<(u64, u64), Refused> {
        // As the real server counts.
        let size = |new: &New| new.data.len() + new.custom.len() + 2 * new.metadata.get("type").map_or(0, String::len);
        if events.iter().map(size).sum::<usize>() > MAX_APPEND {
            return Err(Refused::TooLarge);
        }
        let mut inner = self.inner();
        let present = inner.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let current = present.last().map(|event| event.revision);
        let holds = match expected {
            Expected::Any => true,
            Expected::NoStream => current.is_none(),
            Expected::Exists => current.is_some(),
            Expected::Revision(revision) => current == Some(revision),
        };
        // The same events at the same place are no second append.
        let place = match expected {
            Expected::NoStream => Some(0),
            Expected::Revision(revision) => usize::try_from(revision + 1).ok(),
            Expected::Any | Expected::Exists => {
                present.iter().position(|event| Some(event.new.id) == events.first().map(|new| new.id))
            }
        };
        let there = place.and_then(|place| present.get(place..place + events.len()));
        if let Some(there) = there.filter(|there| there.iter().zip(&events).all(|(event, new)| event.new.id == new.id))
            && let Some(last) = there.last()
        {
            let last = (last.revision, last.position);
            return Ok(last);
        }
        if !holds {
            return Err(Refused::WrongVersion(current));
        }
        let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() / 100;
        let mut last = (current.unwrap_or_default(), 0);
        for (revision, mut new) in (current.map_or(0, |current| current + 1)..).zip(events) {
            new.metadata.insert("created".into(), created.to_string());
            // As in a file of records: rising, and never dense.
            let length = 64 + (stream.len() + new.data.len() + new.custom.len()) as u64;
            let position = inner.all.last().map_or(4096, |event| event.position + length);
            let event = Arc::new(Event { stream: stream.to_owned(), revision, position, new });
            inner.all.push(event.clone());
            inner.streams.entry(stream.to_owned()).or_default().push(event);
            last = (revision, position);
        }
        let count = inner.all.len();
        drop(inner);
        self.grown.send_replace(count);
        Ok(last)
    }

    pub(super) fn append_foreign(&self, stream: &str, event_type: &str, data: &str) {
        let metadata = HashMap::from([("type".into(), event_type.into()), ("content-type".into(), "application/json".into())]);
        let new = New { id: Uuid::new_v4(), metadata, custom: Bytes::new(), data: data.to_owned().into() };
        self.append(stream, Expected::Any, vec![new]).unwrap();
    }

    /// The stream's events, as far as its `$maxCount` leaves them.
    pub(super) fn stream(&self, name: &str) -> Option<Vec<Arc<Event>>> {
        let inner = self.inner();
        let events = inner.streams.get(name)?;
        let metadata = inner.streams.get(&format!("$${name}")).and_then(|metadata| metadata.last());
        let kept = metadata.and_then(|event| serde_json::from_slice::<serde_json::Value>(&event.new.data).ok());
        let kept = kept.and_then(|metadata| metadata["$maxCount"].as_u64()).map_or(usize::MAX, |kept| kept as usize);
        Some(events[events.len().saturating_sub(kept)..].to_vec())
    }

    /// A page of the whole log from an index on.
    pub(super) fn all(&self, from: usize, count: usize) -> Vec<Arc<Event>> {
        self.inner().all.iter().skip(from).take(count).cloned().collect()
    }

    /// The index of the event at a position.
    pub(super) fn index(&self, position: u64) -> Option<usize> {
        self.inner().all.binary_search_by_key(&position, |event| event.position).ok()
    }

    pub(super) fn events(&self) -> usize {
        self.inner().all.len()
    }

    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        self.inner().streams.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }
}
