//! A reader that leaves and comes back gets what one that stayed gets.

use crate::record::{assert_dense, texts};
use docket_tests::{
    model_server::{Gate, ModelServer, Piece, Script},
    server::{Backend, Server},
    sse::Event,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;

const ROUNDS: usize = 100;
/// Tokens in a round: more bytes than a reader takes before it leaves, so that it never waits in vain.
const TOKENS: usize = 40;
const MOST_BYTES: usize = 8_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_a_hundred_times_misses_nothing_on_sqlite() {
    a_reader_that_leaves_a_hundred_times_misses_nothing(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_a_hundred_times_misses_nothing_on_postgres() {
    a_reader_that_leaves_a_hundred_times_misses_nothing(Backend::Postgres).await;
}

async fn a_reader_that_leaves_a_hundred_times_misses_nothing(backend: Backend) {
    let (model, gate) = (ModelServer::start().await, Gate::default());
    let pieces = (0..ROUNDS).flat_map(|round| {
        let tokens = (0..TOKENS).map(move |n| Piece::Text(format!("{round}.{n} ")));
        [Piece::Gate(gate.clone())].into_iter().chain(tokens)
    });
    model.then(Script::Stream(pieces.chain([Piece::End]).collect()));
    let server = Server::with_model(backend, &model).await;
    let chat = server.chat("Count.").await;
    let mut stayed = server.events(&chat, Some(0)).await;
    let stayed = tokio::spawn(async move { stayed.until(Event::ends_turn).await });

    let mut random = StdRng::seed_from_u64(0x0d0c_ce71);
    let (mut left, mut late) = (Vec::<Event>::new(), None);
    for round in 0..ROUNDS {
        gate.open();
        let last = left.last().map_or(0, Event::position);
        let mut stream = server.events(&chat, Some(last)).await;
        stream.leave_after(random.random_range(1..MOST_BYTES));
        left.extend(stream.rest().await);
        if round == ROUNDS / 2 {
            let mut stream = server.events(&chat, None).await;
            late = Some(tokio::spawn(async move { stream.until(Event::ends_turn).await }));
        }
    }
    let last = left.last().map_or(0, Event::position);
    left.extend(server.events(&chat, Some(last)).await.until(Event::ends_turn).await);

    let stayed = stayed.await.unwrap();
    assert!(left == stayed, "{} events against {}", left.len(), stayed.len());
    assert_dense(&server.whole_log().await);
    let late = late.unwrap().await.unwrap();
    let now = server.events(&chat, None).await.next().await.unwrap().json();
    assert_eq!(folded(&late), texts(&now["messages"]));
    let text: String = (0..ROUNDS).flat_map(|round| (0..TOKENS).map(move |n| format!("{round}.{n} "))).collect();
    assert_eq!(texts(&now["messages"]), ["Count.".to_owned(), text]);
}

/// The texts of a snapshot's messages, and of the deltas after it.
fn folded(events: &[Event]) -> Vec<String> {
    assert_eq!(events[0].name, "snapshot");
    let snapshot = events[0].json();
    assert_eq!(snapshot["position"], events[0].position());
    let ids: Vec<&str> =
        snapshot["messages"].as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap()).collect();
    let mut texts = texts(&snapshot["messages"]);
    for event in events.iter().filter(|event| event.is("model_call.text_streamed")) {
        assert!(event.position() > events[0].position());
        let document: Value = event.json();
        let call = document["stream"].as_str().unwrap().strip_prefix("model_call-").unwrap();
        let at = ids.iter().position(|id| *id == call).expect("the snapshot has the message under way");
        texts[at].push_str(document["data"]["text"].as_str().unwrap());
    }
    texts
}
