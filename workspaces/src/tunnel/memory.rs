//! A tunnel within the process, for tests: every opened stream comes out at the other end.

use super::{BoxIo, Tunnel, TunnelError, TunnelInfo, begin};
use crate::PathKind;
use async_trait::async_trait;
use docket_wire::preface::Kind;
use tokio::{io::DuplexStream, sync::mpsc};

const BUFFER: usize = 64 * 1024;

/// The control plane's end.
#[derive(Debug)]
pub struct MemoryTunnel(mpsc::Sender<DuplexStream>);

/// A tunnel, and the streams that come out of it.
#[must_use]
pub fn tunnel() -> (MemoryTunnel, mpsc::Receiver<DuplexStream>) {
    let (sender, receiver) = mpsc::channel(16);
    (MemoryTunnel(sender), receiver)
}

#[async_trait]
impl Tunnel for MemoryTunnel {
    async fn open(&self, kind: Kind, head: &[u8]) -> Result<BoxIo, TunnelError> {
        let (near, far) = tokio::io::duplex(BUFFER);
        self.0.send(far).await.map_err(|_| TunnelError::Lost("the other end is gone".to_owned()))?;
        begin(Box::new(near), kind, head).await
    }

    fn info(&self) -> TunnelInfo {
        TunnelInfo { path: PathKind::Direct, rtt: None }
    }

    async fn closed(&self) -> String {
        self.0.closed().await;
        "the other end is gone".to_owned()
    }
}
