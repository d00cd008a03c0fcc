//! A server that speaks Chat Completions. Its tokens come at a fixed pace, and each says when it was sent.

use anyhow::Result;
use axum::{
    Router,
    body::Body,
    http::header,
    response::IntoResponse,
    routing::{get, post},
    serve::ListenerExt,
};
use futures_util::stream;
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::sleep_until};

/// How fast, and how many a chat.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) every: Duration,
    pub(super) tokens: u64,
}

/// The time since the provider was started: the one clock of senders and readers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn micros(self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

pub(super) struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    clock: Clock,
    /// Nothing flows before it is there, so that no reader comes too late.
    pace: watch::Sender<Option<Pace>>,
    requests: watch::Sender<u64>,
    sent: AtomicU64,
}

/// One answer.
struct Answer {
    shared: Arc<Shared>,
    pace: watch::Receiver<Option<Pace>>,
    /// Which of the answers it is.
    number: u64,
    index: u64,
    begun: Option<(tokio::time::Instant, Pace)>,
    ended: bool,
}

impl Provider {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // A server that waits to fill its packets would be measured here instead of what is to be measured.
        let listener = listener.tap_io(|io| drop(io.set_nodelay(true)));
        let shared = Arc::new(Shared {
            clock: Clock(Instant::now()),
            pace: watch::Sender::new(None),
            requests: watch::Sender::new(0),
            sent: AtomicU64::new(0),
        });
        let completions = {
            let shared = shared.clone();
            move || std::future::ready(complete(&shared))
        };
        let models = || std::future::ready(r#"{"object":"list","data":[{"id":"bench","object":"model"}]}"#);
        let router = Router::new().route("/v1/models", get(models)).route("/v1/chat/completions", post(completions));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the load generator's server ended");
            }
        });
        Ok(Self { address, shared, task })
    }

    pub(super) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(super) fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// Waits until so many answers are asked for.
    pub(super) async fn wait_for(&self, requests: u64) -> Result<()> {
        let mut asked = self.shared.requests.subscribe();
        tokio::time::timeout(Duration::from_secs(30), asked.wait_for(|asked| *asked >= requests)).await??;
        Ok(())
    }

    /// Lets the tokens flow.
    pub(super) fn send(&self, pace: Pace) {
        self.shared.pace.send_replace(Some(pace));
    }

    pub(super) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn complete(shared: &Arc<Shared>) -> impl IntoResponse + use<> {
    let mut number = 0;
    shared.requests.send_modify(|requests| {
        number = *requests;
        *requests += 1;
    });
    let pace = shared.pace.subscribe();
    let answer = Answer { shared: shared.clone(), pace, number, index: 0, begun: None, ended: false };
    let frames = stream::unfold(answer, |mut answer| async move {
        let frame = answer.next().await?;
        Some((Ok::<_, Infallible>(frame), answer))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames))
}

impl Answer {
    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        let (begun, pace) = match self.begun {
            Some(begun) => begun,
            None => {
                let pace = *self.pace.wait_for(Option::is_some).await.ok()?;
                // The answers come in between each other, not all at the same moment.
                let phase = f64::from(u32::try_from(self.number % 10_000).unwrap_or(0)) * 0.618_034;
                let begun = (tokio::time::Instant::now() + pace?.every.mul_f64(phase.fract()), pace?);
                *self.begun.insert(begun)
            }
        };
        let index = self.index;
        if index >= pace.tokens {
            self.ended = true;
            let end = chunk("{}", "\"stop\"");
            return Some(format!("{end}data: [DONE]\n\n"));
        }
        // By the plan, not by the last token: one that is late does not delay all that follow.
        sleep_until(begun + pace.every * u32::try_from(index).unwrap_or(u32::MAX)).await;
        self.index += 1;
        self.shared.sent.fetch_add(1, Ordering::Relaxed);
        Some(chunk(&format!(r#"{{"content":"@{index}:{}@ "}}"#, self.shared.clock.micros()), "null"))
    }
}

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"bench\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"bench\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}
