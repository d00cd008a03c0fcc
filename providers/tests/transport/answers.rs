//! Answers that come, and answers that stop coming.

use crate::{
    all, at, failure, hello, limits, send,
    server::{STREAM, canned, chunk, request, response, serve},
};
use docket_domain::{failure::FailureClass, model_call::ModelCallEvent, usage::StopReason};
use docket_providers::Limits;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
    task::yield_now,
};

#[tokio::test]
async fn requests_carry_the_right_headers_and_the_exact_body() {
    let answer = response("200 OK", STREAM, &format!("{}data: [DONE]\n\n", chunk("hi")));
    let (address, requests) = canned(answer).await;
    let providers = at(&address, limits());
    let mut stream = send(&providers, "openai/m").await.unwrap();
    let events = all(&mut stream).await;
    assert!(matches!(&events[0], ModelCallEvent::TextStreamed { index: 0, block: 0, text } if text == "hi"));
    assert_eq!(events[1], ModelCallEvent::Finished { stop_reason: StopReason::EndOfTurn, response_sha256: None });
    assert_eq!((stream.request_id(), stream.raw_is_cut()), (Some("req_7"), false));
    assert_eq!(stream.raw(), format!("{}data: [DONE]\n\n", chunk("hi")).as_bytes());
    assert_eq!(stream.next().await, None);

    drop(send(&providers, "anthropic/m").await.unwrap());
    let requests = requests.lock().await;
    let (chat, messages) = (requests[0].as_str(), requests[1].as_str());
    assert!(chat.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{chat}");
    assert!(chat.contains("authorization: Bearer sk-very-secret-key\r\n") && !chat.contains("x-api-key"));
    assert!(chat.ends_with(std::str::from_utf8(&hello(&providers, "openai/m").body()).unwrap()));
    assert!(messages.starts_with("POST /v1/messages HTTP/1.1\r\n"), "{messages}");
    assert!(messages.contains("x-api-key: sk-very-secret-key\r\n") && !messages.contains("authorization"));
    assert!(messages.contains("anthropic-version: 2023-06-01\r\n") && messages.contains("content-type: application/json\r\n"));
    assert!(messages.ends_with(std::str::from_utf8(&hello(&providers, "anthropic/m").body()).unwrap()));
}

#[tokio::test]
async fn a_cut_answer_is_a_failure_after_what_was_said() {
    // By the chunked encoding more is due.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let said = chunk("half");
    let (address, _) = canned(format!("{head}{:x}\r\n{said}\r\n", said.len())).await;
    let events = all(&mut send(&at(&address, limits()), "openai/m").await.unwrap()).await;
    assert!(matches!(&events[0], ModelCallEvent::TextStreamed { text, .. } if text == "half"));
    assert_eq!((events.len(), failure(&events).0), (2, FailureClass::Truncated));
    // The same where the connection's end is the body's end, as with a proxy in between.
    let (address, _) = canned(response("200 OK", STREAM, &said)).await;
    let events = all(&mut send(&at(&address, limits()), "openai/m").await.unwrap()).await;
    assert_eq!((events.len(), failure(&events).0), (2, FailureClass::Truncated));
}

#[tokio::test]
async fn silence_is_noticed_before_and_within_an_answer() {
    let guard = Limits { silence: Duration::from_millis(40), head: Duration::from_millis(40), ..limits() };
    let mute = serve(|mut socket| async move {
        request(&mut socket).await;
        let _ = socket.read(&mut [0]).await;
    });
    let refused = send(&at(&mute.await, guard.clone()), "openai/m").await.unwrap_err();
    assert_eq!(refused.class, FailureClass::Silence);
    let stalled = serve(|mut socket| async move {
        request(&mut socket).await;
        socket.write_all(&response("200 OK", STREAM, &chunk("and then"))).await.unwrap();
        let _ = socket.read(&mut [0]).await;
    });
    let patient = Limits { head: Duration::from_secs(60), ..guard };
    let events = all(&mut send(&at(&stalled.await, patient), "openai/m").await.unwrap()).await;
    assert_eq!((events.len(), failure(&events).0), (2, FailureClass::Silence));
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let (closed, seen) = oneshot::channel();
    let closed = Arc::new(std::sync::Mutex::new(Some(closed)));
    let address = serve(move |mut socket| {
        let closed = closed.clone();
        async move {
            request(&mut socket).await;
            socket.write_all(&response("200 OK", STREAM, &chunk("one"))).await.unwrap();
            // Ends when the client closes.
            let end = socket.read(&mut [0]).await;
            let closed = closed.lock().unwrap().take().unwrap();
            closed.send(matches!(end, Ok(0) | Err(_))).unwrap();
        }
    });
    let providers = at(&address.await, limits());
    let mut stream = send(&providers, "openai/m").await.unwrap();
    assert!(stream.next().await.is_some());
    drop(stream);
    assert!(seen.await.unwrap());
}

#[tokio::test]
async fn a_slow_reader_holds_the_sender_back() {
    const FRAMES: u64 = 600;
    let written = Arc::new(AtomicU64::new(0));
    let counter = written.clone();
    let frame = chunk(&"x".repeat(100_000));
    let (size, sent) = (frame.len() as u64, frame.clone());
    let address = serve(move |mut socket| {
        let (counter, frame) = (counter.clone(), sent.clone());
        async move {
            request(&mut socket).await;
            socket.write_all(&response("200 OK", STREAM, "")).await.unwrap();
            for _ in 0..FRAMES {
                if socket.write_all(frame.as_bytes()).await.is_err() {
                    return;
                }
                counter.fetch_add(frame.len() as u64, Ordering::Relaxed);
            }
            let _ = socket.write_all(b"data: [DONE]\n\n").await;
        }
    });
    let providers = at(&address.await, limits());
    let mut stream = send(&providers, "openai/m").await.unwrap();
    assert!(stream.next().await.is_some());
    // Everybody else gets every chance to run, until nothing moves any more.
    let (mut before, mut still) = (0, 0);
    while still < 3000 {
        yield_now().await;
        let now = written.load(Ordering::Relaxed);
        still = if now == before { still + 1 } else { 0 };
        before = now;
    }
    assert!(before < FRAMES * size / 2, "{before} bytes were sent to nobody");
    let rest = all(&mut stream).await;
    assert_eq!((rest.len() as u64, stream.raw_is_cut()), (FRAMES, true), "and nothing is lost");
}

#[tokio::test]
async fn sizes_are_bounded() {
    let endless = format!("data: {}", "x".repeat(5000));
    let (address, _) = canned(response("200 OK", STREAM, &endless)).await;
    let small = Limits { frame_bytes: 1000, ..limits() };
    let events = all(&mut send(&at(&address, small), "openai/m").await.unwrap()).await;
    assert_eq!(failure(&events), (FailureClass::Truncated, "a line or frame of more than 1000 bytes"));
    let (address, _) = canned(response("200 OK", STREAM, &chunk("word").repeat(1000))).await;
    let short = Limits { response_bytes: 3000, raw_bytes: 500, ..limits() };
    let mut stream = send(&at(&address, short), "openai/m").await.unwrap();
    let events = all(&mut stream).await;
    assert_eq!(failure(&events), (FailureClass::Truncated, "the answer is longer than 3000 bytes"));
    assert_eq!((stream.raw().len(), stream.raw_is_cut()), (500, true));
}
