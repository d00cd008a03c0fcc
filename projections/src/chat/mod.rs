//! Chats and their messages: the fold, its rows, and what may be asked of them.
//!
//! [`ChatView`] is the definition. [`Chats`] writes it down, [`ChatReads::snapshot`] gives it out as of a position, deltas
//! included, and [`ChatReads::at`] repeats it for any position of the past.

mod deltas;
mod document;
mod fold;
mod list;
mod live;
mod message;
mod projection;
mod read;
mod summary;
#[cfg(test)]
mod tests;
mod time_travel;
mod view;

pub use document::{ChatDocument, ChatSnapshot, QueuedDocument, TurnDocument, UsageTotals};
pub use list::{ChatPage, ChatQuery, MAX_CHATS};
pub(crate) use live::LiveCalls;
pub use message::{MessageDocument, MessageRole, MessageState, PartDocument, ToolCallDocument, ToolCallState};
pub use projection::Chats;
pub use read::{ChatReads, MAX_MESSAGES, MessagePage, MessageRange};
pub use summary::ChatSummary;
pub use time_travel::at;
pub use view::ChatView;
