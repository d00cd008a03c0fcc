//! Server-sent events: the log, followed by position. Replay and live are the same code, and the reader pulls, so that a slow
//! one costs no memory and loses nothing.

mod cursor;
mod frame;
mod heartbeat;
mod stream;
mod visible;

pub use cursor::Cursor;
pub use frame::{event_frame, named_frame};
pub use stream::{Source, respond};
pub use visible::Visible;
