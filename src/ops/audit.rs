//! Reading what was done, and by whom.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Aegis, Caller};
use crate::access::Needs;
use crate::access::audit::{self, AuditError, AuditLog, AuditRecord, Chain, Export, Format, Start, Verdict};
use crate::domain::{ErrorCode, OpError, SessionId, Timestamp};

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Only this actor's: `local`, `session:ID`, `master`, `key:NAME`.
    pub actor: Option<String>,
    /// Only this key's.
    pub actor_key_id: Option<String>,
    /// Only this operation.
    pub action: Option<String>,
    /// Only those about this session, by its whole id.
    pub session_id: Option<String>,
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Not after this.
    pub to: Option<Timestamp>,
}

/// Asks for a page of the log: the newest records that fit.
#[derive(Clone, Debug, Default)]
pub struct GetAudit {
    /// Which.
    pub query: AuditQuery,
    /// How many; 100 unless given.
    pub limit: Option<usize>,
    /// The nextCursor of the page before, for older ones.
    pub cursor: Option<String>,
    /// Which page of that many, from 1, in place of a cursor. While records are added pages shift; cursors do not.
    pub page: Option<u64>,
}

/// A page of the log.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    /// Oldest first.
    pub records: Vec<AuditRecord>,
    /// Present if there are older ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// All that fit.
    pub chain: Chain,
}

/// Asks whether the log is whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyAudit {}

/// Asks for all records that fit.
#[derive(Clone, Debug)]
pub struct ExportAudit {
    /// Which.
    pub query: AuditQuery,
    /// How they are written.
    pub format: Format,
}

impl Aegis {
    /// Reads the log, newest records first.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `forbidden`, `storage_failed`.
    pub async fn get_audit(&self, caller: &Caller, req: GetAudit) -> Result<AuditPage, OpError> {
        caller.may(Needs::Admin)?;
        let limit = req.limit.unwrap_or(100);
        if !(1..=1000).contains(&limit) {
            return Err(OpError::new(ErrorCode::InvalidArgument, "limit must be from 1 to 1000"));
        }
        let start = match (req.cursor, req.page) {
            (Some(_), Some(_)) => {
                return Err(OpError::new(ErrorCode::InvalidArgument, "give a cursor or a page, not both"));
            }
            (_, Some(0)) => return Err(OpError::new(ErrorCode::InvalidArgument, "page counts from 1")),
            (Some(hash), None) => Start::Before(hash),
            (None, Some(page)) => Start::After((page - 1).saturating_mul(limit as u64)),
            (None, None) => Start::Newest,
        };
        let query = read(req.query)?;
        let page = self.in_log(move |log| log.page(&query, &start, limit)).await?;
        let page = page.ok_or_else(|| {
            OpError::new(ErrorCode::InvalidArgument, "Invalid audit cursor")
                .hint("pass the nextCursor of the page before, unchanged")
        })?;
        Ok(AuditPage { records: page.records, next_cursor: page.next_cursor, chain: page.chain })
    }

    /// Tells whether the log is whole: nothing changed, left out, added or cut off.
    ///
    /// # Errors
    ///
    /// `forbidden`, `storage_failed`.
    pub async fn verify_audit(&self, caller: &Caller, _: VerifyAudit) -> Result<Verdict, OpError> {
        caller.may(Needs::Admin)?;
        self.in_log(AuditLog::verify).await
    }

    /// Counts all records that fit, to be written then.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `forbidden`, `storage_failed`.
    pub async fn export_audit(&self, caller: &Caller, req: ExportAudit) -> Result<Export, OpError> {
        caller.may(Needs::Admin)?;
        let query = read(req.query)?;
        self.in_log(move |log| log.export(query, req.format)).await
    }

    async fn in_log<T: Send + 'static>(
        &self,
        read: impl FnOnce(&AuditLog) -> Result<T, AuditError> + Send + 'static,
    ) -> Result<T, OpError> {
        let log: Arc<AuditLog> =
            self.audit.clone().ok_or_else(|| OpError::new(ErrorCode::Internal, "there is no audit log"))?;
        match tokio::task::spawn_blocking(move || read(&log)).await {
            Ok(done) => Ok(done?),
            Err(error) => Err(OpError::new(ErrorCode::Internal, format!("the log was not read: {error}"))),
        }
    }
}

fn read(query: AuditQuery) -> Result<audit::AuditQuery, OpError> {
    let AuditQuery { actor, actor_key_id, action, session_id, from, to } = query;
    let session_id: Option<SessionId> = session_id.map(|id| id.parse()).transpose().map_err(|_| {
        OpError::new(ErrorCode::InvalidArgument, "sessionId must be the whole id of a session")
    })?;
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(OpError::new(ErrorCode::InvalidArgument, "from must not be after to"));
    }
    Ok(audit::AuditQuery { actor, actor_key_id, action, session_id, from, to })
}
