//! What was measured, as a table and as JSON.

use super::part::Part;
use serde::Serialize;
use std::fmt::{self, Write as _};

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub version: &'static str,
    /// `release` or `debug`; the figures of a debug build say little.
    pub build: &'static str,
    pub processors: usize,
    /// Of the machine over the last minute, where it tells; before and after.
    pub load_before: Option<f64>,
    pub load_after: Option<f64>,
    pub parts: Vec<PartReport>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PartReport {
    pub part: Part,
    pub seconds: f64,
    pub figures: Vec<Figure>,
    /// Why it was not measured to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
}

/// A ceiling or a peer, from the same run, in the same unit.
#[derive(Clone, Debug, Serialize)]
pub struct Beside {
    pub what: String,
    pub value: f64,
    /// The figure divided by this value.
    pub ratio: f64,
}

impl Figure {
    pub(super) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, beside: Vec::new() }
    }

    #[must_use]
    pub(super) fn beside(mut self, what: impl Into<String>, value: f64) -> Self {
        let ratio = if value == 0.0 { 0.0 } else { self.value / value };
        self.beside.push(Beside { what: what.into(), value, ratio });
        self
    }
}

impl Report {
    /// Whether every part was measured to the end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.parts.iter().all(|part| part.error.is_none())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = |load: Option<f64>| load.map_or_else(|| "unknown".to_owned(), |load| load.to_string());
        let (before, after) = (load(self.load_before), load(self.load_after));
        let Self { version, build, processors, .. } = self;
        writeln!(f, "docket {version}, {build} build, {processors} processors, load {before} before and {after} after")?;
        for PartReport { part, seconds, figures, error } in &self.parts {
            writeln!(f, "\n{part:?} ({seconds:.0} s)")?;
            let width = figures.iter().map(|figure| figure.what.chars().count()).max().unwrap_or(0);
            for Figure { what, value, unit, beside } in figures {
                let mut line = format!("  {what:width$}  {:>11} {unit:<9}", number(*value));
                for Beside { what, value, ratio } in beside {
                    write!(line, "  {} × {what} ({})", number(*ratio), number(*value))?;
                }
                writeln!(f, "{}", line.trim_end())?;
            }
            if let Some(error) = error {
                writeln!(f, "  FAILED: {error}")?;
            }
        }
        Ok(())
    }
}

/// About three digits, with separators.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        less if less < 0.1 => format!("{value:.4}"),
        less if less < 10.0 => format!("{value:.2}"),
        less if less < 1000.0 => format!("{value:.1}"),
        _ => {
            let digits = format!("{value:.0}");
            let mut shown = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index).is_multiple_of(3) {
                    shown.push(',');
                }
                shown.push(digit);
            }
            shown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_part_keeps_what_it_measured() {
        let figure = Figure::new("sqlite, 1 chat", 1_234_567.8, "events/s").beside("bulk insert", 2_469_135.6);
        let part =
            PartReport { part: Part::Append, seconds: 1.0, figures: vec![figure], error: Some("the disk is full".to_owned()) };
        let report =
            Report { version: "0", build: "debug", processors: 2, load_before: None, load_after: None, parts: vec![part] };
        let shown = report.to_string();
        assert!(shown.contains("1,234,568 events/s   0.50 × bulk insert (2,469,136)"), "{shown}");
        assert!(shown.contains("FAILED: the disk is full") && !report.is_whole(), "{shown}");
    }
}
