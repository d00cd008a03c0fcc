//! AWS Bedrock's `ConverseStream`: one protocol for the models of many makers.
//!
//! Source of the facts: the service model of botocore 1.44.5 and the recorded exchanges under `tests/fixtures/bedrock/`.

mod block;
mod encoder;
mod interpreter;
mod usage;

pub(crate) use encoder::encode;
pub(crate) use interpreter::Interpreter;
