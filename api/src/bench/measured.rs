//! Where a part puts what it found, so that a failure later on does not take it along.

use super::report::Figure;

#[derive(Debug)]
pub(super) struct Measured {
    pub(super) figures: Vec<Figure>,
    note: fn(&str),
}

impl Measured {
    pub(super) fn new(note: fn(&str)) -> Self {
        Self { figures: Vec::new(), note }
    }

    /// Takes a figure, and shows it at once to whoever waits.
    pub(super) fn add(&mut self, figure: Figure) {
        (self.note)(&format!("  {}: {:.2} {}", figure.what, figure.value, figure.unit));
        self.figures.push(figure);
    }

    /// A figure without anything beside it.
    pub(super) fn figure(&mut self, what: &str, value: f64, unit: &'static str) {
        self.add(Figure::new(what, value, unit));
    }

    pub(super) fn remark(&self, text: &str) {
        (self.note)(&format!("  {text}"));
    }
}
