//! Where an edit's old text is: exactly, or else in whole lines that differ in white space only.

use super::{
    hint, indent,
    newline::{Text, lf},
};
use crate::refusal::Refusal;
use docket_wire::file::Edit;

const SHOWN_LINES: usize = 20;

/// The text after an edit.
pub(super) fn apply(text: &Text, edit: &Edit) -> Result<Text, Refusal> {
    let (old, new) = (lf(&edit.old_text), lf(&edit.new_text));
    if old.is_empty() {
        return Err(Refusal::invalid("empty_old_text", "old_text is empty; to make or replace a whole file, write it."));
    }
    if old == new {
        return Err(Refusal::invalid("no_change", "old_text and new_text are the same."));
    }
    let exact: Vec<_> = text.view().match_indices(&old).map(|(at, _)| (at, at + old.len(), new.clone())).collect();
    if !exact.is_empty() {
        return chosen(text, edit, exact);
    }
    for same in [trailing as fn(&str, &str) -> bool, surrounding] {
        let found = by_lines(text.view(), &old, &new, same);
        if !found.is_empty() {
            return chosen(text, edit, found);
        }
    }
    Err(Refusal::with(404, "text_not_found", hint::not_found(text.view(), &old, &new)))
}

fn trailing(a: &str, b: &str) -> bool {
    a.trim_end() == b.trim_end()
}

fn surrounding(a: &str, b: &str) -> bool {
    a.trim() == b.trim()
}

fn chosen(text: &Text, edit: &Edit, found: Vec<(usize, usize, String)>) -> Result<Text, Refusal> {
    if found.len() > 1 && !edit.replace_all {
        return Err(ambiguous(text.view(), &found));
    }
    Ok(text.replace(&found))
}

fn ambiguous(view: &str, found: &[(usize, usize, String)]) -> Refusal {
    let mut line = 1;
    let mut from = 0;
    let mut lines = Vec::new();
    for (start, _, _) in found.iter().take(SHOWN_LINES) {
        line += view[from..*start].matches('\n').count();
        from = *start;
        lines.push(line.to_string());
    }
    let more = if found.len() > SHOWN_LINES { ", …" } else { "" };
    Refusal::with(
        409,
        "text_not_unique",
        format!(
            "old_text is there {} times, at lines {}{more}. Add surrounding lines to make it unique, or set replace_all.",
            found.len(),
            lines.join(", ")
        ),
    )
}

/// Ranges of whole lines that are the same as the old text's, and what takes their place.
fn by_lines(view: &str, old: &str, new: &str, same: fn(&str, &str) -> bool) -> Vec<(usize, usize, String)> {
    let wanted: Vec<&str> = old.strip_suffix('\n').unwrap_or(old).split('\n').collect();
    if wanted.iter().all(|line| line.trim().is_empty()) {
        return Vec::new();
    }
    let lines: Vec<&str> = view.split('\n').collect();
    let starts: Vec<usize> = lines.iter().scan(0, |at, line| Some(std::mem::replace(at, *at + line.len() + 1))).collect();
    let mut found = Vec::new();
    let mut index = 0;
    while index + wanted.len() <= lines.len() {
        let window = &lines[index..index + wanted.len()];
        if !window.iter().zip(&wanted).all(|(a, b)| same(a, b)) {
            index += 1;
            continue;
        }
        let last = index + wanted.len() - 1;
        let mut end = starts[last] + lines[last].len();
        let whole = old.ends_with('\n') && end < view.len();
        let mut text = indent::adapt(window, &wanted, new.strip_suffix('\n').unwrap_or(new));
        if whole {
            end += 1;
        }
        if new.is_empty() {
            text.clear();
        } else if whole && new.ends_with('\n') {
            text.push('\n');
        }
        found.push((starts[index], end, text));
        index += wanted.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str, old: &str, new: &str, all: bool) -> Result<String, Refusal> {
        let edit = Edit { path: "f".into(), old_text: old.into(), new_text: new.into(), replace_all: all };
        apply(&Text::new(text.into()), &edit).map(Text::into_string)
    }

    #[test]
    fn an_exact_text_is_replaced_once() {
        assert_eq!(edit("a b c", "b", "x", false).unwrap(), "a x c");
        assert_eq!(edit("é→ü", "→", "←", false).unwrap(), "é←ü");
        let error = edit("b\nb\nab", "b", "x", false).unwrap_err();
        assert_eq!(error.code, "text_not_unique");
        assert!(error.message.contains("3 times, at lines 1, 2, 3"), "{}", error.message);
        assert_eq!(edit("b\nb\nab", "b", "x", true).unwrap(), "x\nx\nax");
    }

    #[test]
    fn line_endings_match_each_other_and_are_kept() {
        assert_eq!(edit("a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\nz\n", false).unwrap(), "x\r\ny\r\nz\r\nc\r\n");
        assert_eq!(edit("a\nb\nc\n", "a\r\nb", "x\r\ny", false).unwrap(), "x\ny\nc\n");
        assert_eq!(edit("a\r\nb\r\nc", "c", "x\ny", false).unwrap(), "a\r\nb\r\nx\r\ny");
        assert_eq!(edit("a\nb\r\nc\n", "c", "d", false).unwrap(), "a\nb\r\nd\n", "other lines keep theirs");
    }

    #[test]
    fn trailing_white_space_is_ignored_when_nothing_is_exact() {
        assert_eq!(edit("if x:  \n  y\n", "if x:\n  y\n", "if x:\n  z\n", false).unwrap(), "if x:  \n  z\n");
    }

    #[test]
    fn indentation_is_taken_from_the_file() {
        let file = "fn f() {\n\tif a {\n\t\tb();\n\t}\n}\n";
        let got = edit(file, "if a {\n    b();\n}", "if a {\n    b();\n    if c {\n        d();\n    }\n}", false).unwrap();
        assert_eq!(got, "fn f() {\n\tif a {\n\t\tb();\n\t\tif c {\n\t\t\td();\n\t\t}\n\t}\n}\n");
        let got = edit("        a\n        b\n", "a\nb", "a\nc\nb", false).unwrap();
        assert_eq!(got, "        a\n        c\n        b\n");
        let got = edit("  if a:\n    b\n", "\tif a:\n\t\tb\n", "\tif a:\n\t\tb\n\t\tc\n", false).unwrap();
        assert_eq!(got, "  if a:\n    b\n    c\n");
    }

    #[test]
    fn whole_lines_can_be_deleted() {
        assert_eq!(edit("a\n  b  \nc\n", "b\n", "", false).unwrap(), "a\nc\n");
        assert_eq!(edit("a\nb", "b\n", "c\n", false).unwrap(), "a\nc");
    }

    #[test]
    fn nothing_to_find_or_to_change_is_an_error() {
        assert_eq!(edit("a", "", "b", false).unwrap_err().code, "empty_old_text");
        assert_eq!(edit("a", "a", "a", false).unwrap_err().code, "no_change");
        assert_eq!(edit("a", "zz", "b", false).unwrap_err().code, "text_not_found");
        assert_eq!(edit("a\n", " \n \n", "b", false).unwrap_err().code, "text_not_found", "blank lines match nothing");
    }
}
