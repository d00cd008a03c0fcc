//! From the bytes of an answer to the common events: pure, incremental, the same for every way of cutting the bytes.

use crate::{
    anthropic_messages, deltas::Deltas, limits::Limits, lines::Lines, lines::TooLong, openai_chat, protocol::Protocol,
    scripted, sse::SseCutter,
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

#[derive(Debug)]
enum Interpreter {
    AnthropicMessages(SseCutter, anthropic_messages::Interpreter),
    OpenAiChat(SseCutter, openai_chat::Interpreter),
    Scripted(Lines),
}

impl Decoder {
    /// Only `limits.frame_bytes` matters here.
    #[must_use]
    pub fn new(protocol: Protocol, limits: &Limits) -> Self {
        let limit = limits.frame_bytes;
        let interpreter = match protocol {
            Protocol::AnthropicMessages => Interpreter::AnthropicMessages(SseCutter::new(limit), Default::default()),
            Protocol::OpenAiChat => Interpreter::OpenAiChat(SseCutter::new(limit), Default::default()),
            Protocol::Scripted => Interpreter::Scripted(Lines::new(limit)),
        };
        Self { interpreter, deltas: Deltas::default() }
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.interpreter {
            Interpreter::AnthropicMessages(cutter, _) | Interpreter::OpenAiChat(cutter, _) => cutter.push(bytes),
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
            match &self.interpreter {
                Interpreter::OpenAiChat(_, chat) => chat.end(&mut self.deltas),
                Interpreter::AnthropicMessages(..) | Interpreter::Scripted(_) => {}
            }
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
    fn step(&mut self) -> Result<bool, TooLong> {
        match &mut self.interpreter {
            Interpreter::AnthropicMessages(cutter, messages) => {
                let Some(frame) = cutter.next_frame()? else { return Ok(false) };
                messages.frame(&frame, &mut self.deltas);
            }
            Interpreter::OpenAiChat(cutter, chat) => {
                let Some(frame) = cutter.next_frame()? else { return Ok(false) };
                chat.frame(&frame, &mut self.deltas);
            }
            Interpreter::Scripted(lines) => {
                let Some(line) = lines.next_line()? else { return Ok(false) };
                scripted::line(&line, &mut self.deltas);
            }
        }
        Ok(true)
    }

    /// Interprets what was left without its end.
    fn rest(&mut self) -> Result<(), TooLong> {
        match &mut self.interpreter {
            Interpreter::AnthropicMessages(cutter, messages) => {
                if let Some(frame) = cutter.rest()? {
                    messages.frame(&frame, &mut self.deltas);
                }
            }
            Interpreter::OpenAiChat(cutter, chat) => {
                if let Some(frame) = cutter.rest()? {
                    chat.frame(&frame, &mut self.deltas);
                }
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
