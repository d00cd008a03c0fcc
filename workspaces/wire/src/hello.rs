//! The first stream of a connection, opened by the daemon, and the heartbeats that follow it.

use crate::limits::HELLO_BYTES;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a heartbeat consists of; the answer is the same byte.
pub const HEARTBEAT: u8 = b'.';

/// The connection was replaced by a newer one of the same workspace.
pub const CLOSE_REPLACED: u32 = 1;
/// The key is not enrolled (any more).
pub const CLOSE_REFUSED: u32 = 2;
/// The control plane is shutting down; it may be back soon.
pub const CLOSE_SHUTDOWN: u32 = 3;
/// The daemon ends or reconnects.
pub const CLOSE_LEAVING: u32 = 4;

/// The daemon's first message. Who it is was proved by the connection's handshake.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The daemon's version.
    pub version: String,
    /// As in the enrolment request.
    pub run: String,
}

/// The control plane's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HelloAnswer {
    /// Whether the control plane uses this connection.
    pub accepted: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Writes a message: its length as a big-endian u16, then JSON.
pub async fn send<W: AsyncWrite + Unpin, T: Serialize>(io: &mut W, message: &T) -> io::Result<()> {
    let body = serde_json::to_vec(message).map_err(io::Error::other)?;
    let length = u16::try_from(body.len()).map_err(|_| io::Error::other("the message is too long"))?;
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(&body).await?;
    io.flush().await
}

/// Reads a message of at most [`HELLO_BYTES`].
pub async fn receive<R: AsyncRead + Unpin, T: DeserializeOwned>(io: &mut R) -> io::Result<T> {
    let length = usize::from(io.read_u16().await?);
    if length > HELLO_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes; at most {HELLO_BYTES}")));
    }
    let mut body = vec![0; length];
    io.read_exact(&mut body).await?;
    serde_json::from_slice(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
