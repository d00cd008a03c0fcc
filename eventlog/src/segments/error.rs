//! What can be wrong with a segment, each with a stable code for programs.

use crate::error::ReadError;

/// Why bytes are no segment, or events cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    #[error("it does not begin like a segment")]
    NotASegment,
    #[error("it has format {0}, which this version does not read")]
    Format(u32),
    #[error("it has {actual} bytes in place of {expected}")]
    Length { expected: u64, actual: u64 },
    #[error("its SHA-256 is not the one in its header")]
    Digest,
    #[error("it does not decompress: {0}")]
    Compression(String),
    #[error("{what} of {size} is above the limit of {limit}")]
    TooLarge { what: &'static str, size: u64, limit: u64 },
    #[error("its content is malformed: {0}")]
    Malformed(&'static str),
    #[error("its events' leaf hashes are not those that it was made of")]
    LeafHashes,
    #[error("event {position} was changed: its leaf hash is not that of its row")]
    Changed { position: u64 },
    #[error("event {position} is out of order")]
    OutOfOrder { position: u64 },
    #[error("there are no events")]
    Empty,
}

impl SegmentError {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotASegment => "segment_unknown",
            Self::Format(_) => "segment_format",
            Self::Length { .. } => "segment_length",
            Self::Digest => "segment_digest",
            Self::Compression(_) => "segment_compression",
            Self::TooLarge { .. } => "segment_too_large",
            Self::Malformed(_) => "segment_malformed",
            Self::LeafHashes => "segment_leaf_hashes",
            Self::Changed { .. } => "segment_event_changed",
            Self::OutOfOrder { .. } => "segment_out_of_order",
            Self::Empty => "segment_empty",
        }
    }
}

/// Why a place for files could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{0:?} is no place for files that this build supports: use a folder's path, or s3://BUCKET/PREFIX in a build with `s3`"
    )]
    Unsupported(String),
    #[error("{place} has no file {name}")]
    NotFound { place: String, name: String },
    #[error("{place} cannot be used: {reason}")]
    Storage { place: String, reason: String },
}

impl StoreError {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unsupported(_) => "store_unsupported",
            Self::NotFound { .. } => "store_file_missing",
            Self::Storage { .. } => "store_unavailable",
        }
    }
}

/// Why nothing more was sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("no place for segments is configured")]
    NoStore,
    #[error("segments are being made already")]
    Busy,
    #[error("{0}")]
    Segment(#[from] SegmentError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Read(#[from] ReadError),
}

impl SealError {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoStore => "seal_no_place",
            Self::Busy => "seal_busy",
            Self::Segment(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Read(error) => error.code(),
        }
    }
}
