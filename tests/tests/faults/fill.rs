//! A disk that has no room left.

use std::{fs::File, io::Write};

/// Writes until there is no room for a byte.
pub fn fill(file: &mut File) {
    for size in [1 << 20, 1 << 12, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
