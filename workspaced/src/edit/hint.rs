//! What may help whoever searched for a text that is not there.

const LINES: usize = 50;
const SHOWN_CHARS: usize = 500;
/// Lines of a file that are compared with the searched ones.
const COMPARED: usize = 200_000;

/// The error's message.
pub(super) fn not_found(view: &str, old: &str, new: &str) -> String {
    let mut message = "old_text was not found.".to_owned();
    if let Some(hint) = look_alike(view, old) {
        message.push_str(&hint);
    } else if !new.trim().is_empty() && view.contains(new) {
        message.push_str(" new_text is there already: was this edit made before, or are old_text and new_text swapped?");
    } else if let Some(hint) = closest(view, old) {
        message.push_str(&hint);
    }
    message
}

fn look_alike(view: &str, old: &str) -> Option<String> {
    let (plain_view, plain_old) = (plain(view), plain(old));
    if plain_old == old && plain_view == view {
        return None;
    }
    let at = plain_view.find(&plain_old)?;
    let line = 1 + plain_view[..at].matches('\n').count();
    Some(format!(
        " The text at line {line} differs only in characters that look alike, such as curly quotes, long dashes or \
         non-breaking spaces. Copy it from there."
    ))
}

fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200d}' | '\u{feff}' | '\u{ad}'))
        .map(|c| match c {
            '\u{2018}'..='\u{201b}' | '\u{2032}' | '\u{b4}' => '\'',
            '\u{201c}'..='\u{201f}' | '\u{2033}' => '"',
            '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
            '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            other => other,
        })
        .collect()
}

/// The lines that have the most in common with the searched ones.
fn closest(view: &str, old: &str) -> Option<String> {
    let wanted: Vec<&str> = old.trim_matches('\n').split('\n').map(str::trim).collect();
    let lines: Vec<&str> = view.split('\n').take(COMPARED).collect();
    if wanted.len() > LINES || wanted.is_empty() {
        return None;
    }
    let score = |start: usize| {
        let window = lines[start..].iter().zip(&wanted);
        window.filter(|(line, wanted)| !wanted.is_empty() && line.trim() == **wanted).count()
    };
    let (best, start) =
        (0..lines.len()).map(|start| (score(start), start)).max_by_key(|(score, start)| (*score, usize::MAX - start))?;
    if best == 0 {
        return None;
    }
    let window = &lines[start..lines.len().min(start + wanted.len())];
    let shown: String = window.join("\n").chars().take(SHOWN_CHARS).collect();
    let last = start + window.len();
    Some(format!(
        " The closest is at lines {}-{last}, where {best} of {} lines are the same:\n{shown}\n",
        start + 1,
        wanted.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hint_fits_its_case() {
        assert!(
            not_found("say \u{201c}hi\u{201d}", "say \"hi\"", "x")
                .contains("line 1 differs only in characters that look alike")
        );
        assert!(not_found("new\n", "old\n", "new").contains("new_text is there already"));
        let hint = not_found("a\nb\nc\nd\n", "b\nX\nd", "y");
        assert!(hint.contains("lines 2-4, where 2 of 3 lines are the same:\nb\nc\nd"), "{hint}");
        assert_eq!(not_found("a", "b", "c"), "old_text was not found.");
        assert_eq!(not_found("a", &"a\n".repeat(60), "c"), "old_text was not found.");
    }
}
