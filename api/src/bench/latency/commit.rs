//! From the commit to the byte: an append is acknowledged, and its event comes out of a reader's socket.

use super::{
    super::{
        load::metadata, measured::Measured, provider::Provider, report::Figure, run::Bench, samples::Samples, scratch::Backend,
        watcher::Watcher,
    },
    plane::Plane,
};
use anyhow::{Context, Result};
use docket_domain::ids::ChatId;
use docket_eventlog::{Append, Expected, Log, NewEvent, StreamId};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Between two tokens, so that each comes to a machine that is idle.
const PAUSE: Duration = Duration::from_millis(5);

pub(super) async fn measure(bench: &Bench, backend: Backend, measured: &mut Measured) -> Result<()> {
    // Nobody asks it for anything.
    let (provider, database) = (Provider::start().await?, bench.scratch.database(backend).await?);
    let plane = Plane::start(&database, &provider.base_url()).await?;
    let chat = plane.quiet_chat().await?;
    let path = format!("/api/v1/chats/{chat}/events?after=0");
    let mut watcher = Watcher::open(plane.address, &path, &plane.token).await?;
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let watching = tokio::spawn(async move {
        loop {
            let (tokens, _) = watcher.next().await?;
            let now = Instant::now();
            for token in tokens {
                if arrived.send((token.index, now)).is_err() {
                    return anyhow::Ok(());
                }
            }
        }
    });
    let (mut samples, begin) = (Samples::default(), Instant::now());
    let stream = StreamId::new("model_call", Uuid::now_v7().to_string());
    for index in 0.. {
        if begin.elapsed() > bench.time {
            break;
        }
        append(&plane.log, &stream, ChatId(chat), index).await?;
        let committed = Instant::now();
        let (came, at) = arrivals.recv().await.context("the stream ended")?;
        anyhow::ensure!(came == index, "token {came} came where {index} was due");
        // It may be there before the writer's answer is.
        samples.add(at.saturating_duration_since(committed));
        tokio::time::sleep(PAUSE).await;
    }
    watching.abort();
    plane.stop().await?;
    bench.scratch.remove(database).await?;
    let name = format!("{backend}, acknowledged append to byte of one reader");
    measured.add(Figure::new(format!("{name}, p50"), samples.median(), "ms"));
    measured.add(Figure::new(format!("{name}, p99"), samples.p99(), "ms"));
    Ok(())
}

async fn append(log: &Log, stream: &StreamId, chat: ChatId, index: u64) -> Result<()> {
    let payload = format!(r#"{{"type":"text_streamed","index":{index},"block":0,"text":"@{index}:0@ "}}"#);
    let (event_type, event_version) = ("model_call.text_streamed".into(), "1".into());
    log.append(Append {
        stream: stream.clone(),
        scope: Some(chat.0),
        expected: Expected::Any,
        events: vec![NewEvent { event_type, event_version, payload: payload.into() }],
        blobs: vec![],
        metadata: metadata(log.worker(), chat),
    })
    .await?;
    Ok(())
}
