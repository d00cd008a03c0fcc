//! What can be measured.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The reference line: fsyncs a second, and a fixed piece of work for the processor
    Disk,
    /// Durable token events a second
    Append,
    /// Several processes on one Postgres
    Processes,
    /// From the commit, and from the provider's socket, to the reader's, through a whole control plane
    Latency,
    /// An append to short, long and very long chats
    StreamSize,
    /// Catching up with the log
    Read,
    /// Bytes on disk per event
    Space,
    /// Live views, while chats stream
    Projection,
    /// All views from nothing
    Rebuild,
    /// One chat with a thousand readers, and ten thousand readers of a hundred chats
    FanOut,
}

impl Part {
    /// All of them, the reference first.
    pub const ALL: [Self; 10] = [
        Self::Disk,
        Self::Append,
        Self::Processes,
        Self::Latency,
        Self::StreamSize,
        Self::Read,
        Self::Space,
        Self::Projection,
        Self::Rebuild,
        Self::FanOut,
    ];
}
