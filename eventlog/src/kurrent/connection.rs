//! The client of KurrentDB, and another one when it has given up.

use super::ANSWER_TIMEOUT;
use crate::error::{OpenError, ReadError};
use eventstore::{Client, ClientSettings, ReadStream, ReadStreamOptions, RecordedEvent, StreamPosition};
use futures_util::{Stream, TryStreamExt, stream};
use rustls::crypto::CryptoProvider;
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};
use tokio::{sync::OnceCell, time::timeout};

/// Whether the client has installed its provider of cryptography.
static CLAIMED: OnceCell<()> = OnceCell::const_new();

/// Lets the client install its provider of cryptography as the process's own. It panics in a task of its own when there already is
/// one, so whoever installs another has to call this first; a second call does nothing.
///
/// # Errors
/// When somebody else was first.
pub(crate) async fn claim_cryptography() -> Result<(), OpenError> {
    CLAIMED.get_or_try_init(claim).await.copied()
}

async fn claim() -> Result<(), OpenError> {
    let taken = || OpenError::Unsuitable("its client must install its provider of cryptography before any other".into());
    if CryptoProvider::get_default().is_some() {
        return Err(taken());
    }
    // A client that asks nobody: one attempt is the one that it begins with.
    let client = client(&settings("esdb://localhost?tls=false&maxDiscoverAttempts=1")?)?;
    let _ = client.server_info().await;
    CryptoProvider::get_default().map(|_| ()).ok_or_else(taken)
}

pub(super) struct Connection {
    settings: ClientSettings,
    client: Mutex<Client>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The settings hold a password.
        f.debug_struct("Connection").field("hosts", self.settings.hosts()).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) async fn new(url: &str) -> Result<Self, OpenError> {
        claim_cryptography().await?;
        let settings = settings(url)?;
        Ok(Self { client: Mutex::new(client(&settings)?), settings })
    }

    pub(super) fn client(&self) -> Client {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What an error means to a reader. A client that could not find a node has ended for good; then there is a new one.
    pub(super) fn failed(&self, error: &eventstore::Error) -> ReadError {
        if let eventstore::Error::ConnectionClosed | eventstore::Error::GrpcConnectionError(_) = error
            && let Ok(new) = client(&self.settings)
        {
            *self.client.lock().unwrap_or_else(PoisonError::into_inner) = new;
        }
        ReadError::Storage { reason: error.to_string() }
    }

    /// Events of a stream from a revision on, at most so many; none of a stream that does not exist.
    pub(super) async fn read_stream(
        &self,
        name: &str,
        from: u64,
        count: usize,
    ) -> Result<impl Stream<Item = Result<RecordedEvent, ReadError>>, ReadError> {
        self.read(name, ReadStreamOptions::default().position(StreamPosition::Position(from)).max_count(count)).await
    }

    /// The event of a stream at a revision.
    pub(super) async fn event(&self, name: &str, revision: u64) -> Result<Option<RecordedEvent>, ReadError> {
        Box::pin(self.read_stream(name, revision, 1).await?).try_next().await
    }

    /// The newest event of a stream.
    pub(super) async fn last(&self, name: &str) -> Result<Option<RecordedEvent>, ReadError> {
        let options = ReadStreamOptions::default().backwards().position(StreamPosition::End).max_count(1);
        Box::pin(self.read(name, options).await?).try_next().await
    }

    async fn read(
        &self,
        name: &str,
        options: ReadStreamOptions,
    ) -> Result<impl Stream<Item = Result<RecordedEvent, ReadError>>, ReadError> {
        let client = self.client();
        let read = match timeout(ANSWER_TIMEOUT, client.read_stream(name, &options)).await {
            Ok(Ok(read)) => Some(read),
            Ok(Err(eventstore::Error::ResourceNotFound)) => None,
            Ok(Err(error)) => return Err(self.failed(&error)),
            Err(_) => return Err(silent()),
        };
        Ok(stream::try_unfold(read, |read| self.next(read)))
    }

    async fn next(&self, read: Option<ReadStream>) -> Result<Option<(RecordedEvent, Option<ReadStream>)>, ReadError> {
        let Some(mut read) = read else { return Ok(None) };
        match timeout(ANSWER_TIMEOUT, read.next()).await {
            Ok(Ok(Some(mut resolved))) => Ok(resolved.event.take().map(|event| (event, Some(read)))),
            Ok(Ok(None) | Err(eventstore::Error::ResourceNotFound)) => Ok(None),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(silent()),
        }
    }
}

pub(super) fn silent() -> ReadError {
    ReadError::Storage { reason: "no answer in time".into() }
}

fn client(settings: &ClientSettings) -> Result<Client, OpenError> {
    Client::new(settings.clone()).map_err(|error| OpenError::Unsuitable(error.to_string()))
}

/// The client knows the database by its older name.
fn settings(url: &str) -> Result<ClientSettings, OpenError> {
    let url = url.strip_prefix("kurrentdb").map_or_else(|| url.to_owned(), |rest| format!("esdb{rest}"));
    // What the client says of a URL that it cannot read is the URL, with its password.
    url.parse().map_err(|_| OpenError::Unsuitable("its connection string cannot be read".into()))
}
