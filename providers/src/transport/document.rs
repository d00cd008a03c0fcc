//! Reads a whole response that is a document and not a stream.

use reqwest::Response;
use std::time::Duration;
use tokio::time::timeout;

/// At most `limit` bytes of the body; what was received until the connection broke or `within` had passed. Meant for error
/// bodies, where a part says more than nothing.
pub(crate) async fn document(response: &mut Response, limit: usize, within: Duration) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
            if body.len() >= limit {
                return;
            }
        }
    };
    // Out of time or not, what came is used.
    let _ = timeout(within, read).await;
    body
}
