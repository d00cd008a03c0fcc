//! The control plane's one port: the relay's paths go to the relay, all others to the router.

use crate::Hub;
use axum::{Router, body::Body, extract::ConnectInfo};
use http::{Method, Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use iroh_relay::{
    http::{RELAY_PATH, RELAY_PROBE_PATH},
    server::{http_server::RelayServiceWithNotify, streams::MaybeTlsStream},
};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// Connections at one time; more wait in the listener's queue.
const CONNECTIONS: usize = 8_192;
/// For the head of a request, also on a connection that is kept alive.
const HEADERS: Duration = Duration::from_secs(60);
/// How long requests under way may go on after the shutdown began.
const DRAIN: Duration = Duration::from_secs(5);
/// After a failed accept, which is nearly always for want of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` fires; then requests under way have a bounded time to end. Streams that never end of their own
/// accord should watch the same token.
///
/// Requests carry the peer's address as [`ConnectInfo<SocketAddr>`].
///
/// # Errors
/// When the listener is not one.
pub async fn serve(listener: TcpListener, router: Router, hub: Arc<Hub>, shutdown: CancellationToken) -> io::Result<()> {
    listener.local_addr()?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = shutdown.cancelled() => break,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let (router, hub, shutdown, abort) = (router.clone(), Arc::clone(&hub), shutdown.clone(), abort.clone());
        connections.spawn(async move {
            tokio::select! {
                () = connection(stream, peer, router, &hub, &shutdown) => {}
                () = abort.cancelled() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        abort.cancel();
        connections.wait().await;
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, hub: &Arc<Hub>, shutdown: &CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| dispatch(request, peer, router.clone(), Arc::clone(hub)));
    // The relay takes the connection out of this very wrapper when it is upgraded; any other would be refused then.
    let io = TokioIo::new(MaybeTlsStream::Plain(stream));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(io, service)
        .with_upgrades();
    tokio::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

async fn dispatch(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    router: Router,
    hub: Arc<Hub>,
) -> Result<Response<Body>, Infallible> {
    match request.uri().path() {
        RELAY_PATH => {
            let relay = RelayServiceWithNotify::new(hub.relay().clone(), Arc::new(Notify::new()));
            let response = hyper::service::Service::call(&relay, request).await;
            Ok(response.map_or_else(|_| status(StatusCode::BAD_REQUEST), |response| response.map(Body::new)))
        }
        RELAY_PROBE_PATH if matches!(*request.method(), Method::GET | Method::HEAD) => Ok(status(StatusCode::OK)),
        _ => {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.oneshot(request.map(Body::new)).await
        }
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
