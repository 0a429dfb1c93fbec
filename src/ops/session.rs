//! Creating, listing and ending sessions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aegis, Caller};
use crate::domain::{ErrorCode, Evidence, OpError, PermissionMode, PolicyRule, Receipt, Session, StatusWord};
use crate::engine::{Detail, ListQuery, NewSession};

/// Asks for a session.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateSession {
    /// Absolute path of the directory to work in.
    pub work_dir: String,
    /// A name to call it by, unique among live sessions; one is made up otherwise.
    #[serde(default)]
    pub name: Option<String>,
    /// The first prompt. Delivered once Claude Code is ready.
    #[serde(default)]
    pub prompt: Option<String>,
    /// Claude Code's permission mode: default (asks), acceptEdits, plan, auto, dontAsk or bypassPermissions.
    #[serde(default)]
    pub permission_mode: Option<PermissionMode>,
    /// The model, by Claude Code's name for it.
    #[serde(default)]
    pub model: Option<String>,
    /// Continue this conversation: an Aegis session or a Claude Code conversation id. A live one is forked.
    #[serde(default)]
    pub resume_session_id: Option<String>,
    /// Text to add to the system prompt.
    #[serde(default)]
    pub append_system_prompt: Option<String>,
    /// More directories that Claude may work in.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub add_dirs: Option<Vec<String>>,
    /// Environment variables to add. Values are kept out of all records.
    #[serde(default)]
    pub env: Option<BTreeMap<String, String>>,
    /// Work in a new git worktree of this name, which Claude Code makes below the repository's `.claude/worktrees`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    pub worktree: Option<String>,
    /// Rules that decide on tool calls before anybody is asked; the first that matches counts, then the configuration's.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub permission_policy: Option<Vec<PolicyRule>>,
    /// Take an idle session with the same directory, owner and settings instead of starting one. Default true.
    #[serde(default)]
    pub reuse: Option<bool>,
    /// Repeating a call with the same key gives the session of the first call.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200))]
    pub idempotency_key: Option<String>,
}

/// The session that was started or taken.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionCreated {
    /// The session.
    #[serde(flatten)]
    pub session: Session,
    /// Whether an idle session was taken.
    pub reused: bool,
    /// What becomes of the first prompt, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// Asks for sessions, newest first.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListSessions {
    /// Only those in this status. Ended ones are listed only when asked for.
    #[serde(default)]
    pub status: Option<StatusWord>,
    /// Only those that work in this directory.
    #[serde(default)]
    pub work_dir: Option<String>,
    /// At most so many. Default 50.
    #[serde(default)]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A page of sessions.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionList {
    /// Newest first.
    pub sessions: Vec<Session>,
    /// Present if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Names one session.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionRef {
    /// The session's id, a unique prefix of at least 6 characters, or its name.
    pub session_id: String,
}

/// A session's process as the system sees it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionHealth {
    /// Whether Claude Code runs.
    pub alive: bool,
    /// Its process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claude_version: Option<String>,
    /// Share of the context window in use, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_used_pct: Option<u8>,
    /// Its resident memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// The holder.
    pub holder: HolderHealth,
}

/// A session's holder process.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HolderHealth {
    /// Whether it answers.
    pub reachable: bool,
    /// Its process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its program version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Everything known about one session at this moment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionDetail {
    /// The session.
    #[serde(flatten)]
    pub session: Session,
    /// Its process.
    pub health: SessionHealth,
    /// What the status rests on, oldest first.
    pub evidence: Vec<Evidence>,
    /// The newest receipts, oldest first.
    pub receipts: Vec<Receipt>,
    /// Every conversation it has had, oldest first.
    pub conversations: Vec<String>,
    /// Claude Code's transcript file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript_path: Option<String>,
    /// Background work that Claude Code reported when the last turn ended.
    pub background_tasks: usize,
    /// What can be done now.
    pub next_steps: Vec<String>,
}

/// Ends a session.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KillSession {
    /// The session's id, a unique prefix of at least 6 characters, or its name.
    pub session_id: String,
    /// Do not ask Claude Code to exit first. Default false.
    #[serde(default)]
    pub force: Option<bool>,
}

impl Aegis {
    /// Starts a session, or takes an idle one. Returns as soon as the holder runs; delivery goes on behind it.
    ///
    /// # Errors
    ///
    /// `work_dir_refused`, `name_taken`, `claude_not_found`, `claude_unsupported`, `no_such_conversation`,
    /// `prompt_refused`, `prompt_too_large`, `key_reused`, `launch_failed`, `storage_failed`, `own_session`.
    pub async fn create_session(
        &self,
        caller: &Caller,
        req: CreateSession,
    ) -> Result<SessionCreated, OpError> {
        let created = self.engine.create(new_session(req, caller)).await?;
        Ok(SessionCreated { session: created.session, reused: created.reused, receipt: created.receipt })
    }

    /// Lists sessions, newest first.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for a bad cursor or limit, `storage_failed`.
    pub async fn list_sessions(&self, _: &Caller, req: ListSessions) -> Result<SessionList, OpError> {
        let limit = req.limit.unwrap_or(50);
        if !(1..=200).contains(&limit) {
            return Err(OpError::new(ErrorCode::InvalidArgument, "limit must be from 1 to 200"));
        }
        let query = ListQuery {
            status: req.status,
            work_dir: req.work_dir,
            limit: limit as usize,
            cursor: req.cursor,
        };
        let (sessions, next_cursor) = self.engine.list(query).await?;
        Ok(SessionList { sessions, next_cursor })
    }

    /// Tells all that is known about one session.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `ambiguous_session`, `storage_failed`.
    pub async fn get_status(&self, _: &Caller, req: SessionRef) -> Result<SessionDetail, OpError> {
        Ok(describe(self.engine.detail(&req.session_id).await?))
    }

    /// Ends a session and everything it started.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `own_session`, `holder_unreachable`.
    pub async fn kill_session(&self, caller: &Caller, req: KillSession) -> Result<Session, OpError> {
        let id = self.guard_own(caller, &req.session_id).await?;
        self.engine.kill(id, req.force.unwrap_or(false), &caller.surface).await
    }
}

fn new_session(req: CreateSession, caller: &Caller) -> NewSession {
    NewSession {
        work_dir: req.work_dir,
        name: req.name,
        prompt: req.prompt,
        permission_mode: req.permission_mode,
        model: req.model,
        resume: req.resume_session_id,
        append_system_prompt: req.append_system_prompt,
        add_dirs: req.add_dirs.unwrap_or_default(),
        env: req.env.unwrap_or_default(),
        worktree: req.worktree,
        policy: req.permission_policy.unwrap_or_default(),
        reuse: req.reuse.unwrap_or(true),
        idempotency_key: req.idempotency_key,
        by: caller.surface.clone(),
        parent: caller.inside,
        pipeline: None,
    }
}

fn describe(detail: Detail) -> SessionDetail {
    let Detail { session, reachable, snapshot, holder_pid } = detail;
    let holder = HolderHealth {
        reachable,
        pid: holder_pid,
        version: snapshot.as_ref().map(|s| s.holder_version.clone()),
    };
    let next_steps = next_steps(&session);
    let Some(snapshot) = snapshot else {
        let health = SessionHealth {
            alive: false,
            pid: None,
            claude_version: None,
            context_used_pct: None,
            rss_bytes: None,
            holder,
        };
        return SessionDetail {
            conversations: session.conversation_id.iter().map(ToString::to_string).collect(),
            session,
            health,
            evidence: Vec::new(),
            receipts: Vec::new(),
            transcript_path: None,
            background_tasks: 0,
            next_steps,
        };
    };
    SessionDetail {
        health: SessionHealth {
            alive: snapshot.pid.is_some(),
            pid: snapshot.pid,
            claude_version: snapshot.claude_version,
            context_used_pct: snapshot.context_used_pct,
            rss_bytes: snapshot.rss_bytes,
            holder,
        },
        session,
        evidence: snapshot.evidence,
        receipts: snapshot.receipts,
        conversations: snapshot.conversations.iter().map(ToString::to_string).collect(),
        transcript_path: snapshot.transcript_path,
        background_tasks: snapshot.background_tasks,
        next_steps,
    }
}

/// What a caller can do with a session in this status; tool names, since models read this most.
fn next_steps(session: &Session) -> Vec<String> {
    let steps: &[&str] = match session.status {
        StatusWord::Starting | StatusWord::Working => {
            &["wait_for_session", "interrupt_session to stop the turn"]
        }
        StatusWord::Idle => &[
            "get_transcript to read the answer",
            "send_message for the next prompt",
            "kill_session when done",
        ],
        StatusWord::PermissionPrompt => &[
            "look at openAsks",
            "approve_permission or reject_permission with its askId",
            "send_message answers a dialog by an option's text",
        ],
        StatusWord::Asking => {
            &["send_message with answers, or with text: an option's label or number, or free text"]
        }
        StatusWord::Stalled => &["capture_pane to look", "interrupt_session, or wait on"],
        StatusWord::RateLimited => &["wait until the limit resets, then send_message"],
        StatusWord::Error => &["get_transcript to read the failure", "send_message to try again"],
        StatusWord::Ended => &["create_session with resumeSessionId continues the conversation"],
        StatusWord::Unknown => {
            &["capture_pane to look", "`aegis explain` shows the evidence, `aegis attach` the terminal"]
        }
    };
    steps.iter().map(ToString::to_string).collect()
}
