//! What a process wrote and synced, as the preloaded library recorded it, and what its readers were shown in between.

use docket_tests::sse::Event;
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

#[derive(Debug)]
pub enum Call {
    Write {
        offset: usize,
        data: Vec<u8>,
    },
    Truncate {
        length: usize,
    },
    Sync,
    Rename {
        to: PathBuf,
    },
    Unlink,
    /// Not a call: a reader was shown the event at this position.
    Shown {
        event: Event,
    },
}

#[derive(Debug)]
pub struct Entry {
    pub path: PathBuf,
    pub call: Call,
}

const SHOWN: u64 = 6;

/// Adds what a reader was shown to what is being recorded.
#[derive(Debug)]
pub struct Marker(File);

impl Marker {
    pub fn open(trace: &Path) -> Self {
        Self(OpenOptions::new().append(true).open(trace).unwrap())
    }

    pub fn shown(&mut self, event: &Event) {
        let mut record = Vec::new();
        for number in [SHOWN, event.position(), event.name.len() as u64, event.data.len() as u64] {
            record.extend(number.to_ne_bytes());
        }
        record.extend(event.name.bytes().chain(event.data.bytes()));
        // In one piece, as the library writes its own.
        assert_eq!(self.0.write(&record).unwrap(), record.len());
    }
}

/// All of it, in its order.
pub fn read(trace: &Path) -> Vec<Entry> {
    let bytes = std::fs::read(trace).unwrap();
    let (mut rest, mut entries) = (&bytes[..], Vec::new());
    while let Some(entry) = entry(&mut rest) {
        entries.push(entry);
    }
    entries
}

fn entry(rest: &mut &[u8]) -> Option<Entry> {
    let mut head = [0; 4];
    for number in &mut head {
        *number = u64::from_ne_bytes(rest.split_off(..8)?.try_into().unwrap());
    }
    let [kind, offset, path, length] = head;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let path = text(rest.split_off(..path as usize)?);
    let data = rest.split_off(..length as usize)?;
    let call = match kind {
        1 => Call::Write { offset: offset as usize, data: data.to_vec() },
        2 => Call::Truncate { length: offset as usize },
        3 => Call::Sync,
        4 => Call::Rename { to: text(data).into() },
        5 => Call::Unlink,
        SHOWN => Call::Shown { event: Event { id: Some(offset), name: path.clone(), data: text(data) } },
        kind => panic!("a record of kind {kind}"),
    };
    Some(Entry { path: path.into(), call })
}
