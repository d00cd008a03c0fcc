//! From the bytes of an answer to the common events: pure, incremental, the same for every way of cutting the bytes.

use crate::{
    anthropic_messages,
    aws::{BrokenFrame, FrameCutter},
    bedrock,
    deltas::Deltas,
    gemini,
    limits::Limits,
    lines::{Lines, TooLong},
    openai_chat, openai_responses,
    protocol::Protocol,
    scripted,
    sse::{SseCutter, SseFrame},
};
use docket_domain::{
    failure::{Failure, FailureClass},
    model_call::event::ModelCallEvent,
};

/// Decodes one answer. Feed it with [`push`](Self::push), take what it yields with [`next_frame`](Self::next_frame) until
/// that is `None`, and close it with [`end`](Self::end) when the connection has ended. Over its whole life it yields
/// exactly one terminal event (`Finished` or `Failed`), as the last one.
///
/// A raw response that was kept can be decoded again at any time, and yields the same events.
#[derive(Debug)]
pub struct Decoder {
    interpreter: Interpreter,
    deltas: Deltas,
}

/// How the bytes are cut, and who reads the pieces.
#[derive(Debug)]
enum Interpreter {
    Sse(SseCutter, Dialect),
    Bedrock(FrameCutter, bedrock::Interpreter),
    Scripted(Lines),
}

/// The protocols whose pieces are server-sent events.
#[derive(Debug)]
enum Dialect {
    AnthropicMessages(anthropic_messages::Interpreter),
    OpenAiResponses(openai_responses::Interpreter),
    OpenAiChat(openai_chat::Interpreter),
    Gemini(gemini::Interpreter),
}

/// Bytes that cannot be cut any further.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    TooLong(#[from] TooLong),
    #[error(transparent)]
    Frame(#[from] BrokenFrame),
}

impl Decoder {
    /// Only `limits.frame_bytes` matters here.
    #[must_use]
    pub fn new(protocol: Protocol, limits: &Limits) -> Self {
        let limit = limits.frame_bytes;
        let sse = |dialect| Interpreter::Sse(SseCutter::new(limit), dialect);
        let interpreter = match protocol {
            Protocol::AnthropicMessages => sse(Dialect::AnthropicMessages(Default::default())),
            Protocol::OpenAiResponses => sse(Dialect::OpenAiResponses(Default::default())),
            Protocol::OpenAiChat => sse(Dialect::OpenAiChat(Default::default())),
            Protocol::Gemini => sse(Dialect::Gemini(Default::default())),
            Protocol::BedrockConverse => Interpreter::Bedrock(FrameCutter::new(limit), Default::default()),
            Protocol::Scripted => Interpreter::Scripted(Lines::new(limit)),
        };
        Self { interpreter, deltas: Deltas::default() }
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.interpreter {
            Interpreter::Sse(cutter, _) => cutter.push(bytes),
            Interpreter::Bedrock(cutter, _) => cutter.push(bytes),
            Interpreter::Scripted(lines) => lines.push(bytes),
        }
    }

    /// The events of the next frame that has any; `None` when more bytes are needed, or after the terminal event.
    pub fn next_frame(&mut self) -> Option<Vec<ModelCallEvent>> {
        while !self.ended() {
            match self.step() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => self.fail(&error.to_string()),
            }
            let events = self.deltas.take();
            if !events.is_empty() {
                return Some(events);
            }
        }
        None
    }

    /// The connection has ended: the events of what was left, among them the terminal one if it was still due.
    pub fn end(&mut self) -> Option<Vec<ModelCallEvent>> {
        if self.ended() {
            return None;
        }
        if let Err(error) = self.rest() {
            self.fail(&error.to_string());
        }
        if !self.ended() {
            self.fail("the answer ended before its end was announced");
        }
        Some(self.deltas.take())
    }

    /// Ends the answer with a failure that was found outside (silence, a broken connection).
    pub(crate) fn abort(&mut self, failure: Failure) -> Option<Vec<ModelCallEvent>> {
        if self.ended() {
            return None;
        }
        self.deltas.failed(failure);
        Some(self.deltas.take())
    }

    /// Whether the terminal event was handed out.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.deltas.ended()
    }

    /// Interprets one frame; `false` when there is none yet.
    fn step(&mut self) -> Result<bool, Unreadable> {
        match &mut self.interpreter {
            Interpreter::Sse(cutter, dialect) => {
                let Some(frame) = cutter.next_frame()? else { return Ok(false) };
                dialect.frame(&frame, &mut self.deltas);
            }
            Interpreter::Bedrock(cutter, converse) => {
                let Some(frame) = cutter.next_frame()? else { return Ok(false) };
                converse.frame(&frame, &mut self.deltas);
            }
            Interpreter::Scripted(lines) => {
                let Some(line) = lines.next_line()? else { return Ok(false) };
                scripted::line(&line, &mut self.deltas);
            }
        }
        Ok(true)
    }

    /// Interprets what was left without its end, and the end of the connection where that is the end of the answer.
    fn rest(&mut self) -> Result<(), Unreadable> {
        match &mut self.interpreter {
            Interpreter::Sse(cutter, dialect) => {
                if let Some(frame) = cutter.rest()? {
                    dialect.frame(&frame, &mut self.deltas);
                }
                if !self.deltas.ended() {
                    dialect.end(&mut self.deltas);
                }
            }
            Interpreter::Bedrock(cutter, converse) => {
                cutter.end()?;
                converse.end(&mut self.deltas);
            }
            Interpreter::Scripted(lines) => {
                if let Some(line) = lines.rest() {
                    scripted::line(&line, &mut self.deltas);
                }
            }
        }
        Ok(())
    }

    fn fail(&mut self, message: &str) {
        self.deltas.failed(Failure::new(FailureClass::Truncated, message));
    }
}

impl Dialect {
    fn frame(&mut self, frame: &SseFrame, out: &mut Deltas) {
        match self {
            Self::AnthropicMessages(messages) => messages.frame(frame, out),
            Self::OpenAiResponses(responses) => responses.frame(frame, out),
            Self::OpenAiChat(chat) => chat.frame(frame, out),
            Self::Gemini(gemini) => gemini.frame(frame, out),
        }
    }

    /// The connection ended. Anthropic's and OpenAI's newer protocol announce their end, so nothing ends with it.
    fn end(&mut self, out: &mut Deltas) {
        match self {
            Self::OpenAiChat(chat) => chat.end(out),
            Self::Gemini(gemini) => gemini.end(out),
            Self::AnthropicMessages(_) | Self::OpenAiResponses(_) => {}
        }
    }
}
