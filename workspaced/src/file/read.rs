//! Reading a text file, line by line.

use super::open;
use crate::{refusal::Refusal, root::Root};
use docket_wire::{
    file::{FileContent, ReadFile},
    limits::{READ_BYTES, READ_FILE_BYTES, READ_LINE_BYTES, READ_LINES},
};
use std::fmt::Write;

const ADVICE: &str = "Use a command such as grep, head, tail or sed -n on it";

/// The asked lines, numbered.
pub fn read(root: &Root, request: &ReadFile) -> Result<FileContent, Refusal> {
    let shown = &request.path;
    let path = root.resolve(shown)?;
    let (file, _) = open::regular(root, shown, &path, READ_FILE_BYTES, ADVICE)?;
    let text = open::text(file, shown, READ_FILE_BYTES)?;
    lines(&text, request.offset.unwrap_or(1), request.limit)
}

fn lines(text: &str, offset: u64, limit: Option<u64>) -> Result<FileContent, Refusal> {
    let total = text.lines().count() as u64;
    if offset == 0 {
        return Err(Refusal::invalid("invalid_offset", "lines are counted from 1"));
    }
    if offset > total.max(1) {
        return Err(Refusal::invalid(
            "invalid_offset",
            format!("offset {offset} is beyond the end: the file has {total} lines"),
        ));
    }
    if limit == Some(0) {
        return Err(Refusal::invalid("invalid_limit", "limit must be at least 1"));
    }
    let limit = limit.unwrap_or(READ_LINES as u64);
    if limit > READ_LINES as u64 {
        return Err(Refusal::invalid("invalid_limit", format!("at most {READ_LINES} lines are read at a time")));
    }
    let mut content = String::new();
    let mut count = 0;
    for (number, line) in (1u64..).zip(text.lines()).skip(offset as usize - 1).take(limit as usize) {
        let shown = cut(line);
        let _ = if shown.len() < line.len() {
            writeln!(content, "{number}\t{shown}… [line of {} bytes cut]", line.len())
        } else {
            writeln!(content, "{number}\t{shown}")
        };
        count += 1;
        if content.len() > READ_BYTES {
            let fitting = (count - 1).max(1);
            return Err(Refusal::with(
                413,
                "response_too_large",
                format!(
                    "these lines exceed {READ_BYTES} bytes at line {number} (the file has {total} lines). \
                     Ask for fewer: offset {offset} with limit {fitting} fits"
                ),
            ));
        }
    }
    Ok(FileContent { content, file_size: text.len() as u64, lines_read: count, total_lines: total })
}

fn cut(line: &str) -> &str {
    let mut end = line.len().min(READ_LINE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_paged() {
        let got = lines("a\r\nb\n\nd", 2, Some(2)).unwrap();
        assert_eq!(got, FileContent { content: "2\tb\n3\t\n".into(), file_size: 7, lines_read: 2, total_lines: 4 });
        assert_eq!(lines("", 1, None).unwrap().lines_read, 0);
        assert_eq!(lines("a\n", 2, None).unwrap_err().code, "invalid_offset");
        assert_eq!(lines("a\n", 0, None).unwrap_err().code, "invalid_offset");
        assert_eq!(lines("a\n", 1, Some(2001)).unwrap_err().code, "invalid_limit");
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_says_so() {
        let line = "é".repeat(800);
        let got = lines(&line, 1, None).unwrap().content;
        assert!(got.starts_with("1\té"));
        assert!(got.ends_with("… [line of 1600 bytes cut]\n"));
        assert!(got.len() < 1_100);
    }

    #[test]
    fn too_many_bytes_are_an_error_that_says_what_fits() {
        let text = format!("{}\n", "x".repeat(99)).repeat(1_000);
        let error = lines(&text, 1, None).unwrap_err();
        assert_eq!(error.code, "response_too_large");
        let fitting: u64 = error.message.split("limit ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert_eq!(lines(&text, 1, Some(fitting)).unwrap().lines_read, fitting);
        assert!(lines(&text, 1, Some(fitting + 1)).is_err());
    }
}
