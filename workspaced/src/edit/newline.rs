//! A text whose lines may end in LF or CRLF, searched as if all ended in LF.

/// A file's text and its view with LF only.
#[derive(Clone, Debug)]
pub(super) struct Text {
    original: String,
    view: String,
    /// Where in the view a newline stands for CRLF.
    crlf: Vec<usize>,
}

impl Text {
    /// Makes the view.
    pub(super) fn new(original: String) -> Self {
        let mut view = String::with_capacity(original.len());
        let mut crlf = Vec::new();
        for line in original.split_inclusive('\n') {
            match line.strip_suffix("\r\n") {
                Some(text) => {
                    view.push_str(text);
                    crlf.push(view.len());
                    view.push('\n');
                }
                None => view.push_str(line),
            }
        }
        Self { original, view, crlf }
    }

    /// With LF only.
    pub(super) fn view(&self) -> &str {
        &self.view
    }

    /// Bytes of the original.
    pub(super) fn len(&self) -> usize {
        self.original.len()
    }

    /// The original.
    pub(super) fn into_string(self) -> String {
        self.original
    }

    /// Puts texts, which have LF only, in the place of ranges of the view, which are in order and do not overlap. Each gets
    /// the line ending that its surroundings have.
    pub(super) fn replace(&self, ranges: &[(usize, usize, String)]) -> Self {
        let mut result = String::with_capacity(self.original.len());
        let mut from = 0;
        for (start, end, text) in ranges {
            result.push_str(&self.original[from..self.original_at(*start)]);
            if self.crlf_around(*start, *end) {
                result.push_str(&text.replace('\n', "\r\n"));
            } else {
                result.push_str(text);
            }
            from = self.original_at(*end);
        }
        result.push_str(&self.original[from..]);
        Self::new(result)
    }

    fn original_at(&self, view: usize) -> usize {
        view + self.crlf.partition_point(|at| *at < view)
    }

    /// Whether most lines of the range end in CRLF; where it has no ending, the first ending after it, else the last before it.
    fn crlf_around(&self, start: usize, end: usize) -> bool {
        let newlines = self.view[start..end].matches('\n').count();
        let first = self.crlf.partition_point(|at| *at < start);
        let inside = self.crlf.partition_point(|at| *at < end) - first;
        if newlines > 0 {
            return inside * 2 >= newlines;
        }
        let next = self.view[end..].find('\n').map(|at| end + at);
        let nearest = next.or_else(|| self.view[..start].rfind('\n'));
        nearest.is_some_and(|at| self.crlf.binary_search(&at).is_ok())
    }
}

/// A searched or inserted text, with LF only.
pub(super) fn lf(text: &str) -> String {
    text.replace("\r\n", "\n")
}
