//! A tunnel over a connection that a daemon made.

use super::{BoxIo, OPEN, Tunnel, TunnelError, TunnelInfo, begin};
use crate::PathKind;
use async_trait::async_trait;
use docket_wire::preface::Kind;
use iroh::endpoint::Connection;
use tokio::sync::watch;

/// Usable until it is lost, for good. A connection whose daemon was out of reach and came back is a new tunnel.
#[derive(Debug)]
pub(crate) struct IrohTunnel {
    connection: Connection,
    lost: watch::Sender<Option<String>>,
}

impl IrohTunnel {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, lost: watch::Sender::new(None) }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Ends everything that is under way in it.
    pub(crate) fn lose(&self, reason: &str) {
        self.lost.send_if_modified(|lost| {
            let first = lost.is_none();
            lost.get_or_insert_with(|| reason.to_owned());
            first
        });
    }
}

#[async_trait]
impl Tunnel for IrohTunnel {
    async fn open(&self, kind: Kind, head: &[u8]) -> Result<BoxIo, TunnelError> {
        if let Some(reason) = &*self.lost.borrow() {
            return Err(TunnelError::Lost(reason.clone()));
        }
        let opened = tokio::time::timeout(OPEN, self.connection.open_bi()).await;
        let (send, receive) = opened
            .map_err(|_| TunnelError::Lost("no stream could be opened in time".to_owned()))?
            .map_err(|error| TunnelError::Lost(error.to_string()))?;
        begin(Box::new(tokio::io::join(receive, send)), kind, head).await
    }

    fn info(&self) -> TunnelInfo {
        let paths = self.connection.paths();
        let selected = paths.iter().find(|path| path.is_selected());
        let direct = selected.as_ref().is_some_and(|path| !path.is_relay());
        let path = if direct { PathKind::Direct } else { PathKind::Relay };
        TunnelInfo { path, rtt: selected.map(|path| path.rtt()) }
    }

    async fn closed(&self) -> String {
        let mut lost = self.lost.subscribe();
        tokio::select! {
            error = self.connection.closed() => error.to_string(),
            reason = lost.wait_for(Option::is_some) => {
                reason.ok().and_then(|reason| reason.clone()).unwrap_or_default()
            }
        }
    }
}
