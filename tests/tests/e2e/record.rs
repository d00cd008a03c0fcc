//! What the record says.

use docket_tests::sse::Event;
use serde_json::Value;

pub fn named<'a>(events: &'a [Event], name: &str) -> Vec<&'a Event> {
    events.iter().filter(|event| event.name == name).collect()
}

pub fn count(events: &[Event], name: &str) -> usize {
    named(events, name).len()
}

/// The deltas of text, in order.
pub fn streamed(events: &[Event]) -> Vec<String> {
    let deltas = named(events, "model_call.text_streamed");
    deltas.iter().map(|event| event.payload()["text"].as_str().unwrap().to_owned()).collect()
}

/// What the tools answered, in the order of the record: outcome and text.
pub fn results(events: &[Event]) -> Vec<(String, String)> {
    let results = named(events, "chat.tool_call_completed").into_iter().map(|event| {
        let result = event.payload()["result"].take();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&result["outcome"]), text(&result["output"]["text"]))
    });
    results.collect()
}

/// The one result that is there.
pub fn only_result(events: &[Event]) -> (String, String) {
    let mut results = results(events);
    assert_eq!(results.len(), 1, "{results:?}");
    results.remove(0)
}

pub fn positions(events: &[Event]) -> Vec<u64> {
    events.iter().map(Event::position).collect()
}

/// Panics unless these are all events of a log.
pub fn assert_dense(log: &[Event]) {
    let all: Vec<u64> = (1..=log.len() as u64).collect();
    assert!(positions(log) == all, "the log has holes, repeats or another order");
}

/// Panics unless `seen` is in `history` byte for byte.
pub fn assert_holds(history: &[Event], seen: &[Event]) {
    for event in seen {
        assert!(history.contains(event), "what a client had seen is not in the record: {event:?}");
    }
}

/// Panics unless each turn began and ended once, and each tool call was asked for, done and answered once.
pub fn assert_whole(events: &[Event]) {
    let ids = |name: &str, pointer: &str| {
        let mut ids: Vec<String> =
            named(events, name).iter().map(|event| event.payload().pointer(pointer).unwrap().to_string()).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name} is recorded twice for the same id");
        ids
    };
    let mut ended = ids("chat.turn_completed", "/turn_id");
    ended.extend(ids("chat.turn_interrupted", "/turn_id"));
    ended.extend(ids("chat.turn_failed", "/turn_id"));
    ended.sort();
    assert_eq!(ids("chat.turn_requested", "/turn_id"), ended, "turns that began and turns that ended");
    let mut closed = ids("chat.tool_call_completed", "/tool_call_id");
    closed.extend(ids("chat.tool_call_cancelled", "/tool_call_id"));
    closed.sort();
    assert_eq!(ids("chat.tool_call_requested", "/call/id"), closed, "tool calls and their results");
}

/// The text of each message of a snapshot or page, in order.
pub fn texts(messages: &Value) -> Vec<String> {
    let text = |message: &Value| {
        let parts = message["content"].as_array().unwrap().iter().chain(message["parts"].as_array().unwrap());
        parts.filter_map(|part| part["text"].as_str()).collect::<String>()
    };
    messages.as_array().unwrap().iter().map(text).collect()
}
