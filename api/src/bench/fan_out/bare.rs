//! The ceiling: the same bytes, written to as many sockets by a loop that does nothing else.

use super::super::{provider::Pace, watcher::now};
use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};
use std::{net::SocketAddr, thread::JoinHandle, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime,
    sync::oneshot,
    time::{Instant, sleep_until},
};

pub(super) struct Bare {
    pub(super) address: SocketAddr,
    begin: oneshot::Sender<()>,
    thread: JoinHandle<Result<Duration>>,
}

impl Bare {
    /// Listens for so many readers.
    pub(super) async fn start(readers: usize, pace: Pace) -> Result<Self> {
        let (begin, signal) = oneshot::channel();
        let (bound, address) = oneshot::channel();
        // A thread of its own, whose processor time can be told.
        let thread = std::thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(serve(readers, pace, bound, signal))
        });
        Ok(Self { address: address.await?, begin, thread })
    }

    pub(super) fn begin(self) -> Result<JoinHandle<Result<Duration>>> {
        self.begin.send(()).ok().context("the loop ended early")?;
        Ok(self.thread)
    }
}

/// Gives the processor time of the loop.
async fn serve(
    readers: usize,
    pace: Pace,
    bound: oneshot::Sender<SocketAddr>,
    signal: oneshot::Receiver<()>,
) -> Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let _ = bound.send(listener.local_addr()?);
    let mut sockets = Vec::with_capacity(readers);
    while sockets.len() < readers {
        let (mut socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        // The request comes in one piece.
        anyhow::ensure!(socket.read(&mut [0; 1024]).await? > 0, "a reader left");
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").await?;
        sockets.push(socket);
    }
    signal.await?;
    let (begin, before) = (Instant::now(), used());
    for index in 0..pace.tokens {
        sleep_until(begin + pace.every * u32::try_from(index).unwrap_or(u32::MAX)).await;
        let position = index + 1;
        let data = format!(
            "{{\"position\":{position},\"stream\":\"model_call-00000000-0000-0000-0000-000000000000\",\"sequence\":{position},\
             \"type\":\"model_call.text_streamed\",\"recorded_at\":{},\
             \"actor\":\"worker:00000000-0000-0000-0000-000000000000\",\
             \"data\":{{\"type\":\"text_streamed\",\"index\":{index},\"block\":0,\"text\":\"@{index}:0@ \"}}}}",
            now()
        );
        write(&mut sockets, &format!("id: {position}\nevent: model_call.text_streamed\ndata: {data}\n\n")).await?;
    }
    let used = used().saturating_sub(before);
    write(&mut sockets, "event: chat.turn_completed\ndata: {}\n\n").await?;
    Ok(used)
}

async fn write(sockets: &mut [TcpStream], frame: &str) -> Result<()> {
    let chunk = format!("{:x}\r\n{frame}\r\n", frame.len());
    for socket in sockets {
        socket.write_all(chunk.as_bytes()).await?;
    }
    Ok(())
}

/// Processor time of this thread.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
