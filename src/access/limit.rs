//! How often somebody may call.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// How many callers are kept count of under one limit. Those beyond are refused until others were silent for long
/// enough: what is counted by address are only calls that are refused anyway.
const MOST_CALLERS: usize = 16_384;

/// How often somebody may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many calls, all at once or spread over the window.
    pub calls: u32,
    /// The window.
    pub window: Duration,
}

/// How much of a limit is left to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How many calls it may make at once.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// In how long all are there again.
    pub reset: Duration,
    /// After how long the next one is let in; none while there are some left.
    pub retry_after: Option<Duration>,
}

type Limiter = RateLimiter<String, HashMapStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// The counts of all callers, by what they are limited to.
#[derive(Default)]
pub(super) struct Limits(Mutex<HashMap<(u32, Duration), Arc<Limiter>>>);

impl Limits {
    /// Counts a call of `who`, who may make `limit` in a `window`, all at once or spread over it.
    pub(super) fn count(&self, who: String, limit: u32, window: Duration) -> Left {
        let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        let period = (window / limit.get()).max(Duration::from_nanos(1));
        // Only a period of nothing is none.
        let Some(quota) = Quota::with_period(period) else {
            return Left {
                limit: limit.get(),
                remaining: limit.get(),
                reset: Duration::ZERO,
                retry_after: None,
            };
        };
        let limiter = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let limiter = known.entry((limit.get(), window));
            limiter
                .or_insert_with(|| {
                    let limiter = RateLimiter::hashmap(quota.allow_burst(limit));
                    Arc::new(limiter.with_middleware::<StateInformationMiddleware>())
                })
                .clone()
        };
        if limiter.len() > MOST_CALLERS {
            limiter.retain_recent();
            if limiter.len() > MOST_CALLERS {
                return Left { limit: limit.get(), remaining: 0, reset: window, retry_after: Some(window) };
            }
        }
        match limiter.check_key(&who) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let reset = period * limit.get().saturating_sub(remaining);
                Left { limit: limit.get(), remaining, reset, retry_after: None }
            }
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                Left { limit: limit.get(), remaining: 0, reset: window, retry_after: Some(wait) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_called_too_often_waits_and_others_do_not() {
        let limits = Limits::default();
        let minute = Duration::from_secs(60);
        let first = limits.count("one".into(), 3, minute);
        assert_eq!((first.limit, first.remaining, first.retry_after), (3, 2, None));
        assert_eq!(first.reset, Duration::from_secs(20));
        limits.count("one".into(), 3, minute);
        assert_eq!(limits.count("one".into(), 3, minute).remaining, 0);
        let over = limits.count("one".into(), 3, minute);
        assert!(over.retry_after.is_some_and(|wait| wait <= Duration::from_secs(20)), "{over:?}");
        assert_eq!(limits.count("other".into(), 3, minute).remaining, 2);
    }

    #[test]
    fn an_hour_of_addresses_takes_no_more_memory_than_some() {
        let limits = Limits::default();
        for address in 0..MOST_CALLERS + 10 {
            limits.count(address.to_string(), 1, Duration::from_secs(3600));
        }
        assert!(limits.count("late".into(), 1, Duration::from_secs(3600)).retry_after.is_some());
    }
}
