//! A chat that goes on with another provider: every ordered pair.

use crate::{
    MODELS, answer,
    answers::{protocol, recorded},
    body, encode, result,
    rules::assert_rules,
    user,
};
use docket_domain::conversation::{AssistantPart, Message, ToolOutcome};
use serde_json::Value;

/// A conversation in which `model` gave every answer that was recorded of it.
fn conversation(model: &str) -> Vec<Message> {
    let mut messages = vec![user("Hello")];
    for (n, one) in recorded().iter().enumerate().filter(|(_, one)| one.model == model) {
        let parts = one.whole(n as u128);
        let calls = parts.iter().filter(|part| matches!(part, AssistantPart::ToolCall(_))).count();
        messages.push(answer(model, parts, vec![result(ToolOutcome::Ok, "a result"); calls]));
        messages.push(user("Go on."));
    }
    assert!(messages.len() > 3, "{model}");
    messages
}

/// What only its own maker understands: proofs, encrypted items, blocks of its own tools.
fn secrets(messages: &[Message]) -> Vec<String> {
    let mut secrets = Vec::new();
    for message in messages {
        let Message::Assistant { parts, .. } = message else { continue };
        for part in parts {
            match part {
                AssistantPart::Reasoning { signature: Some(signature), .. } => secrets.push(signature.clone()),
                AssistantPart::Opaque { data, .. } => {
                    let block: Value = serde_json::from_str(data).unwrap();
                    let paths = ["/encrypted_content", "/data", "/thoughtSignature", "/reasoningContent/redactedContent"];
                    secrets.extend(paths.iter().filter_map(|path| Some(block.pointer(path)?.as_str()?.to_owned())));
                }
                _ => {}
            }
        }
    }
    secrets.retain(|secret| secret.len() > 12);
    secrets
}

#[test]
fn every_switch_keeps_what_was_said_and_drops_what_only_the_other_understands() {
    let mut pairs = 0;
    for from in MODELS {
        let messages = conversation(from);
        let secrets = secrets(&messages);
        assert!(!secrets.is_empty() || from.starts_with("openai/"), "{from}");
        for to in MODELS {
            let request = encode(to, "Be brief.", &messages);
            let body = body(&request);
            assert_rules(protocol(to), &body);
            let sent = String::from_utf8(request.body().to_vec()).unwrap();
            for secret in &secrets {
                let encoded = serde_json::to_string(secret).unwrap();
                assert_eq!(sent.contains(encoded.trim_matches('"')), from == to, "{from} -> {to}: {secret}");
            }
            let mut texts = Vec::new();
            strings(&body, &mut texts);
            for message in &messages {
                let Message::Assistant { parts, .. } = message else { continue };
                for part in parts {
                    match part {
                        AssistantPart::Text { text } => {
                            let said = text.trim().is_empty() || texts.iter().any(|sent| sent.contains(text));
                            assert!(said, "{from} -> {to}: {text}");
                        }
                        AssistantPart::ToolCall(call) => assert!(texts.contains(&call.name.as_str()), "{from} -> {to}"),
                        _ => {}
                    }
                }
            }
            assert!(texts.iter().any(|text| text.contains("a result")));
            pairs += usize::from(from != to);
        }
    }
    assert_eq!(pairs, 30);
}

/// A model of the same provider but another maker (Bedrock has many) does not get the proofs either.
#[test]
fn bedrock_models_do_not_get_each_others_proofs() {
    let messages = conversation("bedrock/us.anthropic.claude-sonnet-4-6");
    let request = encode("bedrock/us.amazon.nova-pro-v1:0", "", &messages);
    assert_rules(protocol("bedrock/x"), &body(&request));
    let sent = String::from_utf8(request.body().to_vec()).unwrap();
    assert!(secrets(&messages).iter().all(|secret| !sent.contains(secret.as_str())));
}

fn strings<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => out.push(text),
        Value::Array(list) => list.iter().for_each(|value| strings(value, out)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, out)),
        _ => {}
    }
}
