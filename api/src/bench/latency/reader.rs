//! Somebody who watches a chat and looks at the clock.

use super::super::{provider::Clock, samples::Samples};
use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, RequestBuilder, Response};
use std::time::Duration;

/// A stream that can be opened.
pub(super) struct Source(RequestBuilder);

pub(super) struct Opened(Response);

/// What came until the end of the answer.
pub(super) struct Received {
    /// From a token's sending to its receipt.
    pub(super) samples: Samples,
    pub(super) tokens: u64,
}

impl Source {
    /// The provider itself.
    pub(super) fn provider(client: &Client, base_url: &str) -> Self {
        Self(client.post(format!("{base_url}/chat/completions")))
    }

    pub(super) fn events(client: &Client, url: String, token: &str) -> Self {
        Self(client.get(url).bearer_auth(token))
    }

    pub(super) async fn open(self) -> Result<Opened> {
        Ok(Opened(self.0.send().await?.error_for_status()?))
    }
}

/// A stream that is open has its connection for itself.
pub(super) fn client() -> Result<Client> {
    Ok(Client::builder().no_proxy().tcp_nodelay(true).build()?)
}

impl Opened {
    /// Reads to the end of the turn, or of the provider's answer; every token has to come once, in order.
    pub(super) async fn read(mut self, clock: Clock) -> Result<Received> {
        let mut received = Received { samples: Samples::default(), tokens: 0 };
        let (mut pending, mut name) = (Vec::new(), Vec::new());
        while let Some(chunk) = self.0.chunk().await? {
            let now = clock.micros();
            pending.extend_from_slice(&chunk);
            let whole = pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            for line in pending[..whole].split(|byte| *byte == b'\n') {
                if let Some(event) = line.strip_prefix(b"event: ") {
                    name = event.to_vec();
                } else if let Some(data) = line.strip_prefix(b"data: ") {
                    match &name[..] {
                        b"" if data == b"[DONE]" => return Ok(received),
                        b"" | b"model_call.text_streamed" => received.token(data, now)?,
                        b"chat.turn_completed" => return Ok(received),
                        b"chat.turn_failed" => bail!("the turn failed: {}", String::from_utf8_lossy(data)),
                        _ => {}
                    }
                    name.clear();
                }
            }
            pending.drain(..whole);
        }
        bail!("the stream ended after {} tokens", received.tokens)
    }
}

impl Received {
    /// Finds `@index:micros@`, where there is one.
    fn token(&mut self, data: &[u8], now: u64) -> Result<()> {
        let Some(text) = data.split(|byte| *byte == b'@').nth(1) else { return Ok(()) };
        let (index, sent) = std::str::from_utf8(text)?.split_once(':').context("a token without a time")?;
        let (index, sent): (u64, u64) = (index.parse()?, sent.parse()?);
        ensure!(index == self.tokens, "token {index} came where {} was due", self.tokens);
        self.tokens += 1;
        self.samples.add(Duration::from_micros(now.saturating_sub(sent)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_missing_is_noticed() {
        let mut received = Received { samples: Samples::default(), tokens: 0 };
        received.token(br#"{"data":{"text":"@0:7@ "}}"#, 10).unwrap();
        received.token(br#"{"data":{"text":"no token"}}"#, 10).unwrap();
        assert!(received.token(br#"{"data":{"text":"@2:7@ "}}"#, 10).is_err());
        assert_eq!((received.tokens, received.samples.len()), (1, 1));
    }
}
