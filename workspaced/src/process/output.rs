//! A command's kept output, as it is answered.

use super::capture::Header;
use docket_wire::{
    limits::{OUTPUT_HEAD_BYTES, OUTPUT_TAIL_BYTES},
    process::Truncated,
};
use std::{fs, io, path::Path};

const MARKER_BYTES: usize = 96;

/// The kept output and what it leaves out.
pub fn read(path: &Path) -> io::Result<(String, Option<Truncated>)> {
    match fs::read(path) {
        Ok(bytes) => decode(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((String::new(), None)),
        Err(error) => Err(error),
    }
}

fn decode(bytes: &[u8]) -> io::Result<(String, Option<Truncated>)> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(io::ErrorKind::InvalidData)?;
    let header: Header = serde_json::from_slice(&bytes[..end])?;
    let kept = &bytes[end + 1..];
    if header.total <= kept.len() as u64 {
        let text = String::from_utf8_lossy(kept);
        // Replacing what is not UTF-8 can make it longer.
        let limit = OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES;
        if text.len() <= limit {
            return Ok((text.into_owned(), None));
        }
    }
    let (head, tail) = kept.split_at(header.head.min(kept.len()));
    let head = lossy_start(head, OUTPUT_HEAD_BYTES);
    let tail = lossy_end(tail, OUTPUT_TAIL_BYTES - MARKER_BYTES);
    let retained = (head.1 + tail.1) as u64;
    let omitted = header.total.saturating_sub(retained);
    let text = format!("{}\n[… {omitted} bytes omitted …]\n{}", head.0, tail.0);
    Ok((text, Some(Truncated { original_bytes: header.total, retained_bytes: retained, omitted_bytes: omitted })))
}

/// Text from the beginning, at most `limit` bytes of it, and how many bytes it stands for.
fn lossy_start(bytes: &[u8], limit: usize) -> (String, usize) {
    // A character that the cut went through is left out, not replaced.
    let last = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let cut_through = std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    let used = if cut_through { bytes.len() - last.len() } else { bytes.len() };
    let mut text = String::from_utf8_lossy(&bytes[..used]).into_owned();
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    (text, used)
}

/// Text from the end, at most `limit` bytes of it, and how many bytes it stands for.
fn lossy_end(bytes: &[u8], limit: usize) -> (String, usize) {
    let mut from = bytes.len().saturating_sub(limit);
    // A character that the cut went through is left out, not replaced.
    let continuation = bytes[from..].iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    from += continuation;
    let mut text = String::from_utf8_lossy(&bytes[from..]).into_owned();
    if text.len() > limit {
        let mut cut = text.len() - limit;
        while !text.is_char_boundary(cut) {
            cut += 1;
        }
        text.drain(..cut);
    }
    (text, bytes.len() - from)
}

#[cfg(test)]
mod tests {
    use super::{super::capture::Capture, *};

    fn through(chunks: &[&[u8]]) -> (String, Option<Truncated>) {
        let mut capture = Capture::default();
        chunks.iter().for_each(|chunk| capture.push(chunk));
        decode(&capture.bytes()).unwrap()
    }

    #[test]
    fn a_short_output_is_whole() {
        assert_eq!(through(&[b"a", b"b\n"]), ("ab\n".into(), None));
        assert_eq!(through(&[]), (String::new(), None));
        assert_eq!(through(&[b"a\xff\xfeb"]), ("a\u{fffd}\u{fffd}b".into(), None));
        let exact = vec![b'x'; OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES];
        assert_eq!(through(&[&exact]).1, None);
    }

    #[test]
    fn a_long_one_keeps_both_ends_and_counts_the_rest() {
        for size in [1, 7, 4096, 65536] {
            let all: Vec<u8> = (0..100_000u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
            let chunks: Vec<&[u8]> = all.chunks(size).collect();
            let (text, truncated) = through(&chunks);
            let truncated = truncated.unwrap();
            assert!(text.starts_with("0\n1\n") && text.ends_with("99998\n99999\n"));
            assert!(text.len() <= OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES);
            assert_eq!(truncated.original_bytes, all.len() as u64);
            assert_eq!(truncated.retained_bytes + truncated.omitted_bytes, truncated.original_bytes);
            assert!(text.contains(&format!("[… {} bytes omitted …]", truncated.omitted_bytes)));
        }
    }

    #[test]
    fn characters_are_not_cut_through() {
        let text = "€".repeat(40_000);
        let got = through(&[text.as_bytes()]).0;
        assert!(!got.contains('\u{fffd}'));
        let invalid = vec![0xffu8; 30_000];
        let got = through(&[&invalid]);
        assert!(got.0.len() <= OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES);
        assert!(got.1.is_some());
    }
}
