//! Somebody who watches a chat for next to nothing, so that thousands of them leave the processor to the server.

use super::samples::Samples;
use anyhow::{Context, Result, bail, ensure};
use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A stream that is open. What is read of it are lines: that they come in chunks of HTTP/1.1 makes only lines more.
#[derive(Debug)]
pub(super) struct Watcher {
    socket: TcpStream,
    pending: Vec<u8>,
    position: u64,
}

/// A token that came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// When it was recorded, in µs since 1970: before its commit.
    pub(super) recorded_at: u64,
    pub(super) index: u64,
}

/// What came until the end of the turn.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// From the recording of a token to its receipt.
    pub(super) samples: Samples,
    pub(super) tokens: u64,
}

/// In µs since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Watcher {
    /// Returns when the stream has begun.
    pub(super) async fn open(address: SocketAddr, path: &str, token: &str) -> Result<Self> {
        let mut socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut watcher = Self { socket, pending: Vec::with_capacity(4096), position: 0 };
        while !watcher.pending.windows(4).any(|window| window == b"\r\n\r\n") {
            watcher.fill().await?;
        }
        ensure!(watcher.pending.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&watcher.pending));
        Ok(watcher)
    }

    async fn fill(&mut self) -> Result<()> {
        let read = self.socket.read_buf(&mut self.pending).await?;
        if read == 0 {
            bail!("the stream ended after position {}", self.position);
        }
        Ok(())
    }

    /// The tokens that came together, and whether the turn has ended. Positions have to rise.
    pub(super) async fn next(&mut self) -> Result<(Vec<Token>, bool)> {
        self.fill().await?;
        let whole = self.pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = std::str::from_utf8(&self.pending[..whole])?;
        let (mut tokens, mut ended) = (Vec::new(), false);
        for line in lines.lines() {
            if let Some(event) = line.strip_prefix("event: ") {
                ended |= event == "chat.turn_completed";
                ensure!(event != "chat.turn_failed", "the turn failed");
            }
            let Some(data) = line.strip_prefix("data: {\"position\":") else { continue };
            let position = number(data)?;
            ensure!(position > self.position, "position {position} came after {}", self.position);
            self.position = position;
            // The whole answer comes once more at its end.
            let Some((before, text)) = data.split_once("\"@") else { continue };
            if !before.contains("\"model_call.text_streamed\"") {
                continue;
            }
            let (_, recorded_at) = before.split_once("\"recorded_at\":").context("an event without a time")?;
            tokens.push(Token { recorded_at: number(recorded_at)?, index: number(text)? });
        }
        self.pending.drain(..whole);
        Ok((tokens, ended))
    }

    /// Reads to the end of the turn; every token has to come once, in order.
    pub(super) async fn watch(mut self) -> Result<Seen> {
        let mut seen = Seen::default();
        loop {
            let (tokens, ended) = self.next().await?;
            let now = now();
            for Token { recorded_at, index } in tokens {
                ensure!(index == seen.tokens, "token {index} came where {} was due", seen.tokens);
                seen.tokens += 1;
                seen.samples.add(Duration::from_micros(now.saturating_sub(recorded_at)));
            }
            if ended {
                return Ok(seen);
            }
        }
    }
}

/// The number that a text begins with.
fn number(text: &str) -> Result<u64> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().with_context(|| format!("no number: {}", &text[..end]))
}
