//! What can be measured.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The reference line: fsyncs a second, and a fixed piece of work for the processor
    Disk,
    /// Durable token events a second
    Append,
    /// From the provider's socket to the reader's, through a whole control plane
    Latency,
    /// An append to short, long and very long chats
    StreamSize,
    /// Catching up with the log
    Read,
    /// Bytes on disk per event
    Space,
    /// One chat with many readers
    FanOut,
}

impl Part {
    /// All of them, the reference first.
    pub const ALL: [Self; 7] =
        [Self::Disk, Self::Append, Self::Latency, Self::StreamSize, Self::Read, Self::Space, Self::FanOut];
}
