//! When a usage limit lifts, from the words that Claude Code shows for it.

use crate::domain::Timestamp;

/// Reads the reset out of a text such as `You've hit your session limit · resets 9:19am (UTC)` (2.1.197), as the
/// next such time after `now` in the zone that it names. `None` if the text names no time, or an unknown zone.
#[must_use]
pub fn resets_at(text: &str, now: Timestamp) -> Option<Timestamp> {
    let after = text.split("resets ").nth(1)?;
    let (clock, zone) = after.split_once(" (")?;
    let (zone, _) = zone.split_once(')')?;
    let clock = clock.trim();
    let (digits, afternoon) = match (clock.strip_suffix("am"), clock.strip_suffix("pm")) {
        (Some(digits), _) => (digits, false),
        (_, Some(digits)) => (digits, true),
        _ => return None,
    };
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hour, minute): (i8, i8) = (hour.trim().parse().ok()?, minute.parse().ok()?);
    if !(1..=12).contains(&hour) {
        return None;
    }
    now.next_at(hour % 12 + if afternoon { 12 } else { 0 }, minute, zone)
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
    #[case::t19_another_zone("limit · resets 9:30am (Europe/Berlin)", Some("2026-11-22T08:30:00.000Z"))]
    #[case::t19_tomorrow_there("limit · resets 8:30am (Europe/Berlin)", Some("2026-11-23T07:30:00.000Z"))]
    #[case::t19_another_day_there("limit · resets 6pm (Pacific/Auckland)", Some("2026-11-23T05:00:00.000Z"))]
    #[case::no_such_zone("limit · resets 9am (Middle/Earth)", None)]
    #[case::no_such_minute("limit · resets 9:60am (UTC)", None)]
    #[case::no_time("Request rejected (429)", None)]
    fn the_reset_is_read(#[case] text: &str, #[case] expected: Option<&str>) {
        let now = "2026-11-22T08:00:00Z".parse().unwrap();
        assert_eq!(resets_at(text, now).map(|at| at.to_string()).as_deref(), expected);
    }
}
