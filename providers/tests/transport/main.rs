//! The transport against a server of our own, which does what servers should not do.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod contract;
mod listing;
mod refusals;
mod server;

use docket_domain::{
    conversation::{Message, PromptPart},
    failure::{Failure, FailureClass},
    ids::MessageId,
    model_call::ModelCallEvent,
};
use docket_providers::{EncodedRequest, Limits, ModelRequest, ModelStream, Providers};
use std::{collections::HashMap, time::Duration};
use uuid::Uuid;

const KEY: &str = "sk-very-secret-key";

/// A guard that is never reached in a test that does not mean to.
fn limits() -> Limits {
    Limits { silence: Duration::from_secs(60), head: Duration::from_secs(60), ..Limits::default() }
}

fn providers(variables: &[(&str, &str)], limits: Limits) -> Providers {
    Providers::with_limits(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()), limits)
        .unwrap()
}

/// Both providers at one address.
fn at(address: &str, limits: Limits) -> Providers {
    let url = format!("http://{address}");
    let names =
        [("ANTHROPIC_API_KEY", KEY), ("ANTHROPIC_BASE_URL", &*url), ("OPENAI_API_KEY", KEY), ("OPENAI_BASE_URL", &*url)];
    providers(&names, limits)
}

fn hello(providers: &Providers, model: &str) -> EncodedRequest {
    let content = vec![PromptPart::Text { text: "Hello".to_owned() }];
    let (model, outputs) = (model.parse().unwrap(), HashMap::new());
    let messages = [Message::User { id: MessageId(Uuid::nil()), content }];
    let request =
        ModelRequest { model: &model, system: "", messages: &messages, outputs: &outputs, tools: &[], max_output_tokens: None };
    providers.encode(&request).unwrap()
}

async fn send(providers: &Providers, model: &str) -> Result<ModelStream, Failure> {
    providers.send(&hello(providers, model)).await
}

async fn all(stream: &mut ModelStream) -> Vec<ModelCallEvent> {
    let mut events = Vec::new();
    while let Some(frame) = stream.next().await {
        events.extend(frame);
    }
    events
}

fn failure(events: &[ModelCallEvent]) -> (FailureClass, &str) {
    match events.last() {
        Some(ModelCallEvent::Failed { failure, .. }) => (failure.class, &failure.message),
        other => panic!("{other:?}"),
    }
}
