//! How long a provider asks us to wait.

use reqwest::header::{HeaderMap, HeaderValue};

/// The longest wait that is believed: one day.
const LONGEST_MS: f64 = 86_400_000.0;

/// Milliseconds from `retry-after-ms` (a number), or `retry-after` (seconds, or a date, which is taken relative to the
/// response's own `date` so that no clock of ours is needed). `None` if there is neither, or nonsense.
pub(crate) fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let text = |name: &str| headers.get(name).map(HeaderValue::to_str).and_then(Result::ok).map(str::trim);
    let number = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
    let wait = number("retry-after-ms").or_else(|| number("retry-after").map(|seconds| seconds * 1000.0)).or_else(|| {
        let until = httpdate::parse_http_date(text("retry-after")?).ok()?;
        let now = httpdate::parse_http_date(text("date")?).ok()?;
        Some(until.duration_since(now).unwrap_or_default().as_secs_f64() * 1000.0)
    })?;
    // A cast of a float saturates; the bounds keep it exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (wait.is_finite() && wait >= 0.0).then(|| wait.min(LONGEST_MS).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderName;

    fn of(pairs: &[(&'static str, &'static str)]) -> Option<u64> {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        retry_after_ms(&pairs.collect())
    }

    #[test]
    fn reads_all_forms() {
        assert_eq!(of(&[("retry-after", "2")]), Some(2000));
        assert_eq!(of(&[("retry-after", "0.5")]), Some(500));
        assert_eq!(of(&[("retry-after", "1"), ("retry-after-ms", "12.4")]), Some(13));
        let date = ("date", "Sun, 22 Nov 2026 10:00:00 GMT");
        assert_eq!(of(&[date, ("retry-after", "Sun, 22 Nov 2026 10:00:07 GMT")]), Some(7000));
        assert_eq!(of(&[date, ("retry-after", "Sun, 22 Nov 2026 09:00:00 GMT")]), Some(0));
        for nonsense in ["-1", "soon", "nan", "inf", ""] {
            assert_eq!(of(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("retry-after", "1e30")]), Some(86_400_000));
    }
}
