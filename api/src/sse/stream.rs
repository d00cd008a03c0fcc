//! The one function behind every stream.

use super::{
    frame::{event_frame, named_frame},
    visible::Visible,
};
use crate::state::AppState;
use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use docket_eventlog::{Filter, ReadError, Subscription};
use futures_util::stream;
use std::{convert::Infallible, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const HEARTBEAT: Duration = Duration::from_secs(15);

/// What a stream carries, and from where on.
#[derive(Debug)]
pub struct Source {
    /// Frames that come before the first event.
    pub opening: Vec<u8>,
    pub after: u64,
    pub filter: Filter,
    /// The stream ends when everything up to here was sent.
    pub until: Option<u64>,
    /// Chooses among the events that the filter lets through; all of them, where there is none.
    pub keep: Option<Visible>,
}

struct Reader {
    opening: Option<Vec<u8>>,
    subscription: Subscription,
    until: Option<u64>,
    keep: Option<Visible>,
    heartbeat: Instant,
    ending: CancellationToken,
    ended: bool,
}

/// Streams the source until the client leaves or the server ends.
pub fn respond(state: &AppState, source: Source) -> Response {
    let mut opening = b"retry: 1000\n\n".to_vec();
    opening.extend(source.opening);
    let reader = Reader {
        opening: Some(opening),
        subscription: state.control.log.subscribe(source.after, source.filter),
        until: source.until,
        keep: source.keep,
        heartbeat: Instant::now() + HEARTBEAT,
        ending: state.ending.clone(),
        ended: false,
    };
    let body = stream::unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), reader))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Reader {
    /// The next bytes. Called only when the client has taken the last ones.
    async fn next(&mut self) -> Option<Vec<u8>> {
        let next = self.frames().await;
        self.heartbeat = Instant::now() + HEARTBEAT;
        next
    }

    async fn frames(&mut self) -> Option<Vec<u8>> {
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        if self.ended {
            return None;
        }
        loop {
            if self.until.is_some_and(|until| self.subscription.position() >= until) {
                return None;
            }
            let batch = tokio::select! {
                biased;
                () = self.ending.cancelled() => return Some(self.end("shutdown", "the server is shutting down")),
                batch = self.subscription.next() => batch,
                () = tokio::time::sleep_until(self.heartbeat) => return Some(b": heartbeat\n\n".to_vec()),
            };
            match batch {
                Ok(batch) => {
                    let mut frames = Vec::new();
                    let until = self.until.unwrap_or(u64::MAX);
                    for event in batch.events.iter().filter(|event| event.position <= until) {
                        let kept = match &mut self.keep {
                            None => Ok(true),
                            Some(visible) => visible.shows(event).await,
                        };
                        match kept {
                            Ok(true) => event_frame(event, &mut frames),
                            Ok(false) => {}
                            Err(error) => {
                                tracing::error!(%error, "a stream cannot read the log");
                                return Some(self.end("error", "the log cannot be read at the moment; connect again"));
                            }
                        }
                    }
                    if !frames.is_empty() {
                        return Some(frames);
                    }
                }
                Err(ReadError::Closed) => return Some(self.end("shutdown", "the server is shutting down")),
                Err(error) => {
                    tracing::error!(%error, "a stream cannot read the log");
                    return Some(self.end("error", "the log cannot be read at the moment; connect again"));
                }
            }
        }
    }

    fn end(&mut self, name: &str, reason: &str) -> Vec<u8> {
        self.ended = true;
        let mut frame = Vec::new();
        named_frame(name, None, &serde_json::json!({ "reason": reason }), &mut frame);
        frame
    }
}
