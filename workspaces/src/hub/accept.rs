//! Daemons that dial in: who they are, their hello, their heartbeats, their end.

use super::connections::Connections;
use crate::registry::Registry;
use docket_domain::ids::WorkspaceId;
use docket_wire::{
    hello::{self, CLOSE_REFUSED, HEARTBEAT, Hello, HelloAnswer},
    limits::SECRET_BYTES,
};
use iroh::{
    Endpoint,
    endpoint::{Connection, Incoming, RecvStream, SendStream, VarInt},
};
use std::{io, sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

const HELLO: Duration = Duration::from_secs(10);
const BEAT: Duration = Duration::from_secs(5);

/// Accepts until the hub ends.
pub(super) async fn run(
    endpoint: Endpoint,
    registry: Arc<dyn Registry>,
    connections: Arc<Connections>,
    ending: CancellationToken,
) {
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            () = ending.cancelled() => return,
        };
        let Some(incoming) = incoming else { return };
        let (registry, connections) = (Arc::clone(&registry), Arc::clone(&connections));
        tokio::spawn(async move {
            match tokio::time::timeout(HELLO, welcome(incoming, &*registry, &connections)).await {
                Ok(Ok((workspace, connection))) => attend(workspace, &connection, &connections).await,
                Ok(Err(error)) => tracing::info!(%error, "a daemon was not accepted"),
                Err(_) => tracing::info!("a daemon did not say hello in time"),
            }
        });
    }
}

async fn welcome(
    incoming: Incoming,
    registry: &dyn Registry,
    connections: &Connections,
) -> io::Result<(WorkspaceId, Connection)> {
    let connection = incoming.await.map_err(io::Error::other)?;
    let (mut send, mut receive) = connection.accept_bi().await?;
    let said: Hello = hello::receive(&mut receive).await?;
    let workspace = match registry.workspace_of(&hex::encode(connection.remote_id().as_bytes())).await {
        Some(workspace) if said.run.len() <= SECRET_BYTES => workspace,
        _ => {
            let answer = HelloAnswer { accepted: false, message: "the key is not enrolled".to_owned() };
            hello::send(&mut send, &answer).await?;
            send.shutdown().await?;
            // The answer has to arrive before the connection goes.
            let _ = tokio::time::timeout(BEAT, send.stopped()).await;
            connection.close(VarInt::from_u32(CLOSE_REFUSED), b"not enrolled");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the key is not enrolled"));
        }
    };
    connections.add(workspace, &connection, &said.run);
    hello::send(&mut send, &HelloAnswer { accepted: true, message: String::new() }).await?;
    send.shutdown().await?;
    tracing::info!(%workspace, version = said.version, "a daemon is connected");
    Ok((workspace, connection))
}

/// Answers heartbeats until the connection ends.
async fn attend(workspace: WorkspaceId, connection: &Connection, connections: &Connections) {
    loop {
        match connection.accept_bi().await {
            Ok((send, receive)) => match tokio::time::timeout(BEAT, beat(send, receive)).await {
                Ok(Ok(())) => connections.alive(workspace, connection),
                Ok(Err(error)) => tracing::debug!(%workspace, %error, "a heartbeat was not one"),
                Err(_) => tracing::debug!(%workspace, "a heartbeat took too long"),
            },
            Err(error) => {
                tracing::info!(%workspace, %error, "a daemon's connection ended");
                return connections.remove(workspace, connection, &error.to_string());
            }
        }
    }
}

async fn beat(mut send: SendStream, mut receive: RecvStream) -> io::Result<()> {
    if receive.read_u8().await? != HEARTBEAT {
        return Err(io::ErrorKind::InvalidData.into());
    }
    send.write_all(&[HEARTBEAT]).await?;
    send.shutdown().await
}
