//! A way into one workspace, whatever carries it.

pub mod iroh;
pub mod memory;

use crate::PathKind;
use async_trait::async_trait;
use docket_wire::preface::{self, Kind};
use std::{io, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};

/// For the first bytes of a stream.
const OPEN: Duration = Duration::from_secs(5);

/// A stream of bytes to and from a daemon.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// See [`Io`].
pub type BoxIo = Box<dyn Io>;

/// What is known of a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelInfo {
    /// The way that traffic takes now.
    pub path: PathKind,
    /// Round trip on it, where measured.
    pub rtt: Option<Duration>,
}

/// Why a stream could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The tunnel is not there any more.
    #[error("the tunnel is lost: {0}")]
    Lost(String),
    /// The daemon does not offer streams of this kind.
    #[error("{0}")]
    Refused(String),
}

/// A way into one workspace.
#[async_trait]
pub trait Tunnel: Send + Sync + std::fmt::Debug {
    /// Opens a stream. It can be used at once.
    async fn open(&self, kind: Kind, head: &[u8]) -> Result<BoxIo, TunnelError>;

    /// What is known of it now.
    fn info(&self) -> TunnelInfo;

    /// Returns, with the reason, when the tunnel cannot be used any more. Whoever needs one asks for a new one.
    async fn closed(&self) -> String;
}

/// Says what a fresh stream is for, and hears the daemon's consent where it takes one.
pub(crate) async fn begin(mut io: BoxIo, kind: Kind, head: &[u8]) -> Result<BoxIo, TunnelError> {
    let exchange = async {
        preface::send(&mut io, kind, head).await?;
        if kind == Kind::Http { Ok(Ok(())) } else { preface::receive_status(&mut io).await }
    };
    let status: io::Result<_> =
        tokio::time::timeout(OPEN, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match status {
        Ok(Ok(())) => Ok(io),
        Ok(Err(message)) => Err(TunnelError::Refused(message)),
        Err(error) => Err(TunnelError::Lost(error.to_string())),
    }
}
