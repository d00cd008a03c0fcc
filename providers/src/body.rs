//! Writes the body of a request in parts.

use bytes::Bytes;
use docket_domain::failure::{Failure, FailureClass};
use serde::Serialize;
use serde_json::value::RawValue;

/// JSON text that is still being written, and the parts that are done.
#[derive(Debug, Default)]
pub(crate) struct Body {
    parts: Vec<Bytes>,
    open: Vec<u8>,
}

impl Body {
    /// Adds punctuation.
    pub(crate) fn raw(&mut self, text: &str) {
        self.open.extend_from_slice(text.as_bytes());
    }

    /// Adds a value.
    ///
    /// # Errors
    /// [`FailureClass::Configuration`] if it has no JSON form, which values of ours always have.
    pub(crate) fn value(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.open, value).map_err(unencodable)
    }

    /// Adds `"name":value`, with a comma before it unless an object has just been opened.
    pub(crate) fn field(&mut self, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        self.name(name)?;
        self.value(value)
    }

    /// Adds `"name":`, as [`field`](Self::field) does.
    pub(crate) fn name(&mut self, name: &str) -> Result<(), Failure> {
        if self.open.last() != Some(&b'{') {
            self.raw(",");
        }
        self.value(&name)?;
        self.raw(":");
        Ok(())
    }

    /// Closes a part; nothing written since the last one is no part.
    pub(crate) fn cut(&mut self) {
        if !self.open.is_empty() {
            self.parts.push(std::mem::take(&mut self.open).into());
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Bytes> {
        self.cut();
        self.parts
    }
}

/// A value as JSON text.
///
/// # Errors
/// As [`Body::value`].
pub(crate) fn json_text(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(unencodable)
}

fn unencodable(error: serde_json::Error) -> Failure {
    Failure::new(FailureClass::Configuration, format!("the request cannot be encoded: {error}"))
}

/// The JSON schema of a tool's input, exactly as it was written.
///
/// # Errors
/// [`FailureClass::Configuration`] if it is not a JSON object.
pub(crate) fn schema<'a>(tool: &str, text: &'a str) -> Result<&'a RawValue, Failure> {
    let invalid =
        || Failure::new(FailureClass::Configuration, format!("the input schema of the tool {tool} is no JSON object"));
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).map_err(|_| invalid())?;
    serde_json::from_str(text).map_err(|_| invalid())
}
