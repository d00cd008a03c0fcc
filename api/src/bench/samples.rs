//! Durations of the same thing, many times.

use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(super) struct Samples(Vec<Duration>);

impl Samples {
    pub(super) fn add(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds; 0 of nothing.
    pub(super) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(super) fn p99(&self) -> f64 {
        self.quantile(0.99)
    }

    pub(super) fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The smallest sample that so great a part of all does not exceed.
    fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() as f64 * part).ceil() as usize;
        sorted.get(place.max(1) - 1).map_or(0.0, |sample| sample.as_secs_f64() * 1000.0)
    }
}

impl Extend<Samples> for Samples {
    fn extend<T: IntoIterator<Item = Samples>>(&mut self, others: T) {
        self.0.extend(others.into_iter().flat_map(|other| other.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        assert_eq!(Samples::default().median(), 0.0);
        let samples = Samples((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!((samples.median(), samples.p99(), samples.max()), (100.0, 198.0, 200.0));
    }
}
