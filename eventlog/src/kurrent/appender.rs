//! The one stream of appends of this process. (A call for each append would wait 40 ms for the network to send its second half.)
//!
//! When the server refuses one append, the client ends the stream and answers none of the others that are under way: what became of
//! them is found out by asking.

use super::{ANSWER_TIMEOUT, connection::Connection};
use eventstore::{BatchAppendClient, BatchAppendOptions, EventData, ExpectedRevision};
use std::{fmt, sync::Arc};
use tokio::{sync::Mutex, time::timeout};

pub(super) struct Appender {
    connection: Arc<Connection>,
    session: Mutex<Option<Arc<BatchAppendClient>>>,
}

/// Why an append was not acknowledged.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The server refused it.
    Refused(String),
    /// It may have been done, or may be done still.
    Lost(String),
}

impl Failure {
    pub(super) fn reason(self) -> String {
        match self {
            Self::Refused(reason) | Self::Lost(reason) => reason,
        }
    }
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appender").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl Appender {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, session: Mutex::new(None) }
    }

    /// Begins a session unless there is one. Those who wait for it are served in their order.
    async fn session(&self) -> Result<Arc<BatchAppendClient>, Failure> {
        let mut session = self.session.lock().await;
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        let client = self.connection.client();
        let new = match timeout(ANSWER_TIMEOUT, client.batch_append(&BatchAppendOptions::default())).await {
            Ok(Ok(new)) => Arc::new(new),
            Ok(Err(error)) => return Err(Failure::Lost(self.connection.failed(&error).to_string())),
            Err(_) => return Err(Failure::Lost("no answer in time".into())),
        };
        Ok(session.insert(new).clone())
    }

    /// Appends to one stream; durable on the cluster's majority when it returns. Appends go out in the order of their first polls.
    pub(super) async fn append(&self, stream: &str, expected: ExpectedRevision, events: Vec<EventData>) -> Result<(), Failure> {
        let session = self.session().await?;
        let failure = match timeout(ANSWER_TIMEOUT, session.append_to_stream(stream, expected, events)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => failure(&self.connection, &error),
            Err(_) => Failure::Lost("no answer in time".into()),
        };
        self.end(&session).await;
        Err(failure)
    }

    /// Ends this session, if nobody has begun another meanwhile.
    async fn end(&self, session: &Arc<BatchAppendClient>) {
        let mut current = self.session.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            *current = None;
        }
    }

    /// Lets the server go.
    pub(super) async fn close(&self) {
        *self.session.lock().await = None;
    }
}

/// The server's answer to one append comes as a bare gRPC status; everything else is the connection's.
fn failure(connection: &Connection, error: &eventstore::Error) -> Failure {
    const CANCELLED: i32 = 1;
    const DEADLINE_EXCEEDED: i32 = 4;
    const UNAVAILABLE: i32 = 14;
    match error {
        eventstore::Error::Grpc { code, message } => match i32::from(*code) {
            CANCELLED | DEADLINE_EXCEEDED | UNAVAILABLE => Failure::Lost(format!("{message} (status {code:?})")),
            _ => Failure::Refused(format!("{message} (status {code:?})")),
        },
        eventstore::Error::AccessDenied | eventstore::Error::UnsupportedFeature => Failure::Refused(error.to_string()),
        error => Failure::Lost(connection.failed(error).to_string()),
    }
}
