//! What Amazon asks of every client: signed requests, and answers in binary frames.

mod frames;
mod signature;

pub(crate) use frames::{BrokenFrame, Frame, FrameCutter};
pub(crate) use signature::{Credentials, percent_encoded, signed_headers};
