//! What was asked for, and what a session looks like from outside.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::evidence::{Confidence, Source};
use super::id::{ConversationId, SessionId};
use super::message::Role;
use super::policy::Policy;
use super::status::{Ending, Limit, StatusWord, TurnError};
use super::time::Timestamp;

/// Silence after which a turn counts as stalled unless somebody chose otherwise, in milliseconds. Five minutes: long
/// thinking and slow commands show signs of life well before.
pub const USUAL_STALL_MS: u64 = 5 * 60 * 1000;

/// The threshold as a session tells it: only where it is not [`USUAL_STALL_MS`].
#[must_use]
pub fn unusual(stall_threshold_ms: u64) -> Option<u64> {
    (stall_threshold_ms != USUAL_STALL_MS).then_some(stall_threshold_ms)
}

/// Claude Code's permission modes, spelled as its `--permission-mode` spells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum PermissionMode {
    /// Ask before each tool that can change something.
    #[default]
    Default,
    /// Edits need no approval.
    AcceptEdits,
    /// Plan first; nothing is changed before the plan is approved.
    Plan,
    /// A classifier decides.
    Auto,
    /// What would be asked is denied.
    DontAsk,
    /// Nothing is asked.
    BypassPermissions,
}

impl PermissionMode {
    /// All modes.
    pub const ALL: [Self; 6] =
        [Self::Default, Self::AcceptEdits, Self::Plan, Self::Auto, Self::DontAsk, Self::BypassPermissions];

    /// Gives the mode as Claude Code spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::AcceptEdits => "acceptEdits",
            Self::Plan => "plan",
            Self::Auto => "auto",
            Self::DontAsk => "dontAsk",
            Self::BypassPermissions => "bypassPermissions",
        }
    }
}

/// What a session was created with. Holds no secret: of the environment only the names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionSpec {
    /// Its id.
    pub id: SessionId,
    /// Its name; unique among live sessions.
    pub name: String,
    /// The directory it works in, symbolic links resolved.
    pub work_dir: PathBuf,
    /// The permission mode at launch.
    pub permission_mode: PermissionMode,
    /// The model, unless Claude Code's own default.
    pub model: Option<String>,
    /// The conversation it starts from.
    pub resume: Option<ConversationId>,
    /// Whether the resumed conversation is copied rather than continued.
    pub fork: bool,
    /// The conversation id that Aegis gave it.
    pub conversation_id: ConversationId,
    /// Text added to the system prompt.
    pub append_system_prompt: Option<String>,
    /// More directories that Claude may work in.
    pub add_dirs: Vec<PathBuf>,
    /// Names of the variables that the caller added.
    pub env_names: Vec<String>,
    /// Whose session it is; only its owner's creations reuse it.
    pub owner: String,
    /// The key that it belongs to, by id: other keys do not see it. None if it is this machine's user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_key: Option<String>,
    /// The session from inside which it was created.
    pub parent_id: Option<SessionId>,
    /// Hash of all settings that a reuse must share.
    pub settings_key: String,
    /// The git worktree it works in, if Aegis made one.
    pub worktree: Option<String>,
    /// Silence after which a turn counts as stalled, in milliseconds.
    pub stall_threshold_ms: u64,
    /// Whether a trust dialog is answered with yes, because the configuration trusts the directory.
    pub trusted: bool,
    /// The rules that decide on its tool calls: its own, then those of the configuration.
    #[serde(default, skip_serializing_if = "Policy::is_empty")]
    pub policy: Policy,
    /// When it was created.
    pub created_at: Timestamp,
}

impl SessionSpec {
    /// The directory that Claude works in: that of the worktree, if it has one.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        match &self.worktree {
            Some(name) => self.work_dir.join(".claude/worktrees").join(name),
            None => self.work_dir.clone(),
        }
    }
}

/// The newest thing said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastMessage {
    /// Who said it.
    pub role: Role,
    /// The first 500 characters.
    pub text: String,
}

/// A session as every surface tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub status: StatusWord,
    /// Since when.
    pub since: Timestamp,
    /// Which source settled the status.
    pub source: Source,
    /// How far the status can be trusted.
    pub confidence: Confidence,
    /// The directory it works in.
    pub work_dir: String,
    /// The model, if one was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The permission mode it runs in, as last reported.
    pub permission_mode: PermissionMode,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last showed a sign of life.
    pub last_activity: Timestamp,
    /// What waits for an answer.
    pub open_asks: Vec<Ask>,
    /// The newest text of the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_message: Option<LastMessage>,
    /// Claude Code's conversation, once bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The session from inside which it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<SessionId>,
    /// The key that it belongs to, by id; only HTTP callers have keys, so hosts are not told of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub owner_key: Option<String>,
    /// The git worktree it works in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree: Option<String>,
    /// The failure, for status `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<TurnError>,
    /// The limit, for status `rate_limited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// How it ended, for status `ended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// Silence after which a turn counts as stalled, in milliseconds, where that is not [`USUAL_STALL_MS`].
    // Not in the schema, which hosts pay for: few sessions have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub stall_threshold_ms: Option<u64>,
}
