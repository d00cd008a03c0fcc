//! More clients than there are places for.

use crate::support::{CONNECTIONS, Plane, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The answer to one request on a new connection.
async fn ask(address: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /hello HTTP/1.1\r\nHost: plane\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_told_so_and_gets_in_when_another_leaves() {
    let plane = Plane::start().await;
    let address = plane.url().strip_prefix("http://").unwrap().to_owned();
    assert!(ask(&address).await.ends_with("router"));
    let mut places = Vec::new();
    eventually("all places to be taken", async || {
        // Each keeps its connection after the answer.
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /hello HTTP/1.1\r\nHost: plane\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        places.push(stream);
        (&head == b"HTTP/1.1 503").then_some(())
    })
    .await;
    // The first one's place may still have been taken.
    assert!((CONNECTIONS..=CONNECTIONS + 1).contains(&places.len()), "{}", places.len());
    let refused = ask(&address).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.ends_with("too many"), "{refused}");
    assert!(refused.to_lowercase().contains("connection: close"), "{refused}");
    drop(places);
    eventually("a place", async || ask(&address).await.ends_with("router").then_some(())).await;
}
