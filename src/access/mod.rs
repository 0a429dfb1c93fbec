//! Who calls over the network, and what they may do. Knows nothing of sessions.
//!
//! | part | what it is |
//! |---|---|
//! | `identity` | callers, roles, permissions |
//! | `token` | secrets: made and hashed |
//! | `ticket` | one-time tokens for streams |
//! | `limit` | how often somebody may call |
//! | `standing` | whether callers of open streams still count |
//! | `audit` | the log of what was done, by whom |

pub mod audit;
mod identity;
mod limit;
mod standing;
mod ticket;
mod token;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub use identity::{Identity, Needs, Permission, Role};
pub use limit::{Left, Limit};
pub use standing::Standing;
pub use ticket::Ticket;
pub use token::{KEY_PREFIX, TICKET_PREFIX, hash, mint, mint_id};

pub use crate::domain::same;
use crate::domain::{OpError, Secret, Timestamp};
use crate::store::{KeyStore, StoreError};

use limit::Limits;
use standing::Standings;
use ticket::Tickets;

/// How many wrong tokens an address may show in a minute before it is told to wait.
const BAD_TOKENS: u32 = 5;

/// For keys' own limits and wrong tokens.
const MINUTE: Duration = Duration::from_secs(60);

/// How long after the last note of a key's use the next one is made, in milliseconds.
const NOTED_EVERY_MS: u64 = 60_000;

/// What the configuration says about callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The token of `AEGIS_AUTH_TOKEN`, which may do everything.
    pub master: Option<Secret>,
    /// Whether anybody is limited.
    pub limited: bool,
    /// How many calls a key without a limit of its own may make in a window.
    pub key_calls: u32,
    /// How many calls without a token, where one is needed, are answered in a window by address.
    pub unknown_calls: u32,
    /// The window.
    pub window: Duration,
    /// Whether secrets of hooks count in a header only, not in the query.
    pub hook_secret_header_only: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            master: None,
            limited: true,
            key_calls: 100,
            unknown_calls: 30,
            window: MINUTE,
            hook_secret_header_only: false,
        }
    }
}

impl Rules {
    /// How often a key may call that has this limit of its own, or none.
    fn of_key(&self, own: Option<u32>) -> Option<Limit> {
        let usual = Limit { calls: self.key_calls, window: self.window };
        self.limited.then(|| own.map_or(usual, |calls| Limit { calls, window: MINUTE }))
    }
}

/// Decides who calls, and whether too often.
pub struct Access {
    rules: RwLock<Arc<Rules>>,
    keys: Arc<dyn KeyStore>,
    /// The same ones, for writing: reading must not wait for that.
    notes: Arc<dyn KeyStore>,
    tickets: Tickets,
    limits: Limits,
    standings: Standings,
    /// When each key's use was noted last, in milliseconds since the Unix epoch.
    noted: Mutex<HashMap<String, i64>>,
}

/// Why a call is refused before anything is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It brought no token.
    NoToken,
    /// Its token belongs to nobody.
    BadToken,
    /// Its key has ended.
    Expired,
    /// The keys cannot be read.
    Unavailable,
    /// Its key was used too often.
    KeyOften(Left),
    /// Its address called too often without a token.
    UnknownOften(Left),
    /// Its address showed too many wrong tokens.
    BadOften(Left),
}

impl Access {
    /// Builds it over what is configured and two handles on the store of keys: one that is read on every call, and one
    /// through which uses are noted behind the calls, which may wait for other processes.
    #[must_use]
    pub fn new(rules: Rules, keys: Arc<dyn KeyStore>, notes: Arc<dyn KeyStore>) -> Self {
        Self {
            rules: RwLock::new(Arc::new(rules)),
            keys,
            notes,
            tickets: Tickets::default(),
            limits: Limits::default(),
            standings: Standings::default(),
            noted: Mutex::default(),
        }
    }

    /// Takes other rules from now on. Counts under limits that stay the same go on; streams that another token opened
    /// end.
    pub fn set_rules(&self, rules: Rules) {
        let new = Arc::new(rules);
        let old = {
            let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *rules, new.clone())
        };
        if old.master != new.master {
            self.standings.end(Some(Identity::MASTER));
        }
    }

    fn rules(&self) -> Arc<Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells whether secrets of hooks count in a header only.
    #[must_use]
    pub fn hook_secret_in_header_only(&self) -> bool {
        self.rules().hook_secret_header_only
    }

    /// Tells whether calls need a token at all: one is configured, or there are keys.
    #[must_use]
    pub fn required(&self) -> bool {
        self.rules().master.is_some()
            || self.keys.has_api_keys().unwrap_or_else(|error| {
                tracing::error!(%error, "the keys cannot be read: calls are refused");
                true
            })
    }

    /// Tells who calls with this token, whatever the limits.
    ///
    /// # Errors
    ///
    /// [`Denied::NoToken`], [`Denied::BadToken`], [`Denied::Expired`], [`Denied::Unavailable`].
    pub fn identify(&self, token: Option<&str>) -> Result<Identity, Denied> {
        let rules = self.rules();
        match token {
            Some(token) if rules.master.as_ref().is_some_and(|master| same(token, master.reveal())) => {
                Ok(Identity::master())
            }
            _ if !self.required() => Ok(Identity::everyone()),
            None => Err(Denied::NoToken),
            Some(token) => self.key(token),
        }
    }

    fn key(&self, token: &str) -> Result<Identity, Denied> {
        if !token::is_minted(token, KEY_PREFIX) {
            return Err(Denied::BadToken);
        }
        let hash = hash(token);
        let found = self.keys.api_key_by_hash(&hash).map_err(|error| {
            tracing::error!(%error, "the keys cannot be read: a call is refused");
            Denied::Unavailable
        })?;
        let found = found.ok_or(Denied::BadToken)?;
        let now = Timestamp::now();
        if found.refused_from.is_some_and(|end| end <= now) {
            return Err(Denied::Expired);
        }
        self.note_use(&found.key.id, found.key.last_used_at, now);
        Ok(Identity::of_key(found.key, hash))
    }

    /// Notes once a minute that a key is in use, behind the call.
    fn note_use(&self, id: &str, stored: Option<Timestamp>, now: Timestamp) {
        let recent = |at: i64| {
            u64::try_from(now.millis().saturating_sub(at)).is_ok_and(|since| since < NOTED_EVERY_MS)
        };
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            let last = noted.get(id).copied().max(stored.map(Timestamp::millis));
            if last.is_some_and(recent) {
                return;
            }
            noted.retain(|_, at| recent(*at));
            noted.insert(id.to_owned(), now.millis());
        }
        let (notes, id) = (self.notes.clone(), id.to_owned());
        let note = move || {
            if let Err(error) = notes.touch_api_key(&id, now) {
                tracing::warn!(%error, "a key's use could not be noted");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(note)),
            Err(_) => note(),
        }
    }

    /// Tells who calls with this token from this address, and what is left of the limit where there is one: for keys
    /// and for callers without a token that counts. A token that counts is never refused for what others at the same
    /// address do.
    ///
    /// # Errors
    ///
    /// See [`Denied`].
    pub fn admit(&self, token: Option<&str>, from: IpAddr) -> Result<(Identity, Option<Left>), Denied> {
        let denied = match self.identify(token) {
            Ok(identity) => return self.count(identity),
            Err(denied) => denied,
        };
        let rules = self.rules();
        if !rules.limited {
            return Err(denied);
        }
        let place = place(from);
        match denied {
            Denied::NoToken => {
                let left = self.limits.count(format!("ip {place}"), rules.unknown_calls, rules.window);
                Err(if left.retry_after.is_some() { Denied::UnknownOften(left) } else { denied })
            }
            Denied::BadToken => {
                let left = self.limits.count(format!("bad {place}"), BAD_TOKENS, MINUTE);
                Err(if left.retry_after.is_some() { Denied::BadOften(left) } else { denied })
            }
            other => Err(other),
        }
    }

    fn count(&self, identity: Identity) -> Result<(Identity, Option<Left>), Denied> {
        let rules = self.rules();
        // The configured token and this machine's user are not limited.
        let key = identity.key.as_deref().filter(|key| *key != Identity::MASTER);
        let limits = key.zip(rules.of_key(identity.rate_limit));
        let Some((key, limit)) = limits else { return Ok((identity, None)) };
        let left = self.limits.count(format!("key {key}"), limit.calls, limit.window);
        if left.retry_after.is_some() { Err(Denied::KeyOften(left)) } else { Ok((identity, Some(left))) }
    }

    /// Tells how often a key may call that has this limit of its own, or none; none if nobody is limited.
    #[must_use]
    pub fn limit_of_key(&self, own: Option<u32>) -> Option<Limit> {
        self.rules().of_key(own)
    }

    /// Tells how often one address may call without a token where one is needed; none if nobody is limited.
    #[must_use]
    pub fn limit_of_unknown(&self) -> Option<Limit> {
        let rules = self.rules();
        rules.limited.then_some(Limit { calls: rules.unknown_calls, window: rules.window })
    }

    /// Counts a wrong secret that is no token: [`Denied::BadToken`], or [`Denied::BadOften`] after too many from this
    /// address.
    #[must_use]
    pub fn wrong_secret(&self, from: IpAddr) -> Denied {
        if !self.rules().limited {
            return Denied::BadToken;
        }
        let left = self.limits.count(format!("bad {}", place(from)), BAD_TOKENS, MINUTE);
        if left.retry_after.is_some() { Denied::BadOften(left) } else { Denied::BadToken }
    }

    /// Gives a ticket for a stream, which stands for this caller; none if it has too many unused ones.
    ///
    /// # Errors
    ///
    /// `internal` where the system gives no random numbers.
    pub fn ticket(&self, identity: &Identity) -> Result<Option<Ticket>, OpError> {
        self.tickets.give(identity)
    }

    /// Takes a ticket and tells whom it stands for, as that one's key is now. A ticket counts once.
    #[must_use]
    pub fn redeem(&self, ticket: &str) -> Option<Identity> {
        let identity = self.tickets.take(ticket)?;
        self.still(identity.shown()).unwrap_or_else(|error| {
            tracing::error!(%error, "the keys cannot be read: a stream is refused");
            None
        })
    }

    /// Tells whoever showed this as it is now (see [`Identity::shown`]); none if it no longer counts.
    fn still(&self, shown: Option<&str>) -> Result<Option<Identity>, StoreError> {
        let master = self.rules().master.is_some();
        match shown {
            None => Ok((!master && !self.keys.has_api_keys()?).then(Identity::everyone)),
            Some(Identity::MASTER) => Ok(master.then(Identity::master)),
            Some(hash) => {
                let now = Timestamp::now();
                let found = self.keys.api_key_by_hash(hash)?;
                let found = found.filter(|found| found.refused_from.is_none_or(|end| end > now));
                Ok(found.map(|found| Identity::of_key(found.key, hash.to_owned())))
            }
        }
    }
}

/// What counts as one address: of the sixth version the network, within which one machine has all.
fn place(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
