//! Time and size limits of the transport.

use std::time::Duration;

/// What bounds a call. There is no limit on the whole duration: a model may speak for an hour.
#[derive(Clone, Debug)]
pub struct Limits {
    /// To establish a connection.
    pub connect: Duration,
    /// From the request until the head of the response. A local server may read the prompt first, which takes minutes.
    pub head: Duration,
    /// The longest silence within a response. Thinking models are quiet for tens of seconds.
    pub silence: Duration,
    /// For the list of a provider's models, as a whole.
    pub listing: Duration,
    /// How long a list of models is kept.
    pub listing_kept: Duration,
    /// The largest frame (one server-sent event) in bytes.
    pub frame_bytes: usize,
    /// The largest response in bytes; what is beyond fails the call.
    pub response_bytes: u64,
    /// How much of a raw response is kept, in bytes.
    pub raw_bytes: usize,
    /// The largest error body and list of models that is read, in bytes.
    pub document_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            head: Duration::from_secs(300),
            silence: Duration::from_secs(120),
            listing: Duration::from_secs(5),
            listing_kept: Duration::from_secs(300),
            frame_bytes: 8 << 20,
            response_bytes: 256 << 20,
            raw_bytes: 32 << 20,
            document_bytes: 4 << 20,
        }
    }
}
