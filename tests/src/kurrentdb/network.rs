//! The network before the server: connections that can be cut, and a server that can be out of reach.

use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Rises with each cut; a connection lives in one.
    life: u64,
    reachable: bool,
    mute: bool,
}

#[derive(Debug)]
pub(super) struct Network {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

impl Network {
    pub(super) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = watch::Sender::new(State { reachable: true, ..State::default() });
        let accepting = tokio::spawn({
            let state = state.clone();
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    // To a server that is out of reach, a connection ends at once.
                    if state.borrow().reachable {
                        tokio::spawn(connect(client, server, state.subscribe()));
                    }
                }
            }
        });
        Self { address, state, accepting }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn cut(&self) {
        self.state.send_modify(|state| (state.life, state.mute) = (state.life + 1, false));
    }

    pub(super) fn vanish(&self) {
        self.state.send_modify(|state| (state.life, state.reachable, state.mute) = (state.life + 1, false, false));
    }

    pub(super) fn appear(&self) {
        self.state.send_modify(|state| state.reachable = true);
    }

    pub(super) fn mute(&self) {
        self.state.send_modify(|state| state.mute = true);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connect(client: TcpStream, server: SocketAddr, mut state: watch::Receiver<State>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let life = state.borrow().life;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
    let muted = state.clone();
    let answers = async move {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from_server.read(&mut bytes).await {
            if !muted.borrow().mute && to_client.write_all(&bytes[..read]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        () = answers => {}
        _ = state.wait_for(|state| state.life != life) => {}
    }
}
