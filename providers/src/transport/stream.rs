//! An answer while it comes.

use super::Source;
use crate::{auth::Auth, decoder::Decoder, limits::Limits};
use docket_domain::{
    failure::{Failure, FailureClass},
    model_call::event::ModelCallEvent,
};
use std::fmt;

/// The answer of a model, read only as fast as [`next`](Self::next) is called. Dropping it closes the connection, which
/// tells the provider to stop.
pub struct ModelStream {
    source: Option<Source>,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_limit: usize,
    received: u64,
    limit: u64,
    request_id: Option<String>,
    auth: Auth,
}

impl ModelStream {
    pub(crate) fn new(source: Source, decoder: Decoder, limits: &Limits) -> Self {
        let (raw_limit, limit) = (limits.raw_bytes, limits.response_bytes);
        let source = Some(source);
        Self { source, decoder, raw: Vec::new(), raw_limit, received: 0, limit, request_id: None, auth: Auth::None }
    }

    /// What is known of the exchange: the provider's id of it, and the secrets that must not appear in a failure.
    pub(crate) fn of(self, request_id: Option<String>, auth: Auth) -> Self {
        Self { request_id, auth, ..self }
    }

    /// The events of the next received frame. The last ones end with `Finished` or `Failed`, exactly one over the whole
    /// stream; after that it is `None`. `response_sha256` is left to the caller, who keeps [`raw`](Self::raw).
    ///
    /// Cancelling the future loses nothing.
    pub async fn next(&mut self) -> Option<Vec<ModelCallEvent>> {
        let mut events = self.frame().await?;
        if let Some(ModelCallEvent::Failed { failure, .. }) = events.last_mut() {
            failure.message = self.auth.redact(&failure.message);
        }
        Some(events)
    }

    async fn frame(&mut self) -> Option<Vec<ModelCallEvent>> {
        loop {
            if let Some(events) = self.decoder.next_frame() {
                if self.decoder.ended() {
                    self.source.take().into_iter().for_each(Source::close);
                }
                return Some(events);
            }
            let source = self.source.as_mut()?;
            match source.read().await {
                Ok(Some(bytes)) => {
                    self.received += bytes.len() as u64;
                    let room = self.raw_limit - self.raw.len();
                    self.raw.extend_from_slice(&bytes[..bytes.len().min(room)]);
                    if self.received > self.limit {
                        let message = format!("the answer is longer than {} bytes", self.limit);
                        return self.end(|decoder| decoder.abort(Failure::new(FailureClass::Truncated, message)));
                    }
                    self.decoder.push(&bytes);
                }
                Ok(None) => return self.end(Decoder::end),
                Err(failure) => return self.end(|decoder| decoder.abort(failure)),
            }
        }
    }

    /// The response as received so far, the first [`raw_bytes`](crate::Limits::raw_bytes) of it.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Whether [`raw`](Self::raw) leaves out the end of what was received.
    #[must_use]
    pub fn raw_is_cut(&self) -> bool {
        self.received > self.raw.len() as u64
    }

    /// The provider's id of the request, for its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    fn end(&mut self, last: impl FnOnce(&mut Decoder) -> Option<Vec<ModelCallEvent>>) -> Option<Vec<ModelCallEvent>> {
        self.source = None;
        last(&mut self.decoder)
    }
}

impl fmt::Debug for ModelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.source.is_some();
        f.debug_struct("ModelStream").field("open", &open).field("received", &self.received).finish_non_exhaustive()
    }
}
