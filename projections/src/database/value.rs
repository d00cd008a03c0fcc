//! Parameters and columns. Two kinds are enough for all views: whole numbers, and text (names, ids, JSON documents).

use serde::Serialize;
use std::fmt::Display;

/// A parameter of a statement, or a column of a row, in the same form for both databases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    Int(Option<i64>),
    Text(Option<String>),
}

impl Value {
    /// Text. Postgres cannot hold U+0000, so both databases get the replacement character in its place.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Text(Some(if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }))
    }

    /// An id, or anything else with one plain spelling.
    #[must_use]
    pub fn id(id: impl Display) -> Self {
        Self::text(id.to_string())
    }

    /// Text, or NULL.
    #[must_use]
    pub fn maybe(text: Option<impl Display>) -> Self {
        text.map_or(Self::Text(None), Self::id)
    }

    /// A position or a count. The log's positions stay far below 2^63.
    #[must_use]
    pub fn count(count: u64) -> Self {
        Self::Int(Some(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    /// A JSON document.
    pub fn document(document: &impl Serialize) -> sqlx::Result<Self> {
        serde_json::to_string(document).map(Self::text).map_err(|error| sqlx::Error::Encode(error.into()))
    }

    #[must_use]
    pub fn int(int: i64) -> Self {
        Self::Int(Some(int))
    }

    #[must_use]
    pub fn flag(flag: bool) -> Self {
        Self::Int(Some(i64::from(flag)))
    }
}
