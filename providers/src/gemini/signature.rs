//! A thought signature apart from the part that carried it.

use serde::{Deserialize, Serialize};

/// Which part it belongs to: the one before it, if that is of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Of {
    Text,
    FunctionCall,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Signature {
    pub(super) of: Of,
    pub(super) thought_signature: String,
}

impl Signature {
    /// `None` if the opaque block is something else.
    pub(super) fn read(block: &str) -> Option<Self> {
        serde_json::from_str(block).ok()
    }
}
