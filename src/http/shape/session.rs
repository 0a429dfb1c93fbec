//! Sessions as clients of the HTTP door read them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::PromptDelivery;
use crate::domain::{
    Ask, AskKind, Ending, Evidence, LastMessage, Limit, PermissionMode, Receipt, Session, SessionId,
    StatusWord, TurnError, USUAL_STALL_MS,
};
use crate::ops::{SessionCreated, SessionDetail, SessionHealth};

/// A session. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct SessionInfo {
    id: SessionId,
    name: String,
    /// What it is doing.
    status: StatusWord,
    /// The same in the words of older clients: `working`, `idle`, `permission_prompt`, `plan_mode`, `ask_question`,
    /// `settings`, `error`, `rate_limit` or `unknown`.
    ui_state: String,
    /// Since when it is doing that.
    since: i64,
    /// How far the status can be trusted, from 0 to 1 or in a word.
    confidence: crate::domain::Confidence,
    work_dir: String,
    permission_mode: PermissionMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    created_at: i64,
    last_activity: i64,
    /// Silence after which a turn counts as stalled, in milliseconds.
    stall_threshold_ms: u64,
    /// Whether the turn shows no sign of life.
    stalled: bool,
    /// What waits for an answer.
    open_asks: Vec<Ask>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message: Option<LastMessage>,
    /// Claude Code's conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    claude_session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worktree: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<TurnError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ending: Option<Ending>,
    /// The key that created it, by id; none if that was this machine's user or the configured token.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_key_id: Option<String>,
    /// The name again, for clients that know windows.
    window_name: String,
    /// The id again, for clients that know windows.
    window_id: String,
    /// Always 0: reading moves no cursor here.
    byte_offset: u64,
    /// Always 0: reading moves no cursor here.
    monitor_offset: u64,
}

impl SessionInfo {
    pub(in crate::http) fn of(session: Session) -> Self {
        Self {
            ui_state: ui_state(&session).into(),
            window_name: session.name.clone(),
            window_id: session.id.to_string(),
            id: session.id,
            name: session.name,
            stalled: session.status == StatusWord::Stalled,
            status: session.status,
            since: session.since.millis(),
            confidence: session.confidence,
            work_dir: session.work_dir,
            permission_mode: session.permission_mode,
            model: session.model,
            created_at: session.created_at.millis(),
            last_activity: session.last_activity.millis(),
            stall_threshold_ms: session.stall_threshold_ms.unwrap_or(USUAL_STALL_MS),
            open_asks: session.open_asks,
            last_message: session.last_message,
            claude_session_id: session.conversation_id.map(|id| id.to_string()),
            parent_id: session.parent_id,
            worktree: session.worktree,
            error: session.error,
            limit: session.limit,
            ending: session.ending,
            owner_key_id: session.owner_key,
            byte_offset: 0,
            monitor_offset: 0,
        }
    }
}

/// The status in the words of older clients.
pub(in crate::http) fn ui_state(session: &Session) -> &'static str {
    match session.status {
        StatusWord::Starting | StatusWord::Ended | StatusWord::Unknown => "unknown",
        StatusWord::Working | StatusWord::Stalled => "working",
        StatusWord::Idle => "idle",
        StatusWord::PermissionPrompt => match session.open_asks.first().map(|ask| ask.kind) {
            Some(AskKind::Plan) => "plan_mode",
            Some(AskKind::Trust | AskKind::Dialog) => "settings",
            _ => "permission_prompt",
        },
        StatusWord::Asking => "ask_question",
        StatusWord::RateLimited => "rate_limit",
        StatusWord::Error => "error",
    }
}

/// A session that was started or taken.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Created {
    #[serde(flatten)]
    session: SessionInfo,
    /// Whether an idle one was taken.
    reused: bool,
    /// How far the first prompt is; null if none was given.
    prompt_delivery: Option<PromptDelivery>,
    /// The first prompt's receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
}

impl Created {
    pub(in crate::http) fn of(created: SessionCreated) -> Self {
        Self {
            session: SessionInfo::of(created.session),
            reused: created.reused,
            prompt_delivery: created.receipt.as_ref().map(PromptDelivery::of),
            receipt: created.receipt,
        }
    }
}

/// Which page of a list.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Page {
    pub(in crate::http) page: usize,
    pub(in crate::http) limit: usize,
    pub(in crate::http) total: usize,
    pub(in crate::http) total_pages: usize,
}

/// A page of sessions, newest first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct SessionPage {
    pub(in crate::http) sessions: Vec<SessionInfo>,
    pub(in crate::http) pagination: Page,
    /// How many there are in all.
    pub(in crate::http) total: usize,
}

/// One session with all that is known about it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct SessionDetailInfo {
    #[serde(flatten)]
    session: SessionInfo,
    /// Its process.
    health: SessionHealth,
    /// What the status rests on, oldest first.
    evidence: Vec<Evidence>,
    /// The newest receipts, oldest first.
    receipts: Vec<Receipt>,
    /// How far the newest prompt is; null if there was none.
    prompt_delivery: Option<PromptDelivery>,
    /// Claude Code's transcript file.
    #[serde(skip_serializing_if = "Option::is_none")]
    jsonl_path: Option<String>,
    /// Claude Code's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    cc_pid: Option<u32>,
    /// The permission that waits, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_permission: Option<PendingPermission>,
    /// The question that waits, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_question: Option<PendingQuestion>,
    /// Which calls answer what waits: `approve` and `reject`, each with `method`, `url` and `description`.
    #[serde(skip_serializing_if = "Option::is_none")]
    action_hints: Option<Map<String, Value>>,
}

/// A permission, plan or dialog that waits.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PendingPermission {
    ask_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<String>,
    prompt: String,
    started_at: i64,
}

/// A question that waits.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PendingQuestion {
    /// What `POST /v1/sessions/{id}/answer` wants as `questionId`.
    question_id: String,
    tool_use_id: Option<String>,
    content: String,
    options: Vec<String>,
    since: i64,
}

impl SessionDetailInfo {
    pub(in crate::http) fn of(detail: SessionDetail) -> Self {
        let asks = &detail.session.open_asks;
        let pending_question =
            asks.iter().find(|ask| ask.kind == AskKind::Question).map(|ask| PendingQuestion {
                question_id: ask.id.to_string(),
                tool_use_id: ask.tool_use_id.clone(),
                content: ask.title.clone(),
                options: ask.options.clone(),
                since: ask.opened_at.millis(),
            });
        let permission = asks.iter().find(|ask| ask.kind != AskKind::Question);
        let pending_permission = permission.map(|ask| PendingPermission {
            ask_id: ask.id.to_string(),
            tool_name: ask.tool.clone(),
            prompt: ask.title.clone(),
            started_at: ask.opened_at.millis(),
        });
        let action_hints = permission.map(|_| hints(detail.session.id));
        Self {
            jsonl_path: detail.transcript_path,
            cc_pid: detail.health.pid,
            health: detail.health,
            evidence: detail.evidence,
            prompt_delivery: detail.receipts.last().map(PromptDelivery::of),
            receipts: detail.receipts,
            pending_permission,
            pending_question,
            action_hints,
            session: SessionInfo::of(detail.session),
        }
    }
}

pub(in crate::http) fn hints(id: SessionId) -> Map<String, Value> {
    let hint = |verb: &str, what: &str| {
        let url = format!("/v1/sessions/{id}/{verb}");
        (verb.to_owned(), json!({ "method": "POST", "url": url, "description": what }))
    };
    [hint("approve", "Approve what waits"), hint("reject", "Reject what waits")].into_iter().collect()
}
