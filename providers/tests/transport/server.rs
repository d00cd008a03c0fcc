//! A server that says what it is told to, byte by byte.

use std::{future::Future, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

/// Serves each connection with `serve`; returns the address.
pub(crate) async fn serve<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    address
}

/// Answers every request with the same bytes and closes; keeps the requests.
pub(crate) async fn canned(response: impl Into<Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let (response, requests) = (Arc::new(response.into()), Arc::new(Mutex::new(Vec::new())));
    let kept = requests.clone();
    let address = serve(move |mut socket| {
        let (response, kept) = (response.clone(), kept.clone());
        async move {
            kept.lock().await.push(request(&mut socket).await);
            socket.write_all(&response).await.unwrap();
            let _ = socket.shutdown().await;
            // Until the client is done, so that its data is not reset away.
            let _ = socket.read(&mut [0]).await;
        }
    });
    (address.await, requests)
}

/// Reads one request, head and body.
pub(crate) async fn request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let n = socket.read(&mut piece).await.unwrap();
        assert!(n > 0, "the client left");
        bytes.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let lines = head.to_ascii_lowercase();
        let length = lines.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        if body.len() >= length {
            return text;
        }
    }
}

/// A whole response. The connection's end is the body's end.
pub(crate) fn response(status: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    response_bytes(status, headers, body.as_bytes())
}

/// The same with a body that is no text.
pub(crate) fn response_bytes(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    [format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\n\r\n").as_bytes(), body].concat()
}

pub(crate) const STREAM: &[(&str, &str)] = &[("content-type", "text/event-stream; charset=utf-8"), ("x-request-id", "req_7")];

/// A chunk of Chat Completions.
pub(crate) fn chunk(text: &str) -> String {
    format!("data: {}\n\n", serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
}
