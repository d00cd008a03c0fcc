//! Large or raw content, stored once and named by its SHA-256.

use crate::leaf::{Sha256Digest, sha256};
use bytes::Bytes;
use std::fmt;

/// How a blob's bytes lie in the database. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain = 0,
    Zstd = 1,
}

/// Content that is stored in the same transaction as the event that names its SHA-256.
#[derive(Clone)]
pub struct Blob {
    pub(crate) digest: Sha256Digest,
    pub(crate) size: usize,
    pub(crate) encoding: Encoding,
    pub(crate) stored: Bytes,
}

impl Blob {
    /// Hashes the content, and compresses it when that makes it smaller by a tenth at least.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes: Bytes = bytes.into();
        let (digest, size) = (sha256(&bytes), bytes.len());
        match zstd::bulk::compress(&bytes, zstd::DEFAULT_COMPRESSION_LEVEL) {
            Ok(small) if small.len() < size - size / 10 => {
                Self { digest, size, encoding: Encoding::Zstd, stored: small.into() }
            }
            _ => Self { digest, size, encoding: Encoding::Plain, stored: bytes },
        }
    }

    /// The SHA-256 of the content (not of what is stored), in lower-case hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(self.digest)
    }

    /// The content's size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob").field("sha256", &self.sha256()).field("size", &self.size).finish_non_exhaustive()
    }
}

/// A row of the blob table.
pub(crate) struct StoredBlob {
    pub(crate) size: i64,
    pub(crate) encoding: i64,
    pub(crate) bytes: Vec<u8>,
}

impl StoredBlob {
    /// The content; an error says how the row is damaged.
    pub(crate) fn content(&self) -> Result<Bytes, String> {
        if self.encoding == Encoding::Plain as i64 {
            return Ok(Bytes::copy_from_slice(&self.bytes));
        }
        if self.encoding != Encoding::Zstd as i64 {
            return Err(format!("unknown blob encoding {}", self.encoding));
        }
        let size = usize::try_from(self.size).map_err(|_| format!("blob size {}", self.size))?;
        zstd::bulk::decompress(&self.bytes, size).map(Bytes::from).map_err(|error| format!("blob does not decompress: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(blob: &Blob) -> Bytes {
        StoredBlob { size: blob.size as i64, encoding: blob.encoding as i64, bytes: blob.stored.to_vec() }.content().unwrap()
    }

    #[test]
    fn compresses_when_that_helps() {
        let text = Blob::new(vec![b'a'; 100_000]);
        assert_eq!((text.encoding, text.size()), (Encoding::Zstd, 100_000));
        assert!(text.stored.len() < 1000);
        assert_eq!(restored(&text), vec![b'a'; 100_000]);

        for short in [&b""[..], b"x", b"abcdefgh"] {
            let blob = Blob::new(short);
            assert_eq!((blob.encoding, blob.size()), (Encoding::Plain, short.len()));
            assert_eq!(restored(&blob), short);
        }
        assert_eq!(Blob::new("").sha256(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
