//! The connections that read: a few, each lent to one caller at a time, on a thread where it may wait for the disk.

use super::{connection, referred::Referred};
use crate::error::ReadError;
use rusqlite::Connection;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Semaphore;

/// Reads at the same time; more wait for their turn.
const READERS: u32 = 4;

#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    idle: Mutex<Vec<Reading>>,
    places: Arc<Semaphore>,
}

/// A connection, and what it remembers.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) connection: Connection,
    pub(crate) referred: Referred,
}

impl Pool {
    pub(crate) fn new(path: PathBuf) -> Self {
        let places = Arc::new(Semaphore::new(READERS as usize));
        Self(Arc::new(Inner { path, idle: Mutex::default(), places }))
    }

    /// Lends a connection. One with which something failed is not used again.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Reading) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let place = self.0.places.clone().acquire_owned().await.map_err(|_| ReadError::Closed)?;
        let pool = self.0.clone();
        let lent = move || {
            // Given back last, when the connection is there again.
            let _place = place;
            let idle = pool.idle().pop();
            let mut reading = match idle {
                Some(reading) => reading,
                None => Reading { connection: connection::reading(&pool.path)?, referred: Referred::default() },
            };
            let done = read(&mut reading)?;
            pool.idle().push(reading);
            Ok(done)
        };
        tokio::task::spawn_blocking(lent).await.unwrap_or_else(|error| Err(ReadError::damaged(error.to_string())))
    }

    /// Waits for the reads that run; there are no more then.
    pub(crate) async fn close(&self) {
        let all = self.0.places.acquire_many(READERS).await;
        self.0.places.close();
        drop(all);
        self.0.idle().clear();
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<Reading>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
