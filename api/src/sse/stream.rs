//! The one function behind every stream.

use super::{
    frame::{event_frame, named_frame},
    heartbeat::Heartbeat,
    visible::Visible,
};
use crate::state::AppState;
use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use docket_eventlog::{Filter, ReadError, Recorded, Subscription};
use futures_util::stream;
use std::{convert::Infallible, pin::Pin, sync::Arc};
use tokio_util::sync::WaitForCancellationFutureOwned;

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
    opening: Option<Bytes>,
    subscription: Subscription,
    until: Option<u64>,
    keep: Option<Visible>,
    heartbeat: Heartbeat,
    ending: Pin<Box<WaitForCancellationFutureOwned>>,
    ended: bool,
}

/// Streams the source until the client leaves or the server ends.
pub fn respond(state: &AppState, source: Source) -> Response {
    let mut opening = b"retry: 1000\n\n".to_vec();
    opening.extend(source.opening);
    let log = &state.control.log;
    let reader = Reader {
        opening: Some(opening.into()),
        // One that ends at a position has to hear that the log has come there, whoever's events these are.
        subscription: match source.until {
            Some(_) => log.subscribe(source.after, source.filter),
            None => log.follow(source.after, source.filter),
        },
        until: source.until,
        keep: source.keep,
        heartbeat: Heartbeat::new(),
        ending: Box::pin(state.ending.clone().cancelled_owned()),
        ended: false,
    };
    let body = stream::unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Some((Ok::<_, Infallible>(chunk), reader))
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
    async fn next(&mut self) -> Option<Bytes> {
        let next = self.chunk().await;
        self.heartbeat.sent();
        next
    }

    async fn chunk(&mut self) -> Option<Bytes> {
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
                () = self.ending.as_mut() => return Some(self.end("shutdown", "the server is shutting down")),
                batch = self.subscription.next() => batch,
                () = self.heartbeat.due() => return Some(Bytes::from_static(b": heartbeat\n\n")),
            };
            let frames = match batch {
                Ok(batch) => self.frames(&batch.events).await,
                Err(error) => Err(error),
            };
            match frames {
                Ok(frames) if frames.is_empty() => {}
                Ok(frames) => return Some(frames),
                Err(ReadError::Closed) => return Some(self.end("shutdown", "the server is shutting down")),
                Err(error) => {
                    tracing::error!(%error, "a stream cannot read the log");
                    return Some(self.end("error", "the log cannot be read at the moment; connect again"));
                }
            }
        }
    }

    /// What is shown of the events. A single one, as it is when they trickle, goes out as the bytes that all its readers share.
    async fn frames(&mut self, events: &[Arc<Recorded>]) -> Result<Bytes, ReadError> {
        let (mut only, mut several) = (Bytes::new(), Vec::new());
        for event in events {
            if self.until.is_some_and(|until| event.position > until) {
                break;
            }
            if let Some(visible) = &mut self.keep
                && !visible.shows(event).await?
            {
                continue;
            }
            let frame = event_frame(event);
            if only.is_empty() {
                only = frame;
                continue;
            }
            if several.is_empty() {
                several.extend_from_slice(&only);
            }
            several.extend_from_slice(&frame);
        }
        Ok(if several.is_empty() { only } else { several.into() })
    }

    fn end(&mut self, name: &str, reason: &str) -> Bytes {
        self.ended = true;
        let mut frame = Vec::new();
        named_frame(name, None, &serde_json::json!({ "reason": reason }), &mut frame);
        frame.into()
    }
}
