//! From what a provider says went wrong to a [`docket_domain::failure::Failure`] of a known class.

mod classify;
mod error_body;
mod overflow;
mod retry_after;

pub(crate) use error_body::ErrorBody;
pub(crate) use retry_after::retry_after_ms;
