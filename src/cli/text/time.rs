//! Times and spans of time, read and told.

use std::time::Duration;

use crate::domain::Timestamp;

/// Reads `10m`, `30s`, `1h30m`, `1500ms`, or a bare number of milliseconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no span of time; write 10m, 30s, 1h30m or 1500ms");
    if let Ok(millis) = text.parse::<u64>() {
        return Ok(Duration::from_millis(millis));
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        total = number.checked_mul(millis).and_then(|span| total.checked_add(span)).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_millis(total)) }
}

/// How long before `now`: `3m`.
pub(crate) fn ago(now: Timestamp, at: Timestamp) -> String {
    span(Duration::from_millis(now.millis_since(at)))
}

/// A span in its largest whole unit, or two where the first is small.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => "now".into(),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 if seconds / 3600 < 10 && !(seconds / 60).is_multiple_of(60) => {
            format!("{}h{}m", seconds / 3600, seconds / 60 % 60)
        }
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10m", 600_000)]
    #[case("30s", 30_000)]
    #[case("1h30m", 5_400_000)]
    #[case("1500ms", 1500)]
    #[case("1500", 1500)]
    #[case("0", 0)]
    fn a_span_is_read(#[case] text: &str, #[case] millis: u64) {
        assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(millis));
    }

    #[rstest]
    #[case("")]
    #[case("m")]
    #[case("10 m")]
    #[case("10x")]
    #[case("-1s")]
    #[case("1s5")]
    #[case("99999999999999999d")]
    fn nonsense_is_refused(#[case] text: &str) {
        assert!(parse_duration(text).is_err());
    }

    #[rstest]
    #[case(0, "now")]
    #[case(59, "59s")]
    #[case(61, "1m")]
    #[case(5_400, "1h30m")]
    #[case(36_060, "10h")]
    #[case(200_000, "2d")]
    fn a_span_is_told(#[case] seconds: u64, #[case] told: &str) {
        assert_eq!(span(Duration::from_secs(seconds)), told);
    }
}
