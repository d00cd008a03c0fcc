//! Giving a replacement the indentation of the lines that it takes the place of.

/// The new text's lines. `found` are the file's lines, `wanted` the old text's, which are equal but for white space.
pub(super) fn adapt(found: &[&str], wanted: &[&str], new: &str) -> String {
    let shift = Shift::between(found, wanted, new);
    let lines: Vec<String> = new
        .split('\n')
        .enumerate()
        .map(|(index, line)| match (wanted.get(index), found.get(index)) {
            // A line that is not changed stays as it is in the file, trailing white space and all.
            (Some(old), Some(file)) if *old == line => (*file).to_owned(),
            _ => shift.apply(line),
        })
        .collect();
    lines.join("\n")
}

/// How indentation in the old text becomes that of the file.
struct Shift<'a> {
    from: &'a str,
    to: &'a str,
    /// One level in the old and new text, and in the file.
    unit: Option<(String, String)>,
}

impl<'a> Shift<'a> {
    fn between(found: &[&'a str], wanted: &[&'a str], new: &str) -> Self {
        let pairs: Vec<(&str, &str)> = wanted
            .iter()
            .zip(found)
            .filter(|(line, _)| !line.trim().is_empty())
            .map(|(a, b)| (indentation(a), indentation(b)))
            .collect();
        let (from, to) = pairs.iter().min_by_key(|(from, _)| from.len()).copied().unwrap_or_default();
        let deeper = pairs.iter().filter_map(|(a, b)| Some((a.strip_prefix(from)?, b.strip_prefix(to)?)));
        let step = deeper.filter(|(a, b)| !a.is_empty() && !b.is_empty()).min_by_key(|(a, _)| a.len());
        let unit = step.map(|(a, b)| (a.to_owned(), b.to_owned())).or_else(|| guess(from, to, new));
        Self { from, to, unit }
    }

    fn apply(&self, line: &str) -> String {
        let depth = indentation(line);
        let (Some(rest), false) = (depth.strip_prefix(self.from), line.trim().is_empty()) else { return line.to_owned() };
        let text = &line[depth.len()..];
        let Some((unit, file_unit)) = &self.unit else { return format!("{}{rest}{text}", self.to) };
        let mut rest = rest;
        let mut levels = 0;
        while let Some(shorter) = rest.strip_prefix(unit.as_str()) {
            rest = shorter;
            levels += 1;
        }
        format!("{}{}{rest}{text}", self.to, file_unit.repeat(levels))
    }
}

/// One level on either side, where the matched lines show only that one side has tabs and the other has spaces.
fn guess(from: &str, to: &str, new: &str) -> Option<(String, String)> {
    let tabs = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte == b'\t');
    let spaces = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte == b' ');
    if tabs(to) && !tabs(from) {
        let shallowest =
            new.split('\n').map(indentation).filter_map(|depth| depth.strip_prefix(from)).filter(|depth| spaces(depth));
        return shallowest.min_by_key(|depth| depth.len()).map(|unit| (unit.to_owned(), "\t".to_owned()));
    }
    if spaces(to) && tabs(from) {
        let width = (to.len() / from.len()).max(1);
        return Some(("\t".to_owned(), " ".repeat(width)));
    }
    None
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}
