//! The one transport of all protocols: one HTTP client, and streams that are read as fast as they are asked for.

mod client;
mod document;
mod refusal;
mod source;
mod stream;

pub(crate) use client::client;
pub(crate) use document::document;
pub(crate) use refusal::{refused, unreachable};
pub(crate) use source::Source;
pub use stream::ModelStream;
