//! What a session has done and cost, in numbers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::schema::terse;
use super::{Aegis, Caller, SessionRef};
use crate::claude::prices;
use crate::domain::{
    Answers, ContentType, ErrorCode, FileUse, MessageQuery, OpError, Percentiles, PermissionMode, Role,
    RoleCounts, Session, SessionId, SessionStats, StatusWord, Timestamp, Tokens,
};

/// How many of the latest messages a summary tells.
const TAIL: usize = 20;

/// How much of each it tells, in characters.
const TAIL_CHARS: usize = 500;

/// Who answers asks by the session's or the configuration's own rules, without a person.
const AUTOMATIC: [&str; 3] = ["aegis", "config", "policy"];

/// Calls of one tool.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct ToolUse {
    /// Its name.
    pub tool: String,
    /// Calls.
    pub calls: u64,
    /// Of these failed or refused.
    pub errors: u64,
}

/// A status and when it began.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct StatusChange {
    /// The status.
    #[schemars(with = "String")]
    pub status: StatusWord,
    /// Since when.
    pub at: Timestamp,
}

/// One of the latest messages.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Tail {
    /// Its id.
    pub id: u64,
    /// Who speaks.
    pub role: Role,
    /// What it holds.
    #[schemars(with = "String")]
    pub content_type: ContentType,
    /// At most 500 characters.
    pub text: String,
    /// The tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
}

/// What a session has done. All but `messages` leaves out what a resumed conversation brought along.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = terse)]
pub struct SessionSummary {
    /// The session.
    #[schemars(with = "String")]
    pub session_id: SessionId,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: StatusWord,
    /// Its directory.
    pub work_dir: String,
    /// Its permission mode.
    pub permission_mode: PermissionMode,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its last sign of life.
    pub last_activity: Timestamp,
    /// From creation to its end, or to now, in seconds.
    pub duration_sec: u64,
    /// Of that in turns, in seconds.
    pub working_sec: u64,
    /// Turns.
    pub turns: u64,
    /// Messages.
    pub total_messages: u64,
    /// Messages that a resumed conversation brought along.
    pub history_messages: u64,
    /// Messages by who speaks.
    pub by_role: RoleCounts,
    /// Tool calls, the most used first.
    pub tools: Vec<ToolUse>,
    /// Files in tool calls, the latest last; at most 200.
    pub files: Vec<FileUse>,
    /// Shell commands, cut, the latest last; at most 50.
    pub commands: Vec<String>,
    /// Shell commands in all.
    pub commands_run: u64,
    /// The latest 100 changes.
    pub status_history: Vec<StatusChange>,
    /// The last 20 messages.
    pub messages: Vec<Tail>,
    /// Whether records are missing, so that counts are too low.
    pub partial: bool,
}

/// Tokens used.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct TokenUsage {
    /// Read uncached.
    pub input_tokens: u64,
    /// Written.
    pub output_tokens: u64,
    /// Read from the cache.
    pub cache_read_tokens: u64,
    /// Put into the cache.
    pub cache_creation_tokens: u64,
    /// US dollars by list price; absent if any price is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_cost_usd: Option<f64>,
}

/// Tokens of one model.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct ModelUse {
    /// The model.
    pub model: String,
    /// Its answers.
    pub api_messages: u64,
    /// Tokens.
    #[serde(flatten)]
    pub tokens: TokenUsage,
}

/// What a session has used, without what a resumed conversation brought along.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = terse)]
pub struct SessionMetrics {
    /// The session.
    #[schemars(with = "String")]
    pub session_id: SessionId,
    /// From creation to its end, or to now, in seconds.
    pub duration_sec: u64,
    /// Messages.
    pub messages: u64,
    /// Turns.
    pub turns: u64,
    /// Tool calls.
    pub tool_calls: u64,
    /// Of these failed or refused.
    pub tool_errors: u64,
    /// Subagents.
    pub subagents: u64,
    /// Tokens, subagents included.
    pub token_usage: TokenUsage,
    /// By model.
    pub models: Vec<ModelUse>,
    /// The day of the price table.
    pub prices_as_of: String,
    /// Why there is no cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_cost: Option<String>,
    /// Asks.
    pub asks: u64,
    /// Asks that somebody allowed.
    pub approvals: u64,
    /// Asks that a rule allowed.
    pub auto_approvals: u64,
    /// Asks refused.
    pub rejections: u64,
    /// Asks answered, by surface.
    pub answered_by: BTreeMap<String, u64>,
    /// Status changes.
    pub status_changes: u64,
    /// Whether records are missing, so that counts are too low.
    pub partial: bool,
}

/// How long things take in a session, in milliseconds; percentiles within 1.6 %.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = terse)]
pub struct SessionLatency {
    /// The session.
    #[schemars(with = "String")]
    pub session_id: SessionId,
    /// Prompt stored to taken by Claude Code.
    pub prompt_to_submitted: Percentiles,
    /// Turns.
    pub turn: Percentiles,
    /// Asks to their answers.
    pub ask_to_answer: Percentiles,
    /// Hooks to the statuses they led to.
    pub hook_to_status: Percentiles,
    /// Whether records are missing.
    pub partial: bool,
}

impl Aegis {
    /// Tells what a session has done, also after it ended.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `ambiguous_session`, `unsupported`, `holder_unreachable`, `storage_failed`.
    pub async fn get_session_summary(
        &self,
        caller: &Caller,
        req: SessionRef,
    ) -> Result<SessionSummary, OpError> {
        let (session, stats) = self.engine.stats(&self.seen(caller, &req.session_id).await?).await?;
        let query = MessageQuery {
            limit: TAIL,
            max_chars: TAIL * TAIL_CHARS,
            max_each: Some(TAIL_CHARS),
            ..MessageQuery::default()
        };
        let page = match self.engine.messages(&session.id.to_string(), query).await {
            Ok(page) => page.messages,
            // Its transcript may be gone; the figures stand without it.
            Err(error) if error.code == ErrorCode::StorageFailed => Vec::new(),
            Err(error) => return Err(error),
        };
        let messages = page.into_iter().map(|message| Tail {
            id: message.id,
            role: message.role,
            content_type: message.content_type,
            text: message.text.chars().take(TAIL_CHARS).collect(),
            tool_name: message.tool_name,
        });
        Ok(summary(session, stats, messages.collect(), Timestamp::now()))
    }

    /// Tells what a session has used, also after it ended.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `ambiguous_session`, `unsupported`, `holder_unreachable`, `storage_failed`.
    pub async fn get_session_metrics(
        &self,
        caller: &Caller,
        req: SessionRef,
    ) -> Result<SessionMetrics, OpError> {
        let (session, stats) = self.engine.stats(&self.seen(caller, &req.session_id).await?).await?;
        Ok(metrics(&session, &stats, Timestamp::now()))
    }

    /// Tells how long things take in a session, also after it ended.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `ambiguous_session`, `unsupported`, `holder_unreachable`, `storage_failed`.
    pub async fn get_session_latency(
        &self,
        caller: &Caller,
        req: SessionRef,
    ) -> Result<SessionLatency, OpError> {
        let seen = self.seen(caller, &req.session_id).await?;
        let (session, SessionStats { events, .. }) = self.engine.stats(&seen).await?;
        Ok(SessionLatency {
            session_id: session.id,
            prompt_to_submitted: events.submitted.percentiles(),
            turn: events.turn.percentiles(),
            ask_to_answer: events.answer.percentiles(),
            hook_to_status: events.hook.percentiles(),
            partial: events.partial,
        })
    }
}

/// How long the session has lasted, in seconds.
fn duration_sec(session: &Session, now: Timestamp) -> u64 {
    let until = if session.status == StatusWord::Ended { session.since } else { now };
    until.millis_since(session.created_at) / 1000
}

fn summary(session: Session, stats: SessionStats, messages: Vec<Tail>, now: Timestamp) -> SessionSummary {
    let SessionStats { events, talk } = stats;
    let mut tools: Vec<_> = talk
        .tools
        .into_iter()
        .map(|(tool, counts)| ToolUse { tool, calls: counts.calls, errors: counts.errors })
        .collect();
    tools.sort_by_key(|tool| std::cmp::Reverse(tool.calls));
    let history = events.status_history.into_iter();
    SessionSummary {
        duration_sec: duration_sec(&session, now),
        session_id: session.id,
        name: session.name,
        status: session.status,
        work_dir: session.work_dir,
        permission_mode: session.permission_mode,
        created_at: session.created_at,
        last_activity: session.last_activity,
        working_sec: events.turn.sum() / 1000,
        turns: events.turns,
        total_messages: talk.messages.total(),
        history_messages: talk.past.messages,
        by_role: talk.messages,
        tools,
        files: talk.files.into(),
        commands: talk.commands.into(),
        commands_run: talk.commands_run,
        status_history: history.map(|step| StatusChange { status: step.status, at: step.at }).collect(),
        messages,
        partial: events.partial,
    }
}

pub(super) fn metrics(session: &Session, stats: &SessionStats, now: Timestamp) -> SessionMetrics {
    let SessionStats { events, talk } = stats;
    let costs: Vec<_> = talk.models.iter().map(|(model, used)| prices::cost(model, used)).collect();
    let models = talk.models.iter().zip(&costs).map(|((model, used), cost)| ModelUse {
        model: model.clone(),
        api_messages: used.api_messages,
        tokens: usage(used.total(), cost.as_ref().ok().copied()),
    });
    // Part of a cost would be a wrong one.
    let whole: Result<Vec<f64>, &String> = costs.iter().map(|cost| cost.as_ref().copied()).collect();
    let count = |of: fn(&Answers) -> u64, automatic: bool| -> u64 {
        let those = events.answers.iter().filter(|(by, _)| AUTOMATIC.contains(&by.as_str()) == automatic);
        those.map(|(_, answers)| of(answers)).sum()
    };
    let calls = talk.tool_calls();
    SessionMetrics {
        session_id: session.id,
        duration_sec: duration_sec(session, now),
        messages: talk.messages.total(),
        turns: events.turns,
        tool_calls: calls.calls,
        tool_errors: calls.errors,
        subagents: talk.subagents,
        token_usage: usage(talk.tokens(), whole.as_ref().ok().map(|costs| costs.iter().sum())),
        models: models.collect(),
        prices_as_of: prices::AS_OF.into(),
        no_cost: whole.err().cloned(),
        asks: events.asks,
        approvals: count(|answers| answers.approved, false),
        auto_approvals: count(|answers| answers.approved, true),
        rejections: count(|answers| answers.rejected, false) + count(|answers| answers.rejected, true),
        answered_by: events
            .answers
            .iter()
            .map(|(by, answers)| (by.clone(), answers.approved + answers.rejected + answers.answered))
            .collect(),
        status_changes: events.status_changes,
        partial: events.partial,
    }
}

/// Tokens with their cost, told to a millionth of a dollar.
fn usage(tokens: Tokens, cost: Option<f64>) -> TokenUsage {
    TokenUsage {
        input_tokens: tokens.input,
        output_tokens: tokens.output,
        cache_read_tokens: tokens.cache_read,
        cache_creation_tokens: tokens.cache_creation,
        estimated_cost_usd: cost.map(|cost| (cost * 1e6).round() / 1e6),
    }
}
