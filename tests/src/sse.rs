//! A reader of server-sent events on a socket of its own, so that a test can leave at any byte or read as slowly as it likes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use serde_json::Value;
use std::{collections::VecDeque, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// Nothing here takes so long; a test that waits in vain fails instead of hanging.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// One server-sent event, as received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub id: Option<u64>,
    pub name: String,
    pub data: String,
}

impl Event {
    #[must_use]
    pub fn position(&self) -> u64 {
        self.id.unwrap()
    }

    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }

    /// The event's own payload.
    #[must_use]
    pub fn payload(&self) -> Value {
        self.json()["data"].take()
    }

    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Whether a turn ended with it, whichever way.
    #[must_use]
    pub fn ends_turn(&self) -> bool {
        matches!(&*self.name, "chat.turn_completed" | "chat.turn_interrupted" | "chat.turn_failed")
    }
}

/// Makes events of bytes, wherever they are cut.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    event: Event,
    ready: VecDeque<Event>,
}

impl Parser {
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
            match line.split_once(": ") {
                Some(("id", id)) => self.event.id = Some(id.parse().unwrap()),
                Some(("event", name)) => name.clone_into(&mut self.event.name),
                Some(("data", data)) => data.clone_into(&mut self.event.data),
                Some(_) => {}
                None => {
                    assert_eq!(line, "", "a line that is neither field nor end");
                    let event = std::mem::take(&mut self.event);
                    // Comments and `retry` alone are no event.
                    self.ready.extend((!event.name.is_empty()).then_some(event));
                }
            }
        }
    }

    pub fn pop(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    socket: TcpStream,
    received: Vec<u8>,
    /// Bytes of the present chunk that have not come.
    chunk: usize,
    parser: Parser,
    /// How many bytes of the body are still to be read.
    allowance: Option<usize>,
    ended: bool,
}

impl EventStream {
    /// Opens a path; panics unless the answer is 200 and chunked.
    pub async fn open(address: SocketAddr, path: &str, token: &str, last_event_id: Option<u64>) -> Self {
        let opened = Self::try_open(address, path, token, last_event_id).await;
        opened.unwrap_or_else(|head| panic!("{path}: {head}"))
    }

    /// The same; gives the head of the answer when it is another.
    ///
    /// # Errors
    /// When the answer is not 200, or the connection breaks before it.
    pub async fn try_open(address: SocketAddr, path: &str, token: &str, last_event_id: Option<u64>) -> Result<Self, String> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
        // Small, so that a reader that stalls is felt soon.
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let mut socket = socket.connect(address).await.unwrap();
        let cursor = last_event_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n{cursor}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let (parser, received) = (Parser::default(), Vec::new());
        let mut stream = Self { socket, received, chunk: 0, parser, allowance: None, ended: false };
        let head = stream.line_until(b"\r\n\r\n").await.ok_or("the server went away")?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(head);
        }
        assert!(head.to_lowercase().contains("transfer-encoding: chunked"), "{head}");
        Ok(stream)
    }

    /// After so many bytes of the body no more is read, and [`next`](Self::next) answers with `None`.
    pub fn leave_after(&mut self, bytes: usize) {
        self.allowance = Some(bytes);
    }

    /// The next event; `None` when the stream has ended or broken.
    pub async fn next(&mut self) -> Option<Event> {
        let next = async {
            loop {
                if let Some(event) = self.parser.pop() {
                    return Some(event);
                }
                if self.ended {
                    return None;
                }
                self.read().await;
            }
        };
        timeout(DEADLINE, next).await.expect("an event, or the end of the stream, in time")
    }

    /// All events up to the first that fits, with it. Panics when the stream ends before.
    pub async fn until(&mut self, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await;
            let Some(event) = event else { panic!("the stream ended; the last event was {:?}", events.last()) };
            let fits = fits(&event);
            events.push(event);
            if fits {
                return events;
            }
        }
    }

    /// All events until the stream ends.
    pub async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// Takes some bytes of the body.
    async fn read(&mut self) {
        if self.chunk == 0 {
            let Some(size) = self.line_until(b"\r\n").await else { return };
            self.chunk = usize::from_str_radix(size.trim(), 16).unwrap();
            self.ended |= self.chunk == 0;
            return;
        }
        if self.received.is_empty() && !self.fill().await {
            return;
        }
        let take = self.chunk.min(self.received.len()).min(self.allowance.unwrap_or(usize::MAX));
        let bytes: Vec<u8> = self.received.drain(..take).collect();
        self.parser.push(&bytes);
        self.chunk -= take;
        if let Some(allowance) = &mut self.allowance {
            *allowance -= take;
            self.ended |= *allowance == 0;
        }
        if self.chunk == 0 {
            self.line_until(b"\r\n").await;
        }
    }

    async fn line_until(&mut self, end: &[u8]) -> Option<String> {
        loop {
            if let Some(at) = self.received.windows(end.len()).position(|window| window == end) {
                let line: Vec<u8> = self.received.drain(..at + end.len()).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// `false` at the end.
    async fn fill(&mut self) -> bool {
        let mut buffer = [0; 8 * 1024];
        // A connection that breaks is the end, too: the server was killed.
        let read = timeout(DEADLINE, self.socket.read(&mut buffer)).await.expect("a byte in time").unwrap_or(0);
        self.received.extend_from_slice(&buffer[..read]);
        self.ended |= read == 0;
        read > 0
    }
}
