//! Where segments and backups lie: a folder, or an S3-compatible store.

use super::error::StoreError;
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload, local::LocalFileSystem, path::Path, prefix::PrefixStore};
use std::{fmt, ops::Range, path::PathBuf, sync::Arc};

/// A place for files that are written once. Cheap to clone.
#[derive(Clone)]
pub struct FileStore {
    store: Arc<dyn ObjectStore>,
    shown: Arc<str>,
}

impl FileStore {
    /// A folder by its path, made if need be and closed to others; or `s3://BUCKET/PREFIX`, whose keys, region and endpoint are taken
    /// from the usual `AWS_…` variables.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] for any other URL; [`StoreError::Storage`] when the folder cannot be made.
    pub fn open(place: &str) -> Result<Self, StoreError> {
        match place.split_once("://") {
            None => Self::folder(place.strip_prefix("file:").unwrap_or(place).into()),
            Some(("file", path)) => Self::folder(path.into()),
            Some(("s3", path)) => Self::s3(place, path),
            Some(_) => Err(StoreError::Unsupported(place.to_owned())),
        }
    }

    /// A folder.
    ///
    /// # Errors
    /// [`StoreError::Storage`] when it cannot be made.
    pub fn folder(path: PathBuf) -> Result<Self, StoreError> {
        let failed =
            |error: &dyn fmt::Display| StoreError::Storage { place: path.display().to_string(), reason: error.to_string() };
        private_folder(&path).map_err(|error| failed(&error))?;
        let store = LocalFileSystem::new_with_prefix(&path).map_err(|error| failed(&error))?;
        // Whoever is told that a file is there deletes what it was made of.
        Ok(Self { store: Arc::new(store.with_fsync(true)), shown: path.display().to_string().into() })
    }

    /// A place in memory, for tests.
    #[must_use]
    pub fn memory() -> Self {
        Self { store: Arc::new(object_store::memory::InMemory::new()), shown: "memory".into() }
    }

    #[cfg(feature = "s3")]
    fn s3(place: &str, path: &str) -> Result<Self, StoreError> {
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let built = object_store::aws::AmazonS3Builder::from_env().with_bucket_name(bucket).build();
        let store = built.map_err(|error| StoreError::Storage { place: place.to_owned(), reason: error.to_string() })?;
        Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)), shown: place.into() })
    }

    #[cfg(not(feature = "s3"))]
    fn s3(place: &str, _path: &str) -> Result<Self, StoreError> {
        Err(StoreError::Unsupported(place.to_owned()))
    }

    /// A folder in this place.
    #[must_use]
    pub fn within(&self, folder: &str) -> Self {
        Self { store: Arc::new(PrefixStore::new(self.store.clone(), folder)), shown: format!("{}/{folder}", self.shown).into() }
    }

    /// Writes a file, durably, in place of one of this name. A reader sees all of it or nothing.
    pub(crate) async fn put(&self, name: &str, bytes: impl Into<Bytes>) -> Result<(), StoreError> {
        let payload = PutPayload::from_bytes(bytes.into());
        let put = self.store.put_opts(&Path::from(name), payload, PutMode::Overwrite.into()).await;
        put.map(|_| ()).map_err(|error| self.failed(&error))
    }

    pub(crate) async fn get(&self, name: &str) -> Result<Bytes, StoreError> {
        let got = self.store.get(&Path::from(name)).await.map_err(|error| self.failed(&error))?;
        got.bytes().await.map_err(|error| self.failed(&error))
    }

    pub(crate) async fn get_part(&self, name: &str, part: Range<u64>) -> Result<Bytes, StoreError> {
        self.store.get_range(&Path::from(name), part).await.map_err(|error| self.failed(&error))
    }

    /// All files' names, in order.
    pub(crate) async fn names(&self) -> Result<Vec<String>, StoreError> {
        let found: Vec<_> = self.store.list(None).try_collect().await.map_err(|error| self.failed(&error))?;
        let mut names: Vec<String> = found.into_iter().map(|meta| meta.location.to_string()).collect();
        names.sort_unstable();
        Ok(names)
    }

    pub(crate) async fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.store.delete(&Path::from(name)).await.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &object_store::Error) -> StoreError {
        let place = self.shown.to_string();
        match error {
            object_store::Error::NotFound { path, .. } => StoreError::NotFound { place, name: path.clone() },
            error => StoreError::Storage { place, reason: error.to_string() },
        }
    }
}

impl fmt::Display for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileStore({})", self.shown)
    }
}

/// Makes a folder that nobody else can look into.
fn private_folder(path: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}
