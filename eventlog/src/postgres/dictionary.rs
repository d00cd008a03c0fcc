//! What the numbers in the rows stand for. They are resolved here, so that a row on its way from the server carries no names.

use crate::{error::ReadError, stream_id::StreamId};
use bytes::Bytes;
use lru::LruCache;
use sqlx::{PgConnection, postgres::PgPoolOptions};
use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;

const LIMIT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// What is remembered. Numbers never change; but a server that was failed over may have lost the last of them and given them away
/// again, so every new connection begins with nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Dictionary(Arc<Mutex<Arc<Entries>>>);

/// The entries since some connection was made.
#[derive(Debug, Default)]
pub(super) struct Entries {
    streams: Kind<StreamId>,
    scopes: Kind<Uuid>,
    types: Kind<(Arc<str>, Arc<str>)>,
    metadata: Kind<Bytes>,
}

#[derive(Debug)]
struct Kind<N>(Mutex<LruCache<i32, N>>);

/// The numbers that a page mentions.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) streams: Vec<i32>,
    pub(super) scopes: Vec<i32>,
    pub(super) types: Vec<i32>,
    pub(super) metadata: Vec<i32>,
}

/// And what they stand for.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) streams: HashMap<i32, StreamId>,
    pub(super) scopes: HashMap<i32, Uuid>,
    pub(super) types: HashMap<i32, (Arc<str>, Arc<str>)>,
    pub(super) metadata: HashMap<i32, Bytes>,
}

impl Dictionary {
    /// Has a pool forget everything whenever it connects.
    pub(super) fn forgotten_by(&self, pool: PgPoolOptions) -> PgPoolOptions {
        let dictionary = self.clone();
        pool.after_connect(move |_, _| {
            *dictionary.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
            Box::pin(async { Ok(()) })
        })
    }

    pub(super) fn entries(&self) -> Arc<Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Entries {
    /// Looks the numbers up, and asks for those that are not known on the connection that the rows came from.
    pub(super) async fn names(&self, numbers: Numbers, connection: &mut PgConnection) -> Result<Names, ReadError> {
        const STREAMS: &str = "SELECT id, aggregate_type, aggregate_id FROM streams WHERE id = ANY($1)";
        const SCOPES: &str = "SELECT id, scope FROM scopes WHERE id = ANY($1)";
        const TYPES: &str = "SELECT id, name, version FROM event_types WHERE id = ANY($1)";
        const METADATA: &str = "SELECT id, json FROM metadata WHERE id = ANY($1)";
        let (mut streams, absent) = self.streams.get(numbers.streams);
        if !absent.is_empty() {
            let rows: Vec<(i32, String, String)> = sqlx::query_as(STREAMS).bind(absent).fetch_all(&mut *connection).await?;
            let stream =
                |(id, aggregate_type, aggregate_id): (_, String, String)| (id, StreamId::new(aggregate_type, aggregate_id));
            self.streams.put(&mut streams, rows.into_iter().map(stream));
        }
        let (mut scopes, absent) = self.scopes.get(numbers.scopes);
        if !absent.is_empty() {
            let rows: Vec<(i32, Uuid)> = sqlx::query_as(SCOPES).bind(absent).fetch_all(&mut *connection).await?;
            self.scopes.put(&mut scopes, rows);
        }
        let (mut types, absent) = self.types.get(numbers.types);
        if !absent.is_empty() {
            let rows: Vec<(i32, String, String)> = sqlx::query_as(TYPES).bind(absent).fetch_all(&mut *connection).await?;
            self.types.put(&mut types, rows.into_iter().map(|(id, name, version)| (id, (name.into(), version.into()))));
        }
        let (mut metadata, absent) = self.metadata.get(numbers.metadata);
        if !absent.is_empty() {
            let rows: Vec<(i32, String)> = sqlx::query_as(METADATA).bind(absent).fetch_all(&mut *connection).await?;
            self.metadata.put(&mut metadata, rows.into_iter().map(|(id, json)| (id, json.into())));
        }
        Ok(Names { streams, scopes, types, metadata })
    }
}

impl<N> Default for Kind<N> {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(LIMIT)))
    }
}

impl<N: Clone> Kind<N> {
    /// What is known of the numbers, and which are not.
    fn get(&self, mut numbers: Vec<i32>) -> (HashMap<i32, N>, Vec<i32>) {
        numbers.sort_unstable();
        numbers.dedup();
        let mut found = HashMap::with_capacity(numbers.len());
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.retain(|number| match entries.get(number) {
            Some(name) => {
                found.insert(*number, name.clone());
                false
            }
            None => true,
        });
        (found, numbers)
    }

    fn put(&self, found: &mut HashMap<i32, N>, names: impl IntoIterator<Item = (i32, N)>) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, name) in names {
            entries.put(number, name.clone());
            found.insert(number, name);
        }
    }
}
