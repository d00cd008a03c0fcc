//! Cuts a stream of bytes into server-sent events, by the WHATWG rules as far as a model's answer needs them: `id:` and
//! `retry:` are for reconnecting, which a model call never does, and are left out.

use crate::lines::{Lines, TooLong};

/// One server-sent event that carries data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SseFrame {
    /// The `event:` field; empty where there is none.
    pub(crate) event: String,
    /// The `data:` lines, joined with LF. Bytes that are not UTF-8 are replaced.
    pub(crate) data: String,
}

#[derive(Debug)]
pub(crate) struct SseCutter {
    lines: Lines,
    event: String,
    data: Option<Vec<u8>>,
    limit: usize,
}

impl SseCutter {
    /// `limit` is the longest frame in bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { lines: Lines::new(limit), event: String::new(), data: None, limit }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
    }

    /// The next complete frame; comments and frames without data are passed over.
    pub(crate) fn next_frame(&mut self) -> Result<Option<SseFrame>, TooLong> {
        while let Some(line) = self.lines.next_line()? {
            if line.is_empty() {
                if let Some(frame) = self.take() {
                    return Ok(Some(frame));
                }
            } else {
                self.field(&line)?;
            }
        }
        Ok(None)
    }

    /// What is left when the stream has ended: a frame without the blank line that closes it. Some servers close the
    /// connection straight after the last line, so it counts.
    pub(crate) fn rest(&mut self) -> Result<Option<SseFrame>, TooLong> {
        if let Some(line) = self.lines.rest() {
            self.field(&line)?;
        }
        Ok(self.take())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), TooLong> {
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                match &mut self.data {
                    Some(data) => {
                        data.push(b'\n');
                        data.extend_from_slice(value);
                    }
                    None => self.data = Some(value.to_vec()),
                }
                if self.data.as_ref().is_some_and(|data| data.len() > self.limit) {
                    return Err(TooLong(self.limit));
                }
            }
            b"event" => self.event = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
        Ok(())
    }

    fn take(&mut self) -> Option<SseFrame> {
        let event = std::mem::take(&mut self.event);
        let data = self.data.take()?;
        let data = match String::from_utf8(data) {
            Ok(data) => data,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        Some(SseFrame { event, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(text: &[u8]) -> Vec<(String, String)> {
        let mut cutter = SseCutter::new(1000);
        cutter.push(text);
        let mut out = Vec::new();
        while let Some(frame) = cutter.next_frame().unwrap() {
            out.push((frame.event, frame.data));
        }
        out.extend(cutter.rest().unwrap().map(|frame| (frame.event, format!("{} (unterminated)", frame.data))));
        out
    }

    #[test]
    fn reads_fields_as_the_rules_say() {
        let got =
            frames(b": ping\n\nevent: a\ndata: 1\ndata:  2\ndata\nid: x\n\nevent: no data\n\nretry: 5\ndata:3\n\ndata: 4");
        let want = [("a", "1\n 2\n"), ("", "3"), ("", "4 (unterminated)")];
        assert_eq!(got, want.map(|(event, data)| (event.to_owned(), data.to_owned())));
    }

    #[test]
    fn a_frame_of_many_lines_is_bounded() {
        let mut cutter = SseCutter::new(20);
        for _ in 0..10 {
            cutter.push(b"data: 12345\n");
        }
        assert_eq!(cutter.next_frame(), Err(TooLong(20)));
    }
}
