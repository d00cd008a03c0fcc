//! Messages whose roles have to alternate.
//!
//! The results of an assistant's tool calls, and whatever people say after it, make up one user message. So that a part
//! never changes when the conversation grows, a message is left open at the end of its part, and closed by the next message
//! of the other role or by the tail.

use crate::body::Body;
use bytes::Bytes;
use docket_domain::failure::Failure;
use serde::Serialize;

/// How a protocol writes its messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// What the model's role is called.
    pub(crate) assistant: &'static str,
    /// The field that holds what a message is made of.
    pub(crate) content: &'static str,
    /// Stands before a conversation that begins with an answer, which no protocol takes: a text block, as JSON.
    pub(crate) opening: &'static str,
}

/// Whose message a block belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
}

/// The body of a request while its messages are written.
#[derive(Debug)]
pub(crate) struct Turns {
    pub(crate) body: Body,
    shape: Shape,
    /// Whose message is open.
    role: Option<Role>,
    /// Whether the next block is the first of its message.
    first: bool,
}

impl Turns {
    pub(crate) fn new(shape: Shape) -> Self {
        Self { body: Body::default(), shape, role: None, first: true }
    }

    /// Adds a block to the message of `role`.
    ///
    /// # Errors
    /// As [`Body::value`].
    pub(crate) fn block(&mut self, role: Role, block: &impl Serialize) -> Result<(), Failure> {
        if self.role.is_none() && role == Role::Assistant {
            self.begin(Role::User);
            self.body.raw(self.shape.opening);
        }
        if self.role != Some(role) {
            self.begin(role);
        }
        if !std::mem::take(&mut self.first) {
            self.body.raw(",");
        }
        self.body.value(block)
    }

    /// Whose message is open: the last one, once all have been written.
    pub(crate) fn open(&self) -> Option<Role> {
        self.role
    }

    /// Closes the last message and the list, and writes `tail` behind it.
    pub(crate) fn finish(self, tail: &str) -> Vec<Bytes> {
        self.finish_with("", tail)
    }

    /// The same with `last`, a comma and a block as JSON, at the end of the message that is open.
    pub(crate) fn finish_with(mut self, last: &str, tail: &str) -> Vec<Bytes> {
        if self.role.is_some() {
            self.body.raw(last);
            self.body.raw("]}");
        }
        self.body.raw("]");
        self.body.raw(tail);
        self.body.finish()
    }

    fn begin(&mut self, role: Role) {
        if self.role.is_some() {
            self.body.raw("]},");
        }
        let name = if role == Role::User { "user" } else { self.shape.assistant };
        self.body.raw(&format!("{{\"role\":\"{name}\",\"{}\":[", self.shape.content));
        (self.role, self.first) = (Some(role), true);
    }
}
