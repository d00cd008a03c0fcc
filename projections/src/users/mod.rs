//! Users and their API tokens: what authentication asks.

mod document;
mod projection;
mod read;

pub use document::{TokenDocument, UserDocument};
pub use projection::Users;
pub use read::UserReads;
