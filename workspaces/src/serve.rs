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

/// Connections beyond the limit that are told so at one time; more wait in the listener's queue.
const REFUSALS: usize = 64;
/// How long one of them has to send its request.
const REFUSED: Duration = Duration::from_secs(5);
/// What a connection holds at most of what its client has not taken yet, or of a request that is still coming, beside one piece of
/// each. Enough for the head of any request.
const BUFFER: usize = 64 * 1024;
/// For the head of a request, also on a connection that is kept alive.
const HEADERS: Duration = Duration::from_secs(60);
/// How long requests under way may go on after the shutdown began.
const DRAIN: Duration = Duration::from_secs(5);
/// After a failed accept, which is nearly always for want of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// How many may connect, and what the others are told.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Connections at one time.
    pub connections: usize,
    /// The answer to a request on one more.
    pub beyond: fn() -> Response<Body>,
}

/// Serves until `shutdown` fires; then requests under way have a bounded time to end. Streams that never end of their own
/// accord should watch the same token.
///
/// Requests carry the peer's address as [`ConnectInfo<SocketAddr>`].
///
/// # Errors
/// When the listener is not one.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    hub: Arc<Hub>,
    limit: Limit,
    shutdown: CancellationToken,
) -> io::Result<()> {
    listener.local_addr()?;
    let places = Arc::new(Semaphore::new(limit.connections));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &refusals) => accepted,
            () = shutdown.cancelled() => break,
        };
        let Some((stream, peer, refusal)) = accepted else { continue };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            let shutdown = shutdown.clone();
            connections.spawn(async move {
                tokio::select! {
                    () = refuse(stream, limit.beyond) => {}
                    () = shutdown.cancelled() => {}
                }
                drop(refusal);
            });
            continue;
        };
        drop(refusal);
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
    refusals: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    // Whether there is a place for it will be seen; that it can be refused is certain.
    let refusal = Arc::clone(refusals).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, refusal)),
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
        .max_buf_size(BUFFER)
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

/// Answers one request, whatever it is.
async fn refuse(stream: TcpStream, answer: fn() -> Response<Body>) {
    let service = service_fn(|_: Request<Incoming>| std::future::ready(Ok::<_, Infallible>(answer())));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REFUSED)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Who does not take the answer in time does not get it.
    let _ = tokio::time::timeout(2 * REFUSED, serving).await;
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
