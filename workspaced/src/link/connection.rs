//! One connection: the hello, the streams that the control plane opens, and the watch over it.

use super::{Link, pulse::Pulse, refused};
use crate::stream;
use docket_wire::{
    endpoint::ALPN,
    hello::{self, CLOSE_LEAVING, Hello, HelloAnswer},
};
use iroh::{
    Endpoint, EndpointAddr,
    endpoint::{Connection, VarInt},
};
use std::time::{Duration, Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const CONNECT: Duration = Duration::from_secs(5);

/// How a connection, or the attempt at one, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// By the daemon's own end.
    Told,
    /// There was one, and it is lost: dial again now.
    Lost,
    /// There was none.
    Failed,
    /// The control plane does not want this daemon now.
    Refused,
    /// The control plane will not want this daemon any more.
    Deleted,
}

/// Connects and serves until the connection is lost or has to be left.
pub(super) async fn serve(
    link: &Link,
    endpoint: &Endpoint,
    peer: EndpointAddr,
    instance: &str,
    heard: &mut Instant,
    stop: &CancellationToken,
) -> Left {
    let connection = match tokio::time::timeout(CONNECT, connect(link, endpoint, peer)).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            tracing::warn!(error = format!("{error:#}"), "the tunnel could not be opened");
            return Left::Failed;
        }
        Err(_) => {
            tracing::warn!("the tunnel could not be opened in time");
            return Left::Failed;
        }
    };
    tracing::info!("connected");
    let streams = TaskTracker::new();
    let ending = CancellationToken::new();
    let pulse = Pulse::new(&link.enrolment, instance);
    let left = tokio::select! {
        () = accept(link, &connection, &streams, &ending) => Left::Lost,
        lost = pulse.watch(endpoint, &connection, heard) => lost.map_or(Left::Lost, |error| refused(&error)),
        () = stop.cancelled() => Left::Told,
    };
    tracing::info!(?left, reason = ?connection.close_reason(), "the connection ends");
    connection.close(VarInt::from_u32(CLOSE_LEAVING), b"leaving");
    // Streams hold the connection, and with it the endpoint.
    ending.cancel();
    streams.close();
    streams.wait().await;
    left
}

async fn connect(link: &Link, endpoint: &Endpoint, peer: EndpointAddr) -> anyhow::Result<Connection> {
    let connection = endpoint.connect(peer, ALPN).await?;
    let (mut send, mut receive) = connection.open_bi().await?;
    let hello = Hello { version: env!("CARGO_PKG_VERSION").to_owned(), run: link.enrolment.run().to_owned() };
    hello::send(&mut send, &hello).await?;
    let answer: HelloAnswer = hello::receive(&mut receive).await?;
    anyhow::ensure!(answer.accepted, "refused: {}", answer.message);
    Ok(connection)
}

async fn accept(link: &Link, connection: &Connection, streams: &TaskTracker, ending: &CancellationToken) {
    while let Ok((send, receive)) = connection.accept_bi().await {
        let (router, ending) = (link.router.clone(), ending.clone());
        streams.spawn(async move {
            tokio::select! {
                served = stream::serve(tokio::io::join(receive, send), router) => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "a stream ended early");
                    }
                }
                () = ending.cancelled() => {}
            }
        });
    }
}
