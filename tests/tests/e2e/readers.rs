//! Very many readers.

use crate::record::{assert_whole, streamed};
use docket_tests::{
    model_server::{Gate, ModelServer, Piece, Script},
    server::{Backend, Server},
    sse::{Event, EventStream},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const READERS: usize = 1_000;
const TOKENS: usize = 40;

/// Each of them gets every event of the chat once, in order; those who come in the middle, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_readers_each_get_everything_once_and_in_order() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let (model, gate) = (ModelServer::start().await, Gate::default());
    let tokens = |from: usize| (from..from + TOKENS / 2).map(|n| Piece::Text(format!("word{n} ")));
    let pieces = [Piece::Gate(gate.clone())].into_iter().chain(tokens(0)).chain([Piece::Gate(gate.clone())]);
    model.then(Script::Stream(pieces.chain(tokens(TOKENS / 2)).chain([Piece::End]).collect()));
    let server = Server::with_model(Backend::Sqlite, &model).await;
    let chat = server.chat("Count.").await;
    gate.reached(1).await;

    let mut reading = Vec::new();
    for number in 0..READERS {
        if number == READERS / 2 {
            gate.open();
            gate.reached(2).await;
        }
        let mut stream = server.events(&chat, Some(0)).await;
        reading.push(tokio::spawn(async move { stream.until(Event::ends_turn).await }));
    }
    gate.open();
    let history = server.turns(&chat, 1).await;
    assert_eq!(streamed(&history).len(), TOKENS);
    assert_whole(&history);
    let mut compared = 0;
    for read in reading {
        let events = read.await.unwrap();
        assert!(events == history, "a reader got something else than the record");
        compared += events.len();
    }
    assert!(compared >= READERS * TOKENS, "{compared}");
}

/// One that reads up to a position is told that the log has come there, whoever's events these are.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_up_to_a_position_ends_there_though_nothing_is_for_it() {
    let server = Server::start(Backend::Sqlite).await;
    let (quiet, busy) = (server.chat("@say Hello.").await, server.chat("@say Hello.").await);
    let history = server.turns(&quiet, 1).await;
    let until = server.turns(&busy, 1).await.last().unwrap().position() + 3;
    let path = format!("/api/v1/chats/{quiet}/events?after=0&until={until}");
    let mut stream = EventStream::open(server.address(), &path, &server.token(), None).await;
    assert_eq!(stream.until(Event::ends_turn).await, history);
    server.say(&busy, "@say Once more.", "turn_end").await;
    assert_eq!(stream.rest().await, []);
}
