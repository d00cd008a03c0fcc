//! The leaf hash is the same function in SQL and in Rust.

use crate::fixture::*;
use docket_eventlog::{Append, NewEvent};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};

on_both! {
    rust_and_sql_agree
}

/// Any text goes into names and payloads; what the database computed and stored is computed again from the row.
async fn rust_and_sql_agree(fixture: Fixture) {
    let log = fixture.open().await;
    let mut runner = TestRunner::deterministic();
    let name = "[^\0]{1,40}";
    let values = (name, name, vec(any::<String>(), 1..5));
    for _ in 0..30 {
        let (id, event_type, payloads) = values.new_tree(&mut runner).unwrap().current();
        let event = |payload: &String| NewEvent {
            event_type: event_type.clone().into(),
            ..event(serde_json::to_string(payload).unwrap())
        };
        let events = payloads.iter().map(event).collect();
        log.append(Append { events, ..append(&chat(id), "") }).await.unwrap();
    }
    log.close().await;
    // Read from rows, and compared in there.
    assert_sound(&fixture.open().await).await;
}
