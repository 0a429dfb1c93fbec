//! When a usage limit lifts, from the words that Claude Code shows for it.

use crate::domain::Timestamp;

/// Reads the reset out of a text such as `You've hit your session limit · resets 9:19am (UTC)` (2.1.197), as the
/// next such time after `now`. `None` if the text names no time, or one in a zone other than UTC.
#[must_use]
pub fn resets_at(text: &str, now: Timestamp) -> Option<Timestamp> {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let after = text.split("resets ").nth(1)?;
    let (clock, zone) = after.split_once(" (")?;
    if !zone.starts_with("UTC)") {
        return None;
    }
    let clock = clock.trim();
    let (digits, afternoon) = match (clock.strip_suffix("am"), clock.strip_suffix("pm")) {
        (Some(digits), _) => (digits, false),
        (_, Some(digits)) => (digits, true),
        _ => return None,
    };
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hour, minute): (i64, i64) = (hour.trim().parse().ok()?, minute.parse().ok()?);
    if !(1..=12).contains(&hour) || !(0..60).contains(&minute) {
        return None;
    }
    let hour = hour % 12 + if afternoon { 12 } else { 0 };
    let midnight = now.millis().div_euclid(DAY_MS) * DAY_MS;
    let today = midnight + (hour * 60 + minute) * 60_000;
    Timestamp::from_millis(if today > now.millis() { today } else { today + DAY_MS })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::later_today(
        "You've hit your session limit · resets 9:19am (UTC)",
        Some("2026-11-22T09:19:00.000Z")
    )]
    #[case::tomorrow("limit · resets 3am (UTC)", Some("2026-11-23T03:00:00.000Z"))]
    #[case::midnight("limit · resets 12am (UTC)", Some("2026-11-23T00:00:00.000Z"))]
    #[case::afternoon("limit · resets 1:05pm (UTC)", Some("2026-11-22T13:05:00.000Z"))]
    #[case::other_zone("limit · resets 9am (Europe/Berlin)", None)]
    #[case::no_time("Request rejected (429)", None)]
    fn the_reset_is_read(#[case] text: &str, #[case] expected: Option<&str>) {
        let now = "2026-11-22T08:00:00Z".parse().unwrap();
        assert_eq!(resets_at(text, now).map(|at| at.to_string()).as_deref(), expected);
    }
}
