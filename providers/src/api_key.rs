//! A provider's key, which never leaves this crate but in its header.

use reqwest::header::HeaderValue;
use std::fmt;

/// Long enough that a chance occurrence in a message is not a matter.
const SHORTEST_REDACTED: usize = 6;

#[derive(Clone)]
pub(crate) struct ApiKey(String);

impl ApiKey {
    /// `None` if the text cannot stand in a header.
    pub(crate) fn new(text: &str) -> Option<Self> {
        HeaderValue::from_str(text).ok().map(|_| Self(text.to_owned()))
    }

    /// The header's value: `prefix` and the key. It is marked as sensitive, so it does not appear in debug output.
    pub(crate) fn header(&self, prefix: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("{prefix}{}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The key itself, to sign with.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Blots the key out of a text that a provider wrote, since some echo what they were sent.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.0.len() < SHORTEST_REDACTED { text.to_owned() } else { text.replace(&self.0, "[redacted]") }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_shown() {
        let key = ApiKey::new("sk-secret-1").unwrap();
        assert!(!format!("{key:?} {:?}", key.header("Bearer ")).contains("secret"));
        assert_eq!(key.redact("bad key sk-secret-1!"), "bad key [redacted]!");
        assert!(ApiKey::new("line\nbreak").is_none());
    }
}
