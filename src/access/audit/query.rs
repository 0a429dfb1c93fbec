//! Finding records.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;

use schemars::JsonSchema;
use serde::Serialize;

use super::log::{AuditError, AuditLog};
use super::record::AuditRecord;
use crate::domain::{SessionId, Timestamp};

/// Which records are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only this actor's.
    pub actor: Option<String>,
    /// Only this key's.
    pub actor_key_id: Option<String>,
    /// Only these operations.
    pub action: Option<String>,
    /// Only those about this session.
    pub session_id: Option<SessionId>,
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Not after this.
    pub to: Option<Timestamp>,
}

impl AuditQuery {
    pub(super) fn wants(&self, record: &AuditRecord) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        fits(&self.actor, &record.actor)
            && fits(&self.action, &record.action)
            && self.actor_key_id.as_ref().is_none_or(|id| record.actor_key_id.as_ref() == Some(id))
            && self.session_id.is_none_or(|id| record.session_id == Some(id))
            && self.from.is_none_or(|from| record.ts >= from)
            && self.to.is_none_or(|to| record.ts <= to)
    }
}

/// Where a page begins; pages go from newer records to older ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the newest that fits.
    #[default]
    Newest,
    /// With the one before the record that has this hash.
    Before(String),
    /// With the one that so many newer ones fit beside.
    After(u64),
}

/// All records that fit, summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chain {
    /// How many there are.
    pub count: u64,
    /// The hash of the first.
    pub first_hash: String,
    /// The hash of the last.
    pub last_hash: String,
    /// SHA-256 over both, joined by a colon: the same badge means the same records.
    pub badge_hash: String,
    /// When the first was written.
    pub first_ts: Option<Timestamp>,
    /// When the last was written.
    pub last_ts: Option<Timestamp>,
}

impl Chain {
    pub(super) fn add(&mut self, record: &AuditRecord) {
        if self.count == 0 {
            self.first_hash.clone_from(&record.hash);
            self.first_ts = Some(record.ts);
        }
        self.count += 1;
        self.last_hash.clone_from(&record.hash);
        self.last_ts = Some(record.ts);
    }

    pub(super) fn close(&mut self) {
        if self.count > 0 {
            self.badge_hash = crate::access::hash(&format!("{}:{}", self.first_hash, self.last_hash));
        }
    }
}

/// A page of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// The newest that fit from where the page begins, oldest first.
    pub records: Vec<AuditRecord>,
    /// The hash of the page's oldest record, if there are older ones.
    pub next_cursor: Option<String>,
    /// All that fit.
    pub chain: Chain,
}

impl AuditLog {
    /// Gives the newest records that fit from where the page begins; `None` if that is a record that there is not.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn page(
        &self,
        query: &AuditQuery,
        start: &Start,
        limit: usize,
    ) -> Result<Option<AuditPage>, AuditError> {
        let (before, last) = match start {
            Start::Newest | Start::After(0) => (None, None),
            Start::Before(hash) => (Some(hash.as_str()), None),
            // Counted first, so that only the page itself is kept.
            Start::After(newer) => (None, Some(self.count(query)?.saturating_sub(*newer))),
        };
        let mut chain = Chain::default();
        let mut records = VecDeque::new();
        let mut found = before.is_none();
        let mut open = true;
        self.each(|record| {
            if before == Some(record.hash.as_str()) {
                (found, open) = (true, false);
            }
            if query.wants(&record) {
                open &= last != Some(chain.count);
                chain.add(&record);
                if open {
                    if records.len() > limit {
                        records.pop_front();
                    }
                    records.push_back(record);
                }
            }
            ControlFlow::Continue(())
        })?;
        if !found {
            return Ok(None);
        }
        let more = records.len() > limit;
        if more {
            records.pop_front();
        }
        chain.close();
        let records = Vec::from(records);
        let next_cursor = records.first().filter(|_| more).map(|record| record.hash.clone());
        Ok(Some(AuditPage { records, next_cursor, chain }))
    }

    fn count(&self, query: &AuditQuery) -> Result<u64, AuditError> {
        let mut count = 0;
        self.each(|record| {
            count += u64::from(query.wants(&record));
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    /// Reads all records, oldest first, until told to stop. Lines that are none are passed over.
    pub(super) fn each(
        &self,
        mut tell: impl FnMut(AuditRecord) -> ControlFlow<()>,
    ) -> Result<(), AuditError> {
        self.told(|| {
            for name in self.files()? {
                for line in BufReader::new(self.open(&name, false)?).split(b'\n') {
                    let line = line?;
                    let Some(record) = std::str::from_utf8(&line).ok().and_then(AuditRecord::read) else {
                        continue;
                    };
                    if tell(record).is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }
}
