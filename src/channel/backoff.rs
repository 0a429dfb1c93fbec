//! How long to wait before trying again.

use std::time::Duration;

/// The wait after the first failure; each further one doubles it.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait: a receiver that is back after hours hears of it within these minutes.
const LONGEST: Duration = Duration::from_secs(600);

/// The longest wait that a receiver may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// The wait after so many failures in a row, without jitter.
pub(super) fn wait(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

/// The wait with up to a fifth more, so that many who failed at once do not come again at once. `chance` is any random
/// number.
pub(super) fn with_jitter(wait: Duration, chance: u128) -> Duration {
    let part = u32::try_from(chance % 1000).unwrap_or(0);
    wait + wait / 5 * part / 1000
}

/// The wait after a failure: the receiver's own word counts if it is longer.
pub(super) fn after(failures: u32, asked: Option<Duration>, chance: u128) -> Duration {
    let ours = with_jitter(wait(failures), chance);
    asked.map_or(ours, |asked| asked.min(LONGEST_ASKED).max(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_minutes() {
        let waits: Vec<_> = (1..=12).map(|n| wait(n).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert_eq!(wait(u32::MAX), LONGEST);
        assert_eq!(wait(0), FIRST);
    }

    #[test]
    fn jitter_adds_at_most_a_fifth() {
        let ten = Duration::from_secs(10);
        assert_eq!(with_jitter(ten, 0), ten);
        assert!(with_jitter(ten, 999) < Duration::from_secs(12));
        assert_ne!(with_jitter(ten, 500), with_jitter(ten, 501));
    }

    #[test]
    fn the_receivers_word_counts_if_it_is_longer() {
        assert_eq!(after(1, Some(Duration::from_secs(30)), 0), Duration::from_secs(30));
        assert_eq!(after(8, Some(Duration::from_secs(30)), 0), Duration::from_secs(128));
        assert_eq!(after(1, Some(Duration::from_secs(999_999)), 0), LONGEST_ASKED);
    }
}
