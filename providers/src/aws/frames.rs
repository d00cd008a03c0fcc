//! Cuts a stream of bytes into the frames of `application/vnd.amazon.eventstream`.
//!
//! A frame is, in big-endian order: its total length, the length of its headers, the CRC-32 of these eight bytes; the
//! headers; the payload; the CRC-32 of all that.

use crc::{CRC_32_ISO_HDLC, Crc};

const CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
/// Two lengths and their checksum.
const PRELUDE: usize = 12;
/// The prelude and the checksum at the end.
const OVERHEAD: usize = PRELUDE + 4;

/// One frame. Headers that are no text are left out: none is known that says anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    headers: Vec<(String, String)>,
    pub(crate) payload: Vec<u8>,
}

/// Bytes that are no frame. Nothing can be read after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BrokenFrame {
    #[error("a line or frame of more than {0} bytes")]
    TooLong(usize),
    #[error("a frame's checksum is wrong")]
    Checksum,
    #[error("a frame's lengths or headers make no sense")]
    Malformed,
    #[error("the answer ended in the middle of a frame")]
    Cut,
}

impl Frame {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

#[derive(Debug)]
pub(crate) struct FrameCutter {
    buffer: Vec<u8>,
    /// Where the next frame begins in `buffer`.
    begin: usize,
    limit: usize,
}

impl FrameCutter {
    /// `limit` is the longest frame in bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), begin: 0, limit }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.begin);
        self.begin = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete frame; `None` when more bytes are needed.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, BrokenFrame> {
        let rest = &self.buffer[self.begin..];
        let Some(prelude) = rest.get(..PRELUDE) else { return Ok(None) };
        let (total, headers) = (number(prelude, 0), number(prelude, 4));
        if checksum(prelude, 8) != CRC32.checksum(&prelude[..8]) {
            return Err(BrokenFrame::Checksum);
        }
        if total > self.limit {
            return Err(BrokenFrame::TooLong(self.limit));
        }
        if headers.checked_add(OVERHEAD).is_none_or(|least| total < least) {
            return Err(BrokenFrame::Malformed);
        }
        let Some(frame) = rest.get(..total) else { return Ok(None) };
        let (body, end) = frame.split_at(total - 4);
        if checksum(end, 0) != CRC32.checksum(body) {
            return Err(BrokenFrame::Checksum);
        }
        let (headers, payload) = body[PRELUDE..].split_at(headers);
        let headers = read_headers(headers).ok_or(BrokenFrame::Malformed)?;
        let frame = Frame { headers, payload: payload.to_vec() };
        self.begin += total;
        Ok(Some(frame))
    }

    /// # Errors
    /// If the stream ended within a frame.
    pub(crate) fn end(&self) -> Result<(), BrokenFrame> {
        if self.buffer.len() > self.begin { Err(BrokenFrame::Cut) } else { Ok(()) }
    }
}

/// A big-endian u32 in a slice that is known to hold it.
fn checksum(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn number(bytes: &[u8], at: usize) -> usize {
    usize::try_from(checksum(bytes, at)).unwrap_or(usize::MAX)
}

/// `None` if they make no sense.
fn read_headers(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while let Some((&length, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(length.into())?;
        let (&kind, rest) = rest.split_first()?;
        // Booleans have no value; numbers, a time and a UUID a fixed length; bytes and text say theirs.
        let (length, rest) = match kind {
            0 | 1 => (0, rest),
            2 => (1, rest),
            3 => (2, rest),
            4 => (4, rest),
            5 | 8 => (8, rest),
            6 | 7 => {
                let (length, rest) = rest.split_at_checked(2)?;
                (usize::from(length[0]) << 8 | usize::from(length[1]), rest)
            }
            9 => (16, rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        if kind == 7 {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            headers.push((text(name), text(value)));
        }
        bytes = rest;
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let total = u32::try_from(OVERHEAD + headers.len() + payload.len()).unwrap();
        let mut out = [total.to_be_bytes(), u32::try_from(headers.len()).unwrap().to_be_bytes()].concat();
        out.extend(CRC32.checksum(&out).to_be_bytes());
        out.extend_from_slice(headers);
        out.extend_from_slice(payload);
        out.extend(CRC32.checksum(&out).to_be_bytes());
        out
    }

    #[test]
    fn frames_come_whole_at_any_cut_and_every_kind_of_header_is_read() {
        let headers =
            b"\x01t\x00\x01b\x02\x07\x01i\x04\0\0\0\x01\x01x\x06\0\x02ab\x05:name\x07\0\x05value\x01u\x090123456789abcdef";
        let bytes = [frame(headers, b"one"), frame(b"", b"")].concat();
        for cut in 0..=bytes.len() {
            let mut cutter = FrameCutter::new(1000);
            let mut got = Vec::new();
            for piece in [&bytes[..cut], &bytes[cut..]] {
                cutter.push(piece);
                while let Some(frame) = cutter.next_frame().unwrap() {
                    got.push(frame);
                }
            }
            assert_eq!((got.len(), got[0].header(":name"), &*got[0].payload), (2, "value", &b"one"[..]), "cut at {cut}");
            assert_eq!((got[0].header("other"), cutter.end()), ("", Ok(())));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let whole = frame(b"\x01n\x07\0\x01v", b"payload");
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            let mut cutter = FrameCutter::new(1000);
            cutter.push(&bytes);
            assert_eq!(cutter.next_frame(), Err(BrokenFrame::Checksum), "bit {at}");
        }
    }

    #[test]
    fn lengths_are_bounded_and_have_to_make_sense() {
        let next = |bytes: &[u8]| {
            let mut cutter = FrameCutter::new(100);
            cutter.push(bytes);
            let got = cutter.next_frame();
            got.and_then(|frame| cutter.end().map(|()| frame))
        };
        assert_eq!(next(&frame(b"", &[0; 200])), Err(BrokenFrame::TooLong(100)));
        assert_eq!(next(&frame(b"\x09n", b"")), Err(BrokenFrame::Malformed), "a header longer than all headers");
        assert_eq!(next(&frame(b"\x01n\x63", b"")), Err(BrokenFrame::Malformed), "an unknown type");
        assert_eq!(next(&frame(b"", b"x")[..10]), Err(BrokenFrame::Cut));
        let mut short = [3u32.to_be_bytes(), 9u32.to_be_bytes()].concat();
        short.extend(CRC32.checksum(&short).to_be_bytes());
        assert_eq!(next(&short), Err(BrokenFrame::Malformed));
    }
}
