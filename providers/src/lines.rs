//! Cuts a stream of bytes, however it was chopped up on the way, into lines.

/// A line, or a whole frame, was longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line or frame of more than {0} bytes")]
pub(crate) struct TooLong(pub(crate) usize);

/// An incremental cutter. A line ends with LF, CRLF or CR (the three that the WHATWG rules for event streams name); a byte
/// order mark before the first line is dropped.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins in `buffer`.
    begin: usize,
    /// Up to where `buffer` was searched for an end of line.
    searched: usize,
    /// The last line ended with CR, so an LF that follows belongs to it.
    after_cr: bool,
    first: bool,
    limit: usize,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl Lines {
    /// `limit` is the longest line in bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), begin: 0, searched: 0, after_cr: false, first: true, limit }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.begin > 0 {
            self.buffer.drain(..self.begin);
            self.searched -= self.begin;
            self.begin = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete line, without its end; `None` when more bytes are needed.
    pub(crate) fn next_line(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        if self.after_cr && self.buffer.get(self.begin) == Some(&b'\n') {
            self.begin += 1;
            self.after_cr = false;
        }
        self.searched = self.searched.max(self.begin);
        let Some(found) = self.buffer[self.searched..].iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.buffer.len();
            return if self.searched - self.begin > self.limit { Err(TooLong(self.limit)) } else { Ok(None) };
        };
        let end = self.searched + found;
        if end - self.begin > self.limit {
            return Err(TooLong(self.limit));
        }
        let line = self.buffer[self.begin..end].to_vec();
        self.after_cr = self.buffer[end] == b'\r';
        self.begin = end + 1;
        self.searched = self.begin;
        Ok(Some(self.without_mark(line)))
    }

    /// What is left when the stream has ended: a last line without its end.
    pub(crate) fn rest(&mut self) -> Option<Vec<u8>> {
        let line = self.buffer.split_off(self.begin.min(self.buffer.len()));
        self.buffer.clear();
        (self.begin, self.searched) = (0, 0);
        let line = if self.after_cr && line.first() == Some(&b'\n') { line[1..].to_vec() } else { line };
        if line.is_empty() { None } else { Some(self.without_mark(line)) }
    }

    fn without_mark(&mut self, line: Vec<u8>) -> Vec<u8> {
        if std::mem::take(&mut self.first) {
            line.strip_prefix(BYTE_ORDER_MARK).map(<[u8]>::to_vec).unwrap_or(line)
        } else {
            line
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut Lines) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            out.push(String::from_utf8(line).unwrap());
        }
        out
    }

    #[test]
    fn takes_every_kind_of_line_end_and_a_mark_at_any_cut() {
        let text = b"\xEF\xBB\xBFa\r\nb\rc\nd\r\n\r\n\re";
        for cut in 0..=text.len() {
            let mut lines = Lines::new(100);
            lines.push(&text[..cut]);
            let mut got = all(&mut lines);
            lines.push(&text[cut..]);
            got.extend(all(&mut lines));
            assert_eq!(got, ["a", "b", "c", "d", "", ""], "cut at {cut}");
            assert_eq!(lines.rest(), Some(b"e".to_vec()));
            assert_eq!(lines.rest(), None);
        }
    }

    #[test]
    fn a_line_without_an_end_is_bounded() {
        let mut lines = Lines::new(4);
        lines.push(b"abcd");
        assert_eq!(lines.next_line(), Ok(None));
        lines.push(b"e");
        assert_eq!(lines.next_line(), Err(TooLong(4)));
    }
}
