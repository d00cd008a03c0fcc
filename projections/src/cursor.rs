//! Cursors of paged lists: the sort key of the last row that was given out, as text that says nothing to the reader.

use crate::error::ProjectionError;
use serde::{Serialize, de::DeserializeOwned};

pub(crate) fn make(key: &impl Serialize) -> String {
    // Keys are tuples of numbers and strings, which always serialise.
    let json = serde_json::to_string(key).unwrap_or_default();
    json.bytes().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn read<K: DeserializeOwned>(cursor: &str) -> Result<K, ProjectionError> {
    let digits = cursor.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let json: Option<Vec<u8>> = digits.map(byte).collect();
    json.and_then(|json| serde_json::from_slice(&json).ok()).ok_or(ProjectionError::Cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_out_is_taken() {
        let key = (1_i64, "a/b c".to_owned());
        assert_eq!(read::<(i64, String)>(&make(&key)).unwrap(), key);
        for wrong in ["", "zz", "5b", "5b315d", "é"] {
            assert!(matches!(read::<(i64, String)>(wrong), Err(ProjectionError::Cursor)), "{wrong}");
        }
    }
}
