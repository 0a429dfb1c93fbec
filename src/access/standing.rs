//! Whether callers whose streams are open still count: their keys are looked at together, for all streams.
//!
//! Keys end in any process of the state directory, so nothing here is told of it. While there are streams one task looks
//! each second; without any it is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Access, Identity};

/// How often keys are looked at while there are streams.
const LOOK: Duration = Duration::from_secs(1);

/// The caller of an open stream, kept an eye on as long as this is held.
#[derive(Clone, Debug)]
pub struct Standing(Arc<CancellationToken>);

impl Standing {
    /// Resolves when the caller no longer counts: its key was removed or has ended, or the text of it that it showed
    /// has; the configured token is another; or a token is needed from now on. Some two seconds after that at most.
    pub async fn lost(&self) {
        self.0.cancelled().await;
    }

    /// Whether that is so.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// The callers of open streams, by what they showed: all streams of a key share what tells of its end.
#[derive(Debug, Default)]
pub(super) struct Standings(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    callers: HashMap<Option<String>, Weak<CancellationToken>>,
    /// Whether the task runs that looks at them.
    looked_at: bool,
}

impl Standings {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a caller's standing, and whether somebody must begin to look.
    fn add(&self, shown: Option<&str>) -> (Standing, bool) {
        let mut open = self.open();
        let shown = shown.map(str::to_owned);
        let token = open.callers.get(&shown).and_then(Weak::upgrade).unwrap_or_default();
        open.callers.insert(shown, Arc::downgrade(&token));
        (Standing(token), !std::mem::replace(&mut open.looked_at, true))
    }

    /// What the callers of open streams showed; if that is nothing, nobody needs to look any more.
    fn shown(&self) -> Vec<Option<String>> {
        let mut open = self.open();
        open.callers.retain(|_, token| token.strong_count() > 0);
        open.looked_at = !open.callers.is_empty();
        open.callers.keys().cloned().collect()
    }

    /// Tells the streams of those who showed this that it no longer counts. Whoever comes after that is another.
    pub(super) fn end(&self, shown: Option<&str>) {
        let token = self.open().callers.remove(&shown.map(str::to_owned));
        if let Some(token) = token.and_then(|token| token.upgrade()) {
            token.cancel();
        }
    }
}

impl Access {
    /// Keeps an eye on a caller whose stream is opened, for as long as that is open. Called within a runtime.
    #[must_use]
    pub fn standing(self: &Arc<Self>, identity: &Identity) -> Standing {
        let (standing, first) = self.standings.add(identity.shown());
        if first {
            let access = Arc::downgrade(self);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(LOOK).await;
                    let Some(access) = access.upgrade() else { return };
                    if !access.look() {
                        return;
                    }
                }
            });
        }
        standing
    }

    /// Looks at the callers of all open streams; tells whether there are any.
    fn look(&self) -> bool {
        let shown = self.standings.shown();
        for one in shown.iter().map(Option::as_deref) {
            match self.still(one) {
                Ok(Some(_)) => {}
                Ok(None) => self.standings.end(one),
                // Nobody new is let in meanwhile; whoever is in was let in rightly.
                Err(error) => tracing::warn!(%error, "the key of an open stream cannot be looked at"),
            }
        }
        !shown.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_a_key_share_one_and_whoever_is_last_ends_the_looking() {
        let standings = Standings::default();
        let (one, first) = standings.add(Some("a"));
        let (other, second) = standings.add(Some("a"));
        let (apart, third) = standings.add(None);
        assert_eq!((first, second, third), (true, false, false));
        standings.end(Some("a"));
        assert!(one.is_lost() && other.is_lost() && !apart.is_lost());
        let (again, _) = standings.add(Some("a"));
        assert!(!again.is_lost());
        assert_eq!(standings.shown().len(), 2);
        drop((again, apart));
        assert_eq!(standings.shown(), Vec::new());
        assert!(standings.add(Some("a")).1, "nobody looks any more");
    }
}
