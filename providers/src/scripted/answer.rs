//! Computes an answer from a request's bytes, frame by frame as it is read.

use super::{MODELS, action::Action, directive, document::Document, guided};
use crate::deltas::Deltas;
use bytes::Bytes;
use docket_domain::{
    conversation::{Message, PromptPart, ToolOutput, ToolResult},
    failure::{Failure, FailureClass},
    model_call::event::ModelCallEvent,
    usage::{StopReason, Usage},
};
use std::{collections::VecDeque, time::Duration, vec};

/// Bytes that count as a token.
const BYTES_PER_TOKEN: u64 = 4;
/// Characters of a tool's input in one delta.
const INPUT_PIECE: usize = 12;
/// How much of a result is quoted at the end of a script, in characters.
const QUOTED: usize = 200;

/// One line of the answer, and how long it takes to come.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) delay: Duration,
    pub(crate) line: Bytes,
}

/// The answer, computed lazily: a million tokens take no room.
#[derive(Debug)]
pub(crate) struct Answer {
    actions: vec::IntoIter<Action>,
    /// Words of a `@tokens` that are still to be said: the next one and the total.
    tokens: Option<(u64, u64)>,
    deltas: Deltas,
    queue: VecDeque<ModelCallEvent>,
    block: u32,
    /// Answers of the conversation so far; makes the ids of calls unique in it.
    turn: usize,
    calls: usize,
    pace: u64,
    stop: Option<StopReason>,
    usage: Usage,
}

impl Answer {
    /// # Errors
    /// The failure that the script wants before any delta; `ContextOverflow` if the request is longer than the model's
    /// window; `Configuration` for a model that there is not.
    pub(crate) fn new(body: &[u8]) -> Result<Self, Failure> {
        let document: Document = serde_json::from_slice(body)
            .map_err(|error| Failure::new(FailureClass::Configuration, format!("the request is malformed: {error}")))?;
        let window = MODELS.iter().find(|(name, _)| *name == document.model).map(|(_, window)| *window);
        let window =
            window.ok_or_else(|| Failure::new(FailureClass::Configuration, format!("there is no model {}", document.model)))?;
        let input = body.len() as u64 / BYTES_PER_TOKEN;
        if input > window {
            let message = format!("the request has about {input} tokens, more than the {window} of the model's context window");
            return Err(Failure::new(FailureClass::ContextOverflow, message));
        }
        let actions = plan(&document);
        if let Some(Action::Fail(failure)) = actions.iter().find(|action| !matches!(action, Action::Pace(_))) {
            return Err(failure.clone());
        }
        let turn = document.messages.iter().filter(|message| matches!(message, Message::Assistant { .. })).count();
        Ok(Self {
            actions: actions.into_iter(),
            tokens: None,
            deltas: Deltas::default(),
            queue: VecDeque::new(),
            block: 0,
            turn,
            calls: 0,
            pace: 0,
            stop: None,
            usage: Usage { input: Some(input), output: Some(0), reasoning: Some(0), ..Usage::default() },
        })
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Say(text) => {
                for word in text.split_inclusive(char::is_whitespace) {
                    self.deltas.text(self.block, word);
                }
                self.block += 1;
            }
            Action::Think(text) => {
                for word in text.split_inclusive(char::is_whitespace) {
                    self.deltas.reasoning(self.block, word);
                    self.usage.reasoning = self.usage.reasoning.map(|count| count + 1);
                }
                self.block += 1;
            }
            Action::Tokens(total) => self.tokens = (total > 0).then_some((1, total)),
            Action::Call { tool, input } => {
                let id = format!("call_{}_{}", self.turn, self.calls);
                self.calls += 1;
                self.deltas.tool_call(self.block, &id, &tool, "");
                let characters: Vec<char> = input.chars().collect();
                for piece in characters.chunks(INPUT_PIECE) {
                    self.deltas.tool_input(self.block, &piece.iter().collect::<String>());
                }
                self.block += 1;
            }
            Action::Fail(failure) => self.deltas.failed(failure),
            Action::Pace(pace) => self.pace = pace,
            Action::Stop(stop) => self.stop = Some(stop),
            Action::Usage(input) => self.usage.input = Some(input),
        }
    }

    fn finish(&mut self) {
        let stop = if self.calls > 0 { StopReason::ToolUse } else { StopReason::EndOfTurn };
        self.deltas.usage(self.usage);
        self.deltas.finished(self.stop.unwrap_or(stop));
    }
}

impl Iterator for Answer {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        while self.queue.is_empty() {
            if let Some((number, total)) = self.tokens {
                let end = if number == total { "" } else { " " };
                self.deltas.text(self.block, &format!("word{number}{end}"));
                self.tokens = (number < total).then_some((number + 1, total));
                self.block += u32::from(number == total);
            } else if self.deltas.ended() {
                return None;
            } else if let Some(action) = self.actions.next() {
                self.act(action);
            } else {
                self.finish();
            }
            self.queue.extend(self.deltas.take());
        }
        let event = self.queue.pop_front()?;
        let terminal = matches!(
            event,
            ModelCallEvent::UsageReported { .. } | ModelCallEvent::Finished { .. } | ModelCallEvent::Failed { .. }
        );
        if !terminal {
            self.usage.output = self.usage.output.map(|count| count + 1);
        }
        let mut line = serde_json::to_vec(&event).unwrap_or_default();
        line.push(b'\n');
        Some(Frame { delay: Duration::from_millis(if terminal { 0 } else { self.pace }), line: line.into() })
    }
}

/// What to do in this answer.
fn plan(document: &Document) -> Vec<Action> {
    let last_prompt = document.messages.iter().rposition(|message| matches!(message, Message::User { .. }));
    let prompt = last_prompt.map(|at| prompt(&document.messages[at])).unwrap_or_default();
    let since = &document.messages[last_prompt.map_or(0, |at| at + 1)..];
    if let Some(mut steps) = directive::steps(&prompt) {
        if since.len() >= steps.len() {
            return vec![Action::say(closing(since.last()))];
        }
        let mut step = steps.swap_remove(since.len());
        if document.tools.is_empty() {
            step.iter_mut().for_each(unoffered);
        }
        return step;
    }
    if document.tools.is_empty() {
        return vec![Action::say(without_tools(document, &prompt))];
    }
    let done: Vec<_> = since.iter().flat_map(Message::tool_calls).collect();
    guided::next(&prompt, &document.tools, &done)
}

fn prompt(message: &Message) -> String {
    let texts = match message {
        Message::User { content, .. } => content.iter().map(|PromptPart::Text { text }| text.as_str()).collect(),
        Message::Assistant { .. } => Vec::new(),
    };
    texts.join("\n")
}

/// A request without tools (a summary, a title) must not be answered with a call.
fn unoffered(action: &mut Action) {
    if let Action::Call { tool, .. } = action {
        *action = Action::say(format!("I am offered no tools, so I do not call {tool}."));
    }
}

fn without_tools(document: &Document, prompt: &str) -> String {
    let count = document.messages.len();
    let mut asked = document.messages.iter().map(self::prompt).filter(|text| !text.is_empty());
    let first = cut(&asked.next().unwrap_or_default());
    format!(
        "I am the scripted model, without tools here. The conversation has {count} messages. It began with: “{first}” It now says: “{}”",
        cut(prompt)
    )
}

fn closing(last: Option<&Message>) -> String {
    let calls = last.into_iter().flat_map(Message::tool_calls);
    let results = calls.map(|(call, result)| match result {
        Some(ToolResult { outcome, output: ToolOutput::Inline { text } }) => {
            format!("\n{} ({outcome}): {}", call.name, cut(text))
        }
        _ => format!("\n{}: no result", call.name),
    });
    format!("The script is at its end.{}", results.collect::<String>())
}

fn cut(text: &str) -> String {
    text.trim().chars().take(QUOTED).collect()
}
