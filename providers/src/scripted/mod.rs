//! The built-in model that needs no network and no key. Its answer is a pure function of the request's bytes.
//!
//! Without directions it performs a short guided task with the real tools in a real workspace, at a pace that a person can
//! follow: it lists the templates, creates a workspace, writes a small script there, runs it, reads it back and reports.
//! A tool that is not offered, or an error, makes it say so and end. Where no tools are offered at all it answers in words.
//!
//! **Its little language.** If the last user message has directives, each on its own line, it follows them instead; other
//! lines are remarks.
//!
//! | Directive | Meaning |
//! |---|---|
//! | `@say TEXT` | streams the text, a word a delta |
//! | `@tokens N` | streams N deltas of one word |
//! | `@think TEXT` | streams the text as reasoning |
//! | `@call TOOL {json}` | calls a tool; several in one step are parallel calls. The input is streamed as written, right or wrong; none means `{}` |
//! | `@step` | what follows belongs to the next model call, made when the results of this one have come |
//! | `@fail CLASS MESSAGE` | the call fails with this class (snake case, as in `rate_limit`). First in its step: the request is refused; otherwise the stream breaks there. Every try of that step fails alike |
//! | `@pace MS` | waits so long before each delta from here on, also in later steps (without it: 0) |
//! | `@stop REASON` | the stop reason to report (`end_of_turn`, `max_tokens`, `refusal`, `pause`, …) |
//! | `@usage N` | the number of input tokens to report, instead of a quarter of the request's bytes |
//!
//! A step is chosen by the number of answers since that message, so the turn goes through the steps in order. A step
//! without a call ends the turn. After the last step the answer quotes the results of the calls.
//!
//! `scripted/guided` has a window of 200,000 tokens and `scripted/small` one of 8,000 (four bytes each); a longer request is
//! refused with a context overflow, as a real model would.
//!
//! On its "wire" each line is one event of the common vocabulary as JSON.

mod action;
mod answer;
mod directive;
mod document;
mod guided;

pub(crate) use answer::{Answer, Frame};
pub(crate) use document::encode;

use crate::{deltas::Deltas, model_list::ModelInfo};
use docket_domain::{
    failure::{Failure, FailureClass},
    model_call::event::ModelCallEvent,
    model_name::{InvalidModelName, ModelName},
};

/// The name of the provider.
pub const PROVIDER: &str = "scripted";

/// The models and their context windows, in tokens.
pub(crate) const MODELS: [(&str, u64); 2] = [("guided", 200_000), ("small", 8_000)];

/// The models, as they are listed.
pub(crate) fn models() -> Result<Vec<ModelInfo>, InvalidModelName> {
    let models = MODELS.iter().map(|(model, window)| {
        Ok(ModelInfo {
            name: format!("{PROVIDER}/{model}").parse()?,
            provider: PROVIDER.to_owned(),
            display_name: None,
            context_window: Some(*window),
            max_output_tokens: None,
        })
    });
    models.collect()
}

/// The model that performs the guided task.
pub(crate) fn guided() -> Result<ModelName, InvalidModelName> {
    format!("{PROVIDER}/guided").parse()
}

/// Interprets one line of an answer.
pub(crate) fn line(line: &[u8], out: &mut Deltas) {
    if line.is_empty() {
        return;
    }
    match serde_json::from_slice::<ModelCallEvent>(line) {
        Ok(event) => out.ready(event),
        Err(_) => out.failed(Failure::new(FailureClass::Truncated, "the answer holds a malformed or cut line")),
    }
}
