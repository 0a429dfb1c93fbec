//! The keys that programs call with. Only admins and this machine's user make, see and remove them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aegis, Caller};
use crate::access::{KEY_PREFIX, Needs, hash, mint, mint_id};
use crate::domain::{ApiKey, ErrorCode, KeyRole, OpError, Permission, Timestamp};

/// The longest name of a key, in characters.
const LONGEST_NAME: usize = 200;

/// The longest life of a key, in days: a hundred years.
const LONGEST_LIFE: u32 = 36_500;

/// The longest time for which a rotation leaves the old text, in seconds: a day.
const LONGEST_GRACE: u32 = 86_400;

/// How long a rotation leaves the old text unless the caller says, in seconds.
const GRACE: u32 = 3600;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Asks for a key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateKey {
    /// Its name, which asks, events and the audit log tell.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// What it may do; `viewer` unless given.
    #[serde(default)]
    pub role: Option<KeyRole>,
    /// What exactly it may do, in place of what its role may.
    #[serde(default)]
    pub permissions: Option<Vec<Permission>>,
    /// How many calls it may make in a minute; the configuration's number unless given.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub rate_limit: Option<u32>,
    /// In how many days it ends; it stays unless given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 36500))]
    pub ttl_days: Option<u32>,
}

/// Asks for all keys.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListKeys {}

/// Names a key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyRef {
    /// Its id, or its name if no other has it.
    pub key_id: String,
}

/// Asks for another text of a key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateKey {
    /// Its id, or its name if no other has it.
    pub key_id: String,
    /// For how long the old text still counts, in seconds; an hour unless given.
    #[serde(default, alias = "graceSeconds")]
    #[schemars(range(max = 86400))]
    pub grace_period_seconds: Option<u32>,
    /// In how many days it ends from now; its end stays unless given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 36500))]
    pub ttl_days: Option<u32>,
}

/// A key with its text, which is told this once.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyMade {
    /// The text that calls bring: `aegis_` and 64 hexadecimal digits.
    pub key: String,
    /// The key.
    #[serde(flatten)]
    pub made: ApiKey,
    /// Until when the old text counts, after a rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_expires_at: Option<Timestamp>,
}

/// All keys.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyList {
    /// Oldest first.
    pub keys: Vec<ApiKey>,
}

/// A key that is no more.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyDeleted {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Aegis {
    /// Makes a key. From the first one on all HTTP calls need a key or the configured token. It counts at once, at
    /// every server of this state directory.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `forbidden`, `storage_failed`.
    pub async fn create_key(&self, caller: &Caller, req: CreateKey) -> Result<KeyMade, OpError> {
        let act = self.begin(caller, "create_key", Needs::Admin).await?;
        act.what(format!("key {}", req.name));
        let made = self.make_key(req).await;
        if let Ok(KeyMade { made, .. }) = &made {
            act.what(format!("key {} ({}), {}", made.name, made.id, made.role.as_str()));
        }
        act.end(made).await
    }

    async fn make_key(&self, req: CreateKey) -> Result<KeyMade, OpError> {
        let invalid = |what: String| OpError::new(ErrorCode::InvalidArgument, what);
        let name = req.name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(invalid(format!("name has 1 to {LONGEST_NAME} characters, none of them a control")));
        }
        if req.rate_limit == Some(0) {
            return Err(invalid("rateLimit must be at least 1".into()));
        }
        let now = Timestamp::now();
        let role = req.role.unwrap_or(KeyRole::Viewer);
        let mut permissions = req.permissions.unwrap_or_else(|| role.permissions());
        permissions.sort_unstable();
        permissions.dedup();
        if role == KeyRole::Viewer && permissions.iter().any(|one| *one != Permission::Audit) {
            return Err(invalid("a viewer only looks: it may have no permission but audit".into())
                .hint("make it an operator, with just these permissions"));
        }
        let made = ApiKey {
            id: mint_id()?,
            name: name.to_owned(),
            role,
            permissions,
            rate_limit: req.rate_limit,
            created_at: now,
            expires_at: end(now, req.ttl_days)?,
            last_used_at: None,
        };
        let key = mint(KEY_PREFIX)?;
        self.engine.add_key(made.clone(), hash(&key)).await?;
        Ok(KeyMade { key, made, grace_expires_at: None })
    }

    /// Lists keys, oldest first; their texts are kept nowhere.
    ///
    /// # Errors
    ///
    /// `forbidden`, `storage_failed`.
    pub async fn list_keys(&self, caller: &Caller, _: ListKeys) -> Result<KeyList, OpError> {
        caller.may(Needs::Admin)?;
        Ok(KeyList { keys: self.engine.keys().await? })
    }

    /// Removes a key, which is refused from then on.
    ///
    /// # Errors
    ///
    /// `no_such_key`, `forbidden`, `storage_failed`.
    pub async fn revoke_key(&self, caller: &Caller, req: KeyRef) -> Result<KeyDeleted, OpError> {
        let act = self.begin(caller, "revoke_key", Needs::Admin).await?;
        act.what(format!("key {}", req.key_id));
        let done = async {
            let ApiKey { id, name, .. } = self.key(&req.key_id).await?;
            act.what(format!("key {name} ({id})"));
            // Somebody else may have been first; it is gone all the same.
            self.engine.remove_key(id.clone()).await?;
            Ok(KeyDeleted { id, name })
        };
        let done = done.await;
        act.end(done).await
    }

    /// Gives a key another text; the old one counts for a while longer.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `no_such_key`, `forbidden`, `storage_failed`.
    pub async fn rotate_key(&self, caller: &Caller, req: RotateKey) -> Result<KeyMade, OpError> {
        let act = self.begin(caller, "rotate_key", Needs::Admin).await?;
        act.what(format!("key {}", req.key_id));
        let done = async {
            let old = self.key(&req.key_id).await?;
            act.what(format!("key {} ({})", old.name, old.id));
            let grace = req.grace_period_seconds.unwrap_or(GRACE);
            if grace > LONGEST_GRACE {
                let what = format!("gracePeriodSeconds must be at most {LONGEST_GRACE}");
                return Err(OpError::new(ErrorCode::InvalidArgument, what));
            }
            let now = Timestamp::now();
            let until = later(now, i64::from(grace) * 1000)?;
            let expires_at = if req.ttl_days.is_some() { end(now, req.ttl_days)? } else { old.expires_at };
            let key = mint(KEY_PREFIX)?;
            let made = self.engine.rotate_key(old.id, hash(&key), expires_at, until).await?;
            let made = made.ok_or_else(|| no_such_key(&req.key_id))?;
            Ok(KeyMade { key, made, grace_expires_at: Some(until) })
        };
        let done = done.await;
        act.end(done).await
    }

    /// Finds a key by its id, or by its name if no other has it.
    async fn key(&self, reference: &str) -> Result<ApiKey, OpError> {
        let mut keys = self.engine.keys().await?;
        if let Some(at) = keys.iter().position(|key| key.id == reference) {
            return Ok(keys.swap_remove(at));
        }
        keys.retain(|key| key.name == reference);
        match keys.len() {
            0 | 1 => keys.pop().ok_or_else(|| no_such_key(reference)),
            _ => {
                let ids: Vec<_> = keys.into_iter().map(|key| key.id).collect();
                Err(OpError::new(
                    ErrorCode::InvalidArgument,
                    format!("{} keys are named `{reference}`", ids.len()),
                )
                .hint("give the id; details lists them")
                .details(Some(ids.into())))
            }
        }
    }
}

fn no_such_key(reference: &str) -> OpError {
    OpError::new(ErrorCode::NoSuchKey, format!("no key `{reference}`")).hint("`aegis keys list` shows them")
}

fn later(now: Timestamp, millis: i64) -> Result<Timestamp, OpError> {
    Timestamp::from_millis(now.millis().saturating_add(millis))
        .ok_or_else(|| OpError::new(ErrorCode::InvalidArgument, "it would end beyond all calendars"))
}

fn end(now: Timestamp, days: Option<u32>) -> Result<Option<Timestamp>, OpError> {
    match days {
        Some(days) if !(1..=LONGEST_LIFE).contains(&days) => {
            Err(OpError::new(ErrorCode::InvalidArgument, format!("ttlDays must be from 1 to {LONGEST_LIFE}")))
        }
        days => days.map(|days| later(now, i64::from(days) * DAY_MS)).transpose(),
    }
}
