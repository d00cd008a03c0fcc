//! A model provider on this machine that speaks Chat Completions and says what a test wants, when the test wants it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, header},
    routing::{get, post},
};
use futures_util::stream;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinHandle,
};

/// The model that is listed, unless a test names another.
pub const MODEL: &str = "test-model";

/// Where an answer stops until the test lets it go on.
#[derive(Clone, Debug)]
pub struct Gate(Arc<(Semaphore, watch::Sender<usize>)>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new((Semaphore::new(0), watch::Sender::new(0))))
    }
}

impl Gate {
    /// Lets one answer pass once.
    pub fn open(&self) {
        self.0.0.add_permits(1);
    }

    /// Waits until it was reached so many times.
    pub async fn reached(&self, times: usize) {
        let mut reached = self.0.1.subscribe();
        let wait = reached.wait_for(|count| *count >= times);
        tokio::time::timeout(crate::sse::DEADLINE, wait).await.expect("the gate is reached in time").unwrap();
    }

    async fn pass(&self) {
        self.0.1.send_modify(|count| *count += 1);
        self.0.0.acquire().await.unwrap().forget();
    }
}

/// A piece of a streamed answer.
#[derive(Clone, Debug)]
pub enum Piece {
    /// One delta of text.
    Text(String),
    /// The beginning of a tool call: which of the parallel ones, and the tool.
    Call(usize, String),
    /// A fragment of its arguments.
    Arguments(usize, String),
    Gate(Gate),
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// The connection breaks.
    Cut,
    /// The finish reason, the usage and the terminal.
    End,
}

/// One answer to a request.
#[derive(Clone, Debug)]
pub enum Script {
    Stream(Vec<Piece>),
    /// Any answer: status, headers, body.
    Document(u16, Vec<(&'static str, &'static str)>, String),
    /// Not even a status, until the client leaves.
    Hang,
}

impl Script {
    #[must_use]
    pub fn say(text: &str) -> Self {
        Self::Stream(vec![Piece::Text(text.to_owned()), Piece::End])
    }

    /// Each text as one delta.
    #[must_use]
    pub fn tokens(texts: impl IntoIterator<Item = String>) -> Self {
        Self::Stream(texts.into_iter().map(Piece::Text).chain([Piece::End]).collect())
    }

    /// Parallel tool calls.
    #[must_use]
    pub fn call(calls: &[(&str, Value)]) -> Self {
        let calls: Vec<_> = calls.iter().map(|(tool, input)| (*tool, input.to_string())).collect();
        Self::call_raw(&calls.iter().map(|(tool, input)| (*tool, input.as_str())).collect::<Vec<_>>())
    }

    /// The same with arguments as written, right or wrong; their fragments come in turns.
    #[must_use]
    pub fn call_raw(calls: &[(&str, &str)]) -> Self {
        let mut pieces: Vec<_> = calls.iter().enumerate().map(|(n, (tool, _))| Piece::Call(n, (*tool).to_owned())).collect();
        let mut rests: Vec<_> = calls.iter().map(|(_, input)| input.chars().collect::<VecDeque<_>>()).collect();
        while rests.iter().any(|rest| !rest.is_empty()) {
            for (n, rest) in rests.iter_mut().enumerate().filter(|(_, rest)| !rest.is_empty()) {
                let fragment = rest.drain(..rest.len().min(7)).collect();
                pieces.push(Piece::Arguments(n, fragment));
            }
        }
        pieces.push(Piece::End);
        Self::Stream(pieces)
    }

    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        Self::Document(status, vec![("content-type", "application/json")], json!({"error": {"message": message}}).to_string())
    }
}

/// A request as received.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Bytes,
}

type Next = Box<dyn FnOnce(&Value) -> Script + Send>;

#[derive(Default)]
struct Shared {
    model: String,
    scripts: Mutex<VecDeque<Next>>,
    received: Mutex<Vec<Received>>,
}

/// The provider; it ends with this.
pub struct ModelServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl fmt::Debug for ModelServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ModelServer {
    pub async fn start() -> Self {
        Self::named(MODEL).await
    }

    /// With a model of this name.
    pub async fn named(model: &str) -> Self {
        let shared = Arc::new(Shared { model: model.to_owned(), ..Shared::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(complete))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, task }
    }

    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Answers the next request for which nothing is arranged yet. Where nothing is, the answer is `Done.`
    pub fn then(&self, script: Script) -> &Self {
        self.then_with(|_| script)
    }

    /// The same, made from the request's body.
    pub fn then_with(&self, script: impl FnOnce(&Value) -> Script + Send + 'static) -> &Self {
        self.shared.scripts.lock().unwrap().push_back(Box::new(script));
        self
    }

    /// All requests so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// The bodies of all requests so far.
    #[must_use]
    pub fn bodies(&self) -> Vec<Value> {
        self.received().iter().map(|received| serde_json::from_slice(&received.body).unwrap()).collect()
    }
}

async fn models(State(shared): State<Arc<Shared>>) -> String {
    json!({ "data": [{ "id": shared.model }] }).to_string()
}

async fn complete(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let parsed = serde_json::from_slice(&body).unwrap();
    shared.received.lock().unwrap().push(Received { headers, body });
    let next = shared.scripts.lock().unwrap().pop_front();
    match next.map_or_else(|| Script::say("Done."), |next| next(&parsed)) {
        Script::Stream(pieces) => {
            let stream = stream::unfold((pieces.into_iter(), 0), |(mut pieces, calls)| async move {
                let mut calls: usize = calls;
                loop {
                    let bytes = match pieces.next()? {
                        Piece::Gate(gate) => {
                            gate.pass().await;
                            continue;
                        }
                        Piece::Cut => {
                            // What came before is sent first.
                            tokio::task::yield_now().await;
                            Err(io::Error::other("cut"))
                        }
                        piece => {
                            calls += usize::from(matches!(piece, Piece::Call(..)));
                            Ok(Bytes::from(bytes_of(piece, calls)))
                        }
                    };
                    return Some((bytes, (pieces, calls)));
                }
            });
            Response::builder().header(header::CONTENT_TYPE, "text/event-stream").body(Body::from_stream(stream)).unwrap()
        }
        Script::Document(status, headers, body) => {
            let builder = Response::builder().status(status);
            let builder = headers.into_iter().fold(builder, |builder, (name, value)| builder.header(name, value));
            builder.body(Body::from(body)).unwrap()
        }
        Script::Hang => std::future::pending().await,
    }
}

fn bytes_of(piece: Piece, calls: usize) -> Vec<u8> {
    let frame = |document: &Value| format!("data: {document}\n\n");
    let delta =
        |delta: Value| frame(&json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })).into_bytes();
    match piece {
        Piece::Text(text) => delta(json!({ "content": text })),
        Piece::Call(n, tool) => {
            let call = json!({ "index": n, "id": format!("call-{n}"), "type": "function",
                               "function": { "name": tool, "arguments": "" } });
            delta(json!({ "tool_calls": [call] }))
        }
        Piece::Arguments(n, text) => delta(json!({ "tool_calls": [{ "index": n, "function": { "arguments": text } }] })),
        Piece::Raw(bytes) => bytes,
        Piece::Gate(_) | Piece::Cut => Vec::new(),
        Piece::End => {
            let reason = if calls > 0 { "tool_calls" } else { "stop" };
            let last = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] });
            let usage = json!({ "choices": [], "usage": { "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 } });
            format!("{}{}data: [DONE]\n\n", frame(&last), frame(&usage)).into_bytes()
        }
    }
}
