//! A double of KurrentDB's server, in this process and in memory: made from the client's own protocol files, it speaks the
//! protocol over a real connection. It proves that Docket speaks it rightly. It proves nothing about the real server: its
//! durability, its cluster, its limits and its scavenging.
//!
//! It is strict where the real one may be: a position that is no event's is refused, and so is an append above a megabyte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

mod network;
mod reads;
mod service;
mod store;
mod streams;

#[allow(clippy::all, clippy::pedantic, dead_code, missing_debug_implementations, unreachable_pub)]
mod protocol {
    include!(concat!(env!("OUT_DIR"), "/kurrentdb.rs"));
    pub use event_store::client::{server_features, streams, *};
    pub use google::rpc;
}

use network::Network;
use service::Service;
use std::sync::Arc;
use store::Store;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;

/// A server. Its events live as long as it does.
#[derive(Debug)]
pub struct KurrentDb {
    store: Arc<Store>,
    network: Network,
    server: JoinHandle<()>,
}

impl KurrentDb {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (store, behind) = (Arc::new(Store::default()), listener.local_addr().unwrap());
        let service = Service(store.clone());
        let server = tonic::transport::Server::builder()
            .tcp_nodelay(true)
            .add_service(
                protocol::streams::streams_server::StreamsServer::new(service.clone()).max_decoding_message_size(17 << 20),
            )
            .add_service(protocol::server_features::server_features_server::ServerFeaturesServer::new(service))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = tokio::spawn(async move { server.await.unwrap() });
        Self { store, network: Network::before(behind).await, server }
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("kurrentdb://{}?tls=false", self.network.address())
    }

    /// Cuts every connection. New ones can be made at once.
    pub fn cut(&self) {
        self.network.cut();
    }

    /// The server can not be reached, until [`Self::appear`].
    pub fn vanish(&self) {
        self.network.vanish();
    }

    pub fn appear(&self) {
        self.network.appear();
    }

    /// From now on the server hears, and nobody hears the server: until the connections are cut.
    pub fn mute(&self) {
        self.network.mute();
    }

    /// Events of a stream.
    #[must_use]
    pub fn events_in(&self, stream: &str) -> usize {
        self.store.stream(stream).map_or(0, |events| events.len())
    }

    /// Streams whose names begin so.
    #[must_use]
    pub fn streams(&self, prefix: &str) -> Vec<String> {
        self.store.names(prefix)
    }

    /// Appends an event as another program would.
    pub fn append_foreign(&self, stream: &str, event_type: &str, data: &str) {
        self.store.append_foreign(stream, event_type, data);
    }
}

impl Drop for KurrentDb {
    fn drop(&mut self) {
        self.server.abort();
        self.network.vanish();
    }
}
