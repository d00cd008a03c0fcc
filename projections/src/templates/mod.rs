//! Templates, sorted by how many workspaces were made from them.

mod projection;
mod read;

pub use projection::{TemplateDocument, Templates};
pub use read::{TemplateList, TemplateReads};
