//! A way to a server that breaks when a test wants it to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{
    io,
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU16, AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// Passes connections on to a port of this machine.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    /// Where connections lead; 0 for nowhere.
    port: AtomicU16,
    /// How many bytes a new connection passes, both ways together.
    life: Mutex<Option<Range<i64>>>,
    random: Mutex<SmallRng>,
    /// Counts the orders to cut all connections.
    cut: watch::Sender<u64>,
    requests_cut: AtomicUsize,
    answers_cut: AtomicUsize,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            port: AtomicU16::new(port),
            life: Mutex::new(None),
            random: Mutex::new(SmallRng::seed_from_u64(11)),
            cut: watch::Sender::new(0),
            requests_cut: AtomicUsize::new(0),
            answers_cut: AtomicUsize::new(0),
        });
        let task = tokio::spawn({
            let shared = shared.clone();
            async move {
                loop {
                    let (client, _) = listener.accept().await.unwrap();
                    // One that breaks is what this is for.
                    tokio::spawn(pass(client, shared.clone()));
                }
            }
        });
        Self { address, shared, task }
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Cuts all connections; new ones lead to this port, or nowhere (0).
    pub fn lead_to(&self, port: u16) {
        self.shared.port.store(port, Ordering::SeqCst);
        self.shared.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts each new connection after a number of bytes from this range, both ways counted together, and all that are open now at
    /// once. With none, new ones last.
    pub fn cut_after(&self, bytes: Option<Range<i64>>) {
        *self.shared.life.lock().unwrap() = bytes;
        self.shared.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Connections that were cut after their bytes: while a request was passed on, and while an answer was.
    #[must_use]
    pub fn cuts(&self) -> (usize, usize) {
        (self.shared.requests_cut.load(Ordering::SeqCst), self.shared.answers_cut.load(Ordering::SeqCst))
    }
}

async fn pass(client: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let mut cut = shared.cut.subscribe();
    let life = match shared.life.lock().unwrap().clone() {
        Some(range) => shared.random.lock().unwrap().random_range(range),
        None => i64::MAX,
    };
    let server = TcpStream::connect(("127.0.0.1", shared.port.load(Ordering::SeqCst))).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let left = AtomicI64::new(life);
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        // Either direction's end is the end of both.
        passed = copy(from_client, to_server, &left) => { passed?.then(|| shared.requests_cut.fetch_add(1, Ordering::SeqCst)); }
        passed = copy(from_server, to_client, &left) => { passed?.then(|| shared.answers_cut.fetch_add(1, Ordering::SeqCst)); }
        _ = cut.changed() => {}
    }
    Ok(())
}

/// Whether it was cut.
async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, left: &AtomicI64) -> io::Result<bool> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(false);
        }
        let before = left.fetch_sub(read as i64, Ordering::SeqCst);
        let pass = usize::try_from(before.clamp(0, read as i64)).unwrap_or(0);
        to.write_all(&buffer[..pass]).await?;
        if pass < read {
            return Ok(true);
        }
    }
}
