//! A log that is read beside whoever writes it.

use crate::{
    backend::{Reader, SegmentTables},
    database_url::DatabaseUrl,
    error::{OpenError, ReadError},
    filter::Filter,
    page::Page,
    postgres,
    segments::{FileStore, Sealed, Segment, VerifyReport},
    sqlite,
};

/// A log opened to be read only, also while a server has it: nothing is locked, migrated or written.
#[derive(Debug)]
pub struct ReadOnly {
    pub(crate) reader: Reader,
    sealed: Sealed,
}

impl ReadOnly {
    /// Opens a log that is there. `segments` is the place of its segments, if it has any.
    ///
    /// # Errors
    /// [`OpenError`] when there is none, or the database does not answer.
    pub async fn open(url: &DatabaseUrl, segments: Option<FileStore>) -> Result<Self, OpenError> {
        let (reader, tables) = match url {
            DatabaseUrl::Sqlite(path) => {
                // Without this SQLite would name its own number for it.
                std::fs::metadata(path).map_err(|source| OpenError::File { path: path.clone(), source })?;
                (Reader::Sqlite(sqlite::read_only(path)), SegmentTables::Sqlite(sqlite::Segments::new(path.clone())))
            }
            DatabaseUrl::Postgres(url) => {
                let (reader, segments) = postgres::read_only(url).await?;
                (Reader::Postgres(reader), SegmentTables::Postgres(segments))
            }
            DatabaseUrl::Kurrentdb(_) => return Err(OpenError::Unsuitable("KurrentDB has tools of its own for this".into())),
        };
        Ok(Self { reader, sealed: Sealed::new(tables, segments) })
    }

    /// The newest position, 0 for an empty log.
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer.
    pub async fn head(&self) -> Result<u64, ReadError> {
        match &self.reader {
            Reader::Sqlite(reader) => reader.newest().await,
            Reader::Postgres(reader) => reader.head().await,
            #[cfg(feature = "kurrentdb")]
            Reader::Kurrent(reader) => reader.head().await,
        }
    }

    /// The events in (after, through], in order, at most `limit` (at least 1). Fewer may come, even none, before `through`: read on
    /// after [`Page::through`].
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer, [`ReadError::Segment`] when the place of segments does not.
    pub async fn read(&self, after: u64, through: u64, limit: usize) -> Result<Page, ReadError> {
        let rows = self.sealed.all(&self.reader, after, through, &Filter::all(), limit.max(1)).await?;
        let last = rows.events.last().map_or(after, |event| event.position);
        Ok(Page { through: if rows.complete { through } else { last }, events: rows.events })
    }

    /// The recorded segments, in the order in which they were made.
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer.
    pub async fn segments(&self) -> Result<Vec<Segment>, ReadError> {
        self.sealed.list().await
    }

    /// Reads every segment and checks it; `progress` hears how many of how many are done.
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer, or the files in the place of segments cannot be listed.
    pub async fn verify_segments(&self, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<VerifyReport, ReadError> {
        self.sealed.verify(progress).await
    }

    /// Lets the database go.
    pub async fn close(&self) {
        self.reader.close().await;
    }
}
