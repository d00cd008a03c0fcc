//! The recorded exchanges.

use docket_providers::Protocol;
use serde_json::Value;
use std::{fs, path::PathBuf};

pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Value,
}

/// How many streams of each folder there are: a recording that is not read would prove nothing.
const FOLDERS: [(&str, usize); 7] = [
    ("anthropic", 26),
    ("azure", 10),
    ("bedrock", 15),
    ("compat", 9),
    ("gemini", 20),
    ("openai-chat", 14),
    ("openai-responses", 22),
];

/// All that are streams, in the order of their names.
pub(crate) fn recordings() -> Vec<Recording> {
    let mut all = Vec::new();
    for (folder, count) in FOLDERS {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
        let before = all.len();
        for entry in fs::read_dir(&root).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            let mut bytes = fs::read(&path).unwrap();
            let name = if let Some(name) = file.strip_suffix(".sse").or_else(|| file.strip_suffix(".bin")) {
                name
            } else if let Some(name) = file.strip_suffix(".chunks.jsonl") {
                let text = String::from_utf8(bytes).unwrap();
                bytes = text.lines().map(|line| format!("data: {line}\n\n")).collect::<String>().into_bytes();
                name
            } else {
                continue;
            };
            let expected = fs::read(root.join(format!("{name}.expected.json"))).unwrap();
            let expected = serde_json::from_slice(&expected).unwrap();
            all.push(Recording { protocol: protocol(folder, name), name: format!("{folder}/{name}"), bytes, expected });
        }
        assert_eq!(all.len() - before, count, "a recording in {folder} was lost");
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn protocol(folder: &str, name: &str) -> Protocol {
    match folder {
        "anthropic" => Protocol::AnthropicMessages,
        "openai-responses" => Protocol::OpenAiResponses,
        "azure" if !name.starts_with("chat-") => Protocol::OpenAiResponses,
        "azure" | "openai-chat" | "compat" => Protocol::OpenAiChat,
        "gemini" => Protocol::Gemini,
        "bedrock" => Protocol::BedrockConverse,
        _ => panic!("{folder}"),
    }
}

/// The answers of a recording: one, but two files hold several streams, one after the other.
pub(crate) fn answers(recording: &Recording) -> Vec<Recording> {
    let start: &[u8] = match recording.name.as_str() {
        "anthropic/vercel-tool-search-regex" => b"data: {\"type\":\"message_start\"",
        "azure/vercel-responses-reasoning-encrypted" => b"data: {\"type\":\"response.created\"",
        _ => b"",
    };
    let begins = |at: &usize| *at == 0 || (!start.is_empty() && recording.bytes[*at..].starts_with(start));
    let starts: Vec<usize> = (0..recording.bytes.len()).filter(begins).collect();
    assert_eq!(starts.len() > 1, !start.is_empty(), "{}", recording.name);
    let ends = starts.iter().skip(1).copied().chain([recording.bytes.len()]);
    let answer = |(start, end): (&usize, usize)| Recording {
        name: recording.name.clone(),
        protocol: recording.protocol,
        bytes: recording.bytes[*start..end].to_vec(),
        expected: recording.expected.clone(),
    };
    starts.iter().zip(ends).map(answer).collect()
}

/// The documents of a stream, read without the crate: of server-sent events the `data:` lines (none of the recordings has
/// one of several), of binary frames the payloads under their event's name.
pub(crate) fn documents(recording: &Recording) -> Vec<Value> {
    if recording.protocol != Protocol::BedrockConverse {
        let text = String::from_utf8(recording.bytes.clone()).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
        return lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    let (mut documents, mut rest) = (Vec::new(), &recording.bytes[..]);
    while !rest.is_empty() {
        let (frame, after) = rest.split_at(number(&rest[..4]));
        let headers = number(&frame[4..8]);
        let name = String::from_utf8_lossy(&frame[12..12 + headers]).into_owned();
        let payload: Value = serde_json::from_slice(&frame[12 + headers..frame.len() - 4]).unwrap_or_default();
        let events = ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"];
        let event = events.into_iter().find(|event| name.contains(event)).unwrap_or("other");
        documents.push(serde_json::json!({ event: payload }));
        rest = after;
    }
    documents
}
