//! Files. Relative paths begin at the workspace's directory; nothing outside it can be named.

use serde::{Deserialize, Serialize};

/// `POST /v1/files/read`: some lines of a text file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadFile {
    /// The file.
    pub path: String,
    /// The first line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How many lines; at most and by default [`crate::limits::READ_LINES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// The lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileContent {
    /// Each line prefixed with its number and a tab.
    pub content: String,
    /// Bytes of the whole file.
    pub file_size: u64,
    /// Lines in `content`.
    pub lines_read: u64,
    /// Lines of the whole file.
    pub total_lines: u64,
}

/// `POST /v1/files/write`: a file's whole new content. Missing parents are made; a link's target is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteFile {
    /// The file.
    pub path: String,
    /// Its content.
    pub content: String,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Relative to the workspace's directory, links resolved.
    pub path: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Whether there was no such file before.
    pub created: bool,
}

/// `POST /v1/files/edit`: replacements in one or more files, all of them or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditFiles {
    /// In this order; a later edit of a file sees the earlier ones' result.
    pub edits: Vec<Edit>,
}

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The file.
    pub path: String,
    /// What is there: exactly once, unless `replace_all`.
    pub old_text: String,
    /// What shall be there.
    pub new_text: String,
    /// Replace every occurrence.
    #[serde(default)]
    pub replace_all: bool,
}

/// The edited files, in the order of their first edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    /// One entry per file.
    pub files: Vec<EditedFile>,
}

/// One edited file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditedFile {
    /// Relative to the workspace's directory, links resolved.
    pub path: String,
    /// Unified difference.
    pub diff: String,
}
