//! One event as a client gets it.

use bytes::Bytes;
use docket_eventlog::Recorded;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Event<'a> {
    position: u64,
    stream: String,
    sequence: u64,
    r#type: &'a str,
    recorded_at: i64,
    actor: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
}

/// The part of the metadata that everyone who sees the event may see.
#[derive(serde::Deserialize)]
struct Visible<'a> {
    #[serde(borrow)]
    actor: Option<&'a RawValue>,
}

/// `id:`, `event:` and `data:` of a recorded event; `data` holds its payload byte for byte. Made once for all readers.
pub fn event_frame(event: &Recorded) -> Bytes {
    event.encoded(encode)
}

fn encode(event: &Recorded) -> Bytes {
    let event_type = &*event.event_type;
    let actor = serde_json::from_slice::<Visible<'_>>(&event.metadata).ok().and_then(|visible| visible.actor);
    let body = Event {
        position: event.position,
        stream: event.stream.to_string(),
        sequence: event.sequence,
        r#type: event_type,
        recorded_at: event.recorded_at,
        actor,
        data: serde_json::from_slice(&event.payload).ok(),
    };
    let mut frame = Vec::with_capacity(event.payload.len() + 300);
    frame.extend_from_slice(format!("id: {}\nevent: {event_type}\ndata: ", event.position).as_bytes());
    write_json(&body, &mut frame);
    frame.shrink_to_fit();
    frame.into()
}

/// Appends an event of the stream itself, which is not in the log.
pub fn named_frame(name: &str, id: Option<u64>, body: &impl Serialize, into: &mut Vec<u8>) {
    if let Some(id) = id {
        into.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    into.extend_from_slice(format!("event: {name}\ndata: ").as_bytes());
    write_json(body, into);
}

fn write_json(body: &impl Serialize, into: &mut Vec<u8>) {
    let begin = into.len();
    if serde_json::to_writer(&mut *into, body).is_err() {
        into.truncate(begin);
        into.extend_from_slice(b"null");
    }
    // A line break in JSON stands only between tokens, where a space means the same; in the stream it would end the line.
    into[begin..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    into.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use docket_eventlog::StreamId;

    #[test]
    fn an_event_is_one_line_of_data_even_if_its_payload_has_line_breaks() {
        let event = Recorded {
            position: 7,
            stream: StreamId::new("chat", "x"),
            scope: None,
            sequence: 1,
            event_type: "chat.titled".into(),
            event_version: "1".into(),
            payload: bytes::Bytes::from_static(b"{\n\"title\":\"a\\nb\"}"),
            metadata: bytes::Bytes::from_static(b"{\"actor\":\"system\",\"on_behalf_of\":\"secret\"}"),
            recorded_at: 5,
            leaf_hash: [0; 32],
            encoded: docket_eventlog::Encoded::default(),
        };
        let text = String::from_utf8(event_frame(&event).to_vec()).unwrap();
        assert_eq!(
            text,
            "id: 7\nevent: chat.titled\ndata: {\"position\":7,\"stream\":\"chat-x\",\"sequence\":1,\"type\":\"chat.titled\",\
             \"recorded_at\":5,\"actor\":\"system\",\"data\":{ \"title\":\"a\\nb\"}}\n\n"
        );
    }
}
