//! How often a change is told: at once, and then no more than twice a second, the last change always.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// The shortest time between two words about one thing.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// What has changed and was not told yet, and when each thing was told last.
#[derive(Debug)]
pub(super) struct Pace<K> {
    known: HashMap<K, Beat>,
}

#[derive(Debug, Default)]
struct Beat {
    told: Option<Instant>,
    changed: bool,
}

impl<K> Default for Pace<K> {
    fn default() -> Self {
        Self { known: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash> Pace<K> {
    /// Notes that `key` has changed.
    pub(super) fn change(&mut self, key: K) {
        self.known.entry(key).or_default().changed = true;
    }

    /// Forgets `key`; what was not told of it never will be.
    pub(super) fn forget(&mut self, key: &K) {
        self.known.remove(key);
    }

    /// When something is next to be told, if ever; what was never told before is due at `now`.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let changed = self.known.values().filter(|beat| beat.changed);
        changed.map(|beat| beat.told.map_or(now, |at| at + INTERVAL)).min()
    }

    /// Takes what is to be told at `now`.
    pub(super) fn take(&mut self, now: Instant) -> Vec<K> {
        let due = |beat: &Beat| beat.changed && beat.told.is_none_or(|at| at + INTERVAL <= now);
        let mut taken = Vec::new();
        for (key, beat) in self.known.iter_mut().filter(|(_, beat)| due(beat)) {
            *beat = Beat { told: Some(now), changed: false };
            taken.push(key.clone());
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told in so many milliseconds by one who looks whenever something is due, and when.
    fn told(pace: &mut Pace<&'static str>, start: Instant, until: u64) -> Vec<(u64, &'static str)> {
        let end = start + Duration::from_millis(until);
        let mut told = Vec::new();
        let mut now = start;
        while let Some(at) = pace.due(now).filter(|at| *at <= end) {
            now = now.max(at);
            let millis = u64::try_from((now - start).as_millis()).unwrap();
            told.extend(pace.take(now).into_iter().map(|key| (millis, key)));
        }
        told
    }

    #[test]
    fn a_change_is_told_at_once_and_many_are_told_twice_a_second() {
        let mut pace = Pace::default();
        let start = Instant::now();
        let mut at = Vec::new();
        for millis in (0..2200).step_by(10) {
            let now = start + Duration::from_millis(millis);
            pace.change("a");
            if pace.due(now).is_some_and(|due| due <= now) {
                assert_eq!(pace.take(now), ["a"]);
                at.push(millis);
            }
        }
        assert_eq!(at, [0, 500, 1000, 1500, 2000]);
    }

    #[test]
    fn the_last_change_is_told_and_then_nothing() {
        let mut pace = Pace::default();
        let start = Instant::now();
        pace.change("a");
        assert_eq!(told(&mut pace, start, 60_000), [(0, "a")]);
        pace.change("a");
        pace.change("b");
        assert_eq!(told(&mut pace, start, 60_000), [(0, "b"), (500, "a")], "one does not hold up the other");
        pace.change("a");
        pace.forget(&"a");
        assert_eq!(told(&mut pace, start, 60_000), []);
    }
}
