//! The one error of the surface: a closed code, a sentence, a next step.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Every code that an operation can fail with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ErrorCode {
    /// An argument is missing, unknown or out of range.
    InvalidArgument,
    /// No session has this id, prefix or name.
    NoSuchSession,
    /// More than one session fits the prefix.
    AmbiguousSession,
    /// The name is taken, by a live session or another template.
    NameTaken,
    /// The directory does not exist, is no directory, or is not allowed.
    WorkDirRefused,
    /// An ask is open; it must be answered first.
    SessionBlocked,
    /// A turn is running, and the caller wanted no queue.
    SessionBusy,
    /// The session has ended.
    SessionEnded,
    /// Somebody typed into the box and has not sent it.
    DraftPresent,
    /// The text cannot be given to Claude Code as it is.
    PromptRefused,
    /// The text is too long.
    PromptTooLarge,
    /// A rule of the permission policy refuses it.
    PolicyRefused,
    /// No ask is open.
    NothingToApprove,
    /// Several asks are open and none was named.
    AmbiguousAsk,
    /// No such ask.
    NoSuchAsk,
    /// The ask was answered already.
    AlreadyResolved,
    /// The call that is open is not the one that was shown.
    InputChanged,
    /// The answer does not fit the ask.
    InvalidAnswer,
    /// The conversation to resume does not exist.
    NoSuchConversation,
    /// The stages of a pipeline do not fit together.
    InvalidPipeline,
    /// No pipeline has this id, prefix or name.
    NoSuchPipeline,
    /// More than one pipeline fits the prefix or name.
    AmbiguousPipeline,
    /// The memory has nothing under this key, or not any more.
    NoSuchKey,
    /// No template has this id or name.
    NoSuchTemplate,
    /// The configuration names no such channel.
    NoSuchChannel,
    /// A variable of the template has no value.
    MissingVariable,
    /// The idempotency key was used for something else.
    KeyReused,
    /// A session may not do this to itself or its ancestors.
    OwnSession,
    /// The caller's key may not do this, or the session is another key's.
    Forbidden,
    /// There is no `claude` program.
    ClaudeNotFound,
    /// The `claude` program is too old.
    ClaudeUnsupported,
    /// The session's process could not be started.
    LaunchFailed,
    /// It was tried, and Claude Code did not react in time.
    NotConfirmed,
    /// The session's holder does not answer.
    HolderUnreachable,
    /// The holder is of a version that cannot do this.
    Unsupported,
    /// The state directory cannot be read or written.
    StorageFailed,
    /// A mistake of ours.
    Internal,
}

impl ErrorCode {
    /// Gives the code as the wire spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::NoSuchSession => "no_such_session",
            Self::AmbiguousSession => "ambiguous_session",
            Self::NameTaken => "name_taken",
            Self::WorkDirRefused => "work_dir_refused",
            Self::SessionBlocked => "session_blocked",
            Self::SessionBusy => "session_busy",
            Self::SessionEnded => "session_ended",
            Self::DraftPresent => "draft_present",
            Self::PromptRefused => "prompt_refused",
            Self::PromptTooLarge => "prompt_too_large",
            Self::PolicyRefused => "policy_refused",
            Self::NothingToApprove => "nothing_to_approve",
            Self::AmbiguousAsk => "ambiguous_ask",
            Self::NoSuchAsk => "no_such_ask",
            Self::AlreadyResolved => "already_resolved",
            Self::InputChanged => "input_changed",
            Self::InvalidAnswer => "invalid_answer",
            Self::NoSuchConversation => "no_such_conversation",
            Self::InvalidPipeline => "invalid_pipeline",
            Self::NoSuchPipeline => "no_such_pipeline",
            Self::AmbiguousPipeline => "ambiguous_pipeline",
            Self::NoSuchKey => "no_such_key",
            Self::NoSuchTemplate => "no_such_template",
            Self::NoSuchChannel => "no_such_channel",
            Self::MissingVariable => "missing_variable",
            Self::KeyReused => "key_reused",
            Self::OwnSession => "own_session",
            Self::Forbidden => "forbidden",
            Self::ClaudeNotFound => "claude_not_found",
            Self::ClaudeUnsupported => "claude_unsupported",
            Self::LaunchFailed => "launch_failed",
            Self::NotConfirmed => "not_confirmed",
            Self::HolderUnreachable => "holder_unreachable",
            Self::Unsupported => "unsupported",
            Self::StorageFailed => "storage_failed",
            Self::Internal => "internal",
        }
    }

    /// The next step for whoever gets this code, unless the case at hand knows a better one.
    #[must_use]
    pub fn default_hint(self) -> &'static str {
        match self {
            Self::InvalidArgument => "correct the argument and call again",
            Self::NoSuchSession => "list_sessions shows the live sessions; pass status ended for the others",
            Self::AmbiguousSession => "give more characters of the id",
            Self::NameTaken => "choose another name, or leave it out",
            Self::WorkDirRefused => "give the absolute path of an existing directory",
            Self::SessionBlocked => {
                "answer the open ask first: approve_permission, reject_permission or send_message"
            }
            Self::SessionBusy => "wait_for_session, or pass whenBusy queue or interrupt",
            Self::SessionEnded => "create_session with resumeSessionId continues its conversation",
            Self::DraftPresent => "attach and send or clear what was typed there",
            Self::PromptRefused => "take the named characters out of the text",
            Self::PromptTooLarge => "write the text to a file and name the file in the prompt",
            Self::PolicyRefused => "do it another way, or change the permission policy of the session",
            Self::NothingToApprove => "get_status shows what the session is doing",
            Self::AmbiguousAsk => "name the ask with askId; the open ones are in details",
            Self::NoSuchAsk => "get_status lists the open asks",
            Self::AlreadyResolved => "nothing to do; details says who answered",
            Self::InputChanged => "look at the ask again with get_status before you approve it",
            Self::InvalidAnswer => "answer with an option's text or number; details lists them",
            Self::NoSuchConversation => "create a session without resumeSessionId",
            Self::InvalidPipeline => "correct the steps and call again; nothing was started",
            Self::NoSuchPipeline => "list_pipelines shows them all, finished ones too",
            Self::AmbiguousPipeline => "give the id, or more characters of it; details lists them",
            Self::NoSuchKey => "state_set makes it",
            Self::NoSuchTemplate => "`aegis template list` shows them",
            Self::NoSuchChannel => "`aegis channels list` shows them",
            Self::MissingVariable => "give each variable a value in templateVariables",
            Self::KeyReused => "use a new idempotencyKey for a new request",
            Self::OwnSession => "a person or the session's creator has to do this",
            Self::Forbidden => "use a key that may, or ask whoever administers this server",
            Self::ClaudeNotFound => {
                "install it with `npm install -g @anthropic-ai/claude-code`, or set claudePath in the configuration"
            }
            Self::ClaudeUnsupported => "update it with `npm install -g @anthropic-ai/claude-code`",
            Self::LaunchFailed => "aegis doctor checks what a launch needs",
            Self::NotConfirmed => "get_status and capture_pane show what the session is doing",
            Self::HolderUnreachable => "call again; aegis doctor tells whether the holder still runs",
            Self::Unsupported => "the session was started by another version of Aegis; start a new one",
            Self::StorageFailed => "check space and permissions of the state directory",
            Self::Internal => "please report this with the log",
        }
    }
}

/// Why an operation failed, and what to do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct OpError {
    /// Which kind.
    pub code: ErrorCode,
    /// What happened, for a person.
    pub message: String,
    /// The next step.
    pub hint: String,
    /// What it is about.
    pub details: Option<Box<Value>>,
}

impl OpError {
    /// Builds an error with its code's default hint.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: code.default_hint().into(), details: None }
    }

    /// Replaces the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Takes the name that was probably meant as the next step, if there is one.
    #[must_use]
    pub fn did_you_mean(self, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// Adds what it is about.
    #[must_use]
    pub fn details(mut self, details: Option<Value>) -> Self {
        self.details = details.map(Box::new);
        self
    }

    /// Gives the error as every door tells it: `{code, message, hint, details?}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut json =
            serde_json::json!({ "code": self.code.as_str(), "message": self.message, "hint": self.hint });
        if let (Some(details), Some(map)) = (&self.details, json.as_object_mut()) {
            map.insert("details".into(), (**details).clone());
        }
        json
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for OpError {}
