//! How long a provider asks us to wait.

use reqwest::header::{HeaderMap, HeaderValue};

/// The longest wait that is believed: one day.
const LONGEST_MS: f64 = 86_400_000.0;

/// Milliseconds from `retry-after-ms` (a number), or `retry-after` (seconds, or a date, which is taken relative to the
/// response's own `date` so that no clock of ours is needed), or the longest of the limits that are used up now
/// (`x-ratelimit-…`). `None` if there is none of these, or nonsense.
pub(crate) fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let text = |name: &str| headers.get(name).map(HeaderValue::to_str).and_then(Result::ok).map(str::trim);
    let number = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
    let wait = number("retry-after-ms").or_else(|| number("retry-after").map(|seconds| seconds * 1000.0));
    match wait {
        Some(wait) => bounded(wait),
        None => {
            let date = || httpdate::parse_http_date(text("retry-after")?).ok();
            match (date(), text("date").and_then(|now| httpdate::parse_http_date(now).ok())) {
                (Some(until), Some(now)) => bounded(until.duration_since(now).unwrap_or_default().as_secs_f64() * 1000.0),
                _ => exhausted_ms(headers),
            }
        }
    }
}

/// When the limits that are used up are filled again.
fn exhausted_ms(headers: &HeaderMap) -> Option<u64> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let limits = ["requests", "tokens"].iter().filter(|what| text(&format!("x-ratelimit-remaining-{what}")) == Some("0"));
    limits.filter_map(|what| duration_ms(text(&format!("x-ratelimit-reset-{what}"))?)).max()
}

/// A duration as OpenAI and Google write it: `1s`, `6m0s`, `34.4s`, `120ms`, `1h2m`; a bare number is seconds.
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return bounded(seconds * 1000.0);
    }
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
        let (unit, more) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let factor = match unit {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = more;
    }
    (!text.is_empty()).then(|| bounded(total)).flatten()
}

/// A cast of a float saturates; the bounds keep it exact.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn bounded(wait: f64) -> Option<u64> {
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
        let (left, reset) = (("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "6m1.5s"));
        assert_eq!(of(&[left, reset]), Some(361_500));
        assert_eq!(of(&[("x-ratelimit-remaining-tokens", "5"), reset]), None);
        assert_eq!(of(&[left, reset, ("retry-after", "3")]), Some(3000));
        for (text, want) in [("34.4s", Some(34_400)), ("120ms", Some(120)), ("1h2m", Some(3_720_000)), ("7", Some(7000))] {
            assert_eq!(duration_ms(text), want, "{text}");
        }
        for nonsense in ["", "s", "1x", "-1s", "1s2"] {
            assert_eq!(duration_ms(nonsense), None, "{nonsense}");
        }
        assert_eq!(of(&[("retry-after", "1e30")]), Some(86_400_000));
    }
}
