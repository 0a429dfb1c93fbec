//! Time, as an argument: tests step it.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::domain::Timestamp;

/// A clock that can be waited for.
pub trait Clock: Send + Sync {
    /// Tells the time.
    fn now(&self) -> Timestamp;

    /// Waits until the clock shows this time or a later one.
    fn until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The longest wait without a look at the clock: it may be set, and the machine may sleep.
const LOOK: Duration = Duration::from_secs(30);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let left = at.millis_since(self.now());
                if left == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(left).min(LOOK)).await;
            }
        })
    }
}

/// This time, so much later.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.millis().saturating_add(by)).unwrap_or(at)
}

/// This time, so much earlier.
pub(super) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.millis().saturating_sub(by)).unwrap_or(at)
}
