//! Why a command on a chat is refused.

use crate::aggregate::{Refusal, RefusalKind};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ChatRefusal {
    #[error("there is no such chat")]
    ChatNotFound,
    #[error("a chat with this id exists already")]
    ChatExists,
    #[error("the chat is archived; unarchive it first")]
    ChatArchived,
    #[error("the chat has a turn under way; interrupt it first")]
    ChatBusy,
    #[error("content: a prompt needs at least one part with text that is not blank")]
    PromptEmpty,
    #[error("content: a prompt holds at most {max} bytes of text; this one has {bytes}")]
    PromptTooLarge { bytes: usize, max: usize },
    #[error("content: a prompt has at most {max} parts; this one has {parts}")]
    PromptTooManyParts { parts: usize, max: usize },
    #[error("the queue is full: at most {max} prompts may wait")]
    QueueFull { max: usize },
    #[error("there is no such prompt in the queue")]
    QueuedNotFound,
    #[error("order: it must name every queued prompt exactly once")]
    OrderIncomplete,
    #[error("title: it must have 1 to {max} characters and no control characters")]
    TitleInvalid { max: usize },
    #[error("labels: {reason}")]
    LabelsInvalid { reason: String },
    #[error("no turn is under way")]
    NoTurn,
    #[error("the turn belongs to another worker")]
    NotYourTurn,
    #[error("the turn is not in a state for this: {reason}")]
    OutOfOrder { reason: &'static str },
    #[error("there is no such open model call")]
    ModelCallNotOpen,
    #[error("there is no such open tool call")]
    ToolCallNotOpen,
    #[error("another workspace is attached to the chat")]
    WorkspaceAttached,
    #[error("no workspace is attached to the chat")]
    NoWorkspace,
}

impl Refusal for ChatRefusal {
    fn code(&self) -> &'static str {
        self.into()
    }

    fn kind(&self) -> RefusalKind {
        match self {
            Self::ChatNotFound | Self::QueuedNotFound => RefusalKind::NotFound,
            Self::PromptEmpty
            | Self::PromptTooLarge { .. }
            | Self::PromptTooManyParts { .. }
            | Self::OrderIncomplete
            | Self::TitleInvalid { .. }
            | Self::LabelsInvalid { .. } => RefusalKind::Invalid,
            Self::ChatExists
            | Self::ChatArchived
            | Self::ChatBusy
            | Self::QueueFull { .. }
            | Self::NoTurn
            | Self::NotYourTurn
            | Self::OutOfOrder { .. }
            | Self::ModelCallNotOpen
            | Self::ToolCallNotOpen
            | Self::WorkspaceAttached
            | Self::NoWorkspace => RefusalKind::Conflict,
        }
    }
}
