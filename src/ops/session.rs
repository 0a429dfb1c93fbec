//! Creating, listing and ending sessions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::act::Act;
use super::{Aegis, Caller};
use crate::access::Permission;
use crate::domain::{
    ErrorCode, Evidence, MemoryKey, OpError, PermissionMode, PolicyRule, Receipt, Session, StatusWord,
};
use crate::engine::{Detail, ListQuery, NewSession};

/// Asks for a session.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateSession {
    /// Absolute path to work in.
    // Required by the schema; doors whose callers may leave it to the template give none as an empty text.
    pub work_dir: String,
    /// Unique while it lives.
    #[serde(default)]
    pub name: Option<String>,
    /// The first prompt.
    #[serde(default)]
    pub prompt: Option<String>,
    /// Claude Code's; default asks.
    #[serde(default)]
    pub permission_mode: Option<PermissionMode>,
    /// As Claude Code names it.
    #[serde(default)]
    pub model: Option<String>,
    /// To continue; a live one is forked.
    #[serde(default)]
    pub resume_session_id: Option<String>,
    /// Added to the system prompt.
    #[serde(default)]
    pub append_system_prompt: Option<String>,
    /// More directories, at most 20.
    #[serde(default)]
    pub add_dirs: Option<Vec<String>>,
    /// Added; values are not recorded.
    #[serde(default)]
    pub env: Option<BTreeMap<String, String>>,
    /// Name of a new git worktree.
    #[serde(default)]
    pub worktree: Option<String>,
    /// Id or name; arguments here win.
    #[serde(default)]
    pub template_id: Option<String>,
    /// Values for its {{variables}}.
    #[serde(default)]
    pub template_variables: Option<BTreeMap<String, String>>,
    /// state_set keys, put before the prompt.
    #[serde(default)]
    pub memory_keys: Option<Vec<String>>,
    /// Rules on tool calls before anybody is asked; the first that fits counts; * and ? match any.
    #[serde(default)]
    pub permission_policy: Option<Vec<PolicyRule>>,
    /// Take an idle one like it. Default true.
    #[serde(default)]
    pub reuse: Option<bool>,
    /// The same key gives the same session.
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
    /// Ended ones only if asked for.
    #[serde(default)]
    pub status: Option<StatusWord>,
    /// Only those that work here.
    #[serde(default)]
    pub work_dir: Option<String>,
    /// Default 50.
    #[serde(default)]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// nextCursor of the page before.
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
    /// Id, prefix or name.
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
    /// Id, prefix or name.
    pub session_id: String,
    /// Do not ask first.
    #[serde(default)]
    pub force: Option<bool>,
}

impl Aegis {
    /// Starts a session, or takes an idle one. Returns as soon as the holder runs; delivery goes on behind it.
    ///
    /// # Errors
    ///
    /// `work_dir_refused`, `name_taken`, `claude_not_found`, `claude_unsupported`, `no_such_conversation`,
    /// `prompt_refused`, `prompt_too_large`, `key_reused`, `launch_failed`, `storage_failed`, `own_session`,
    /// `no_such_template`, `missing_variable`, `no_such_key`, `invalid_argument`.
    pub async fn create_session(
        &self,
        caller: &Caller,
        req: CreateSession,
    ) -> Result<SessionCreated, OpError> {
        let act = self.begin(caller, "create_session", Permission::Create).await?;
        act.what(req.work_dir.clone());
        let done = self.created(caller, &act, req).await;
        act.end(done).await
    }

    async fn created(
        &self,
        caller: &Caller,
        act: &Act,
        mut req: CreateSession,
    ) -> Result<SessionCreated, OpError> {
        if caller.confined().is_some() {
            if let Some(inside) = caller.inside {
                self.seen(caller, &inside.to_string()).await?;
            }
            // A conversation is whoever's it was; only sessions tell whose.
            if let Some(resume) = req.resume_session_id.take() {
                let seen = self.seen(caller, &resume).await.map_err(|error| match error.code {
                    ErrorCode::NoSuchSession => error.hint("give the id of a session that this key created"),
                    _ => error,
                })?;
                req.resume_session_id = Some(seen.into_owned());
            }
        }
        let created = self.engine.create(new_session(req, caller)?).await?;
        act.on(created.session.id);
        Ok(SessionCreated { session: created.session, reused: created.reused, receipt: created.receipt })
    }

    /// Lists sessions, newest first.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for a bad cursor or limit, `storage_failed`.
    pub async fn list_sessions(&self, caller: &Caller, req: ListSessions) -> Result<SessionList, OpError> {
        let query = ListQuery {
            status: req.status,
            work_dir: req.work_dir,
            owner_key: caller.confined().map(str::to_owned),
            limit: super::page_limit(req.limit)?,
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
    pub async fn get_status(&self, caller: &Caller, req: SessionRef) -> Result<SessionDetail, OpError> {
        Ok(describe(self.engine.detail(&self.seen(caller, &req.session_id).await?).await?))
    }

    /// Ends a session and everything it started.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `own_session`, `holder_unreachable`.
    pub async fn kill_session(&self, caller: &Caller, req: KillSession) -> Result<Session, OpError> {
        let act = self.begin(caller, "kill_session", Permission::Kill).await?;
        let done = async {
            let id = act.on(self.guard_own(caller, &req.session_id).await?);
            self.engine.kill(id, req.force.unwrap_or(false), &caller.surface).await
        };
        let done = done.await;
        act.end(done).await
    }
}

fn new_session(req: CreateSession, caller: &Caller) -> Result<NewSession, OpError> {
    Ok(NewSession {
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
        template: req.template_id,
        variables: req.template_variables.unwrap_or_default(),
        memory_keys: req.memory_keys.as_deref().map(MemoryKey::read_all).transpose()?,
        policy: req.permission_policy.unwrap_or_default(),
        reuse: req.reuse.unwrap_or(true),
        idempotency_key: req.idempotency_key,
        by: caller.surface.clone(),
        parent: caller.inside,
        owner_key: caller.owner_key(),
        pipeline: None,
    })
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
