//! One stream of the tunnel, opened by the control plane.

use axum::Router;
use docket_wire::preface::{self, Kind};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{io, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};

const PREFACE: Duration = Duration::from_secs(5);
const HEADERS: Duration = Duration::from_secs(30);

/// Reads what the stream is for, and serves it to its end.
pub async fn serve<S>(mut io: S, router: Router) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let preface = tokio::time::timeout(PREFACE, preface::receive(&mut io)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    match preface.kind {
        Some(Kind::Http) => hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .serve_connection(TokioIo::new(io), TowerToHyperService::new(router))
            .with_upgrades()
            .await
            .map_err(io::Error::other),
        Some(kind) => preface::send_status(&mut io, Err(&format!("this daemon does not offer streams of kind {kind:?}"))).await,
        None => {
            let byte = preface.byte.escape_ascii();
            preface::send_status(&mut io, Err(&format!("this daemon does not know streams of kind '{byte}'"))).await
        }
    }
}
