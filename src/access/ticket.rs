//! Tickets: one-time tokens for streams, whose clients (browsers' `EventSource` and `WebSocket`) can send no header.
//!
//! A ticket stands for whoever asked for it, counts once, for a minute, and at the server that gave it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Identity;
use super::token::{TICKET_PREFIX, hash, is_minted, mint};
use crate::domain::{ErrorCode, OpError, Timestamp};

/// How long a ticket counts.
const LIFETIME: Duration = Duration::from_secs(60);

/// How many unused tickets a key may have at once.
const OUTSTANDING: usize = 5;

/// A ticket as its owner gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// `sse_` and 64 hexadecimal digits.
    pub token: String,
    /// Until when it counts.
    pub expires_at: Timestamp,
}

/// The tickets that were given and not used.
#[derive(Debug, Default)]
pub(super) struct Tickets(Mutex<HashMap<String, (Instant, Identity)>>);

impl Tickets {
    /// Gives a ticket; none if its owner has too many already.
    pub(super) fn give(&self, identity: &Identity) -> Result<Option<Ticket>, OpError> {
        let token = mint(TICKET_PREFIX)?;
        let now = Instant::now();
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|_, (until, _)| *until > now);
        if given.values().filter(|(_, owner)| owner.key == identity.key).count() >= OUTSTANDING {
            return Ok(None);
        }
        given.insert(hash(&token), (now + LIFETIME, identity.clone()));
        let lifetime = i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX);
        let expires_at = Timestamp::from_millis(Timestamp::now().millis().saturating_add(lifetime))
            .ok_or_else(|| OpError::new(ErrorCode::Internal, "the clock is beyond all calendars"))?;
        Ok(Some(Ticket { token, expires_at }))
    }

    /// Takes a ticket, which is gone then.
    pub(super) fn take(&self, token: &str) -> Option<Identity> {
        if !is_minted(token, TICKET_PREFIX) {
            return None;
        }
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, identity) = given.remove(&hash(token))?;
        (until > Instant::now()).then_some(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_counts_once_and_a_key_has_few() {
        let tickets = Tickets::default();
        let key = |id: &str| Identity { key: Some(id.into()), ..Identity::nobody() };
        let one = tickets.give(&key("one")).unwrap().unwrap();
        assert_eq!(tickets.take(&one.token), Some(key("one")));
        assert_eq!(tickets.take(&one.token), None);
        assert_eq!(tickets.take("sse_0"), None);
        for _ in 0..OUTSTANDING {
            assert!(tickets.give(&key("one")).unwrap().is_some());
        }
        assert!(tickets.give(&key("one")).unwrap().is_none());
        assert!(tickets.give(&key("other")).unwrap().is_some());
    }
}
