//! What a session is doing, and the one state machine that says what follows what.
//!
//! Only the holder's actor calls [`SessionStatus::after`]. Sources and their ranks are in
//! [`super::evidence`]; a signal arrives here only after it was admitted there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// The status words of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StatusWord {
    /// Launched, not yet ready for a prompt.
    Starting,
    /// A turn is running, or a prompt that was accepted is on its way.
    Working,
    /// Waiting for the next prompt.
    Idle,
    /// An ask of kind permission, plan, trust or dialog is open.
    PermissionPrompt,
    /// Claude asked a question.
    Asking,
    /// Working, yet no sign of life for the stall threshold.
    Stalled,
    /// The account's limit stopped the turn.
    RateLimited,
    /// The turn ended with an API failure.
    Error,
    /// The process is gone.
    Ended,
    /// The evidence does not say.
    Unknown,
}

impl StatusWord {
    /// All words, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Starting,
        Self::Working,
        Self::Idle,
        Self::PermissionPrompt,
        Self::Asking,
        Self::Stalled,
        Self::RateLimited,
        Self::Error,
        Self::Ended,
        Self::Unknown,
    ];

    /// The statuses that want somebody's attention: what a wait looks for unless told otherwise.
    pub const ATTENTION: [Self; 7] = [
        Self::Idle,
        Self::PermissionPrompt,
        Self::Asking,
        Self::Stalled,
        Self::RateLimited,
        Self::Error,
        Self::Ended,
    ];

    /// Gives the word as the wire spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Working => "working",
            Self::Idle => "idle",
            Self::PermissionPrompt => "permission_prompt",
            Self::Asking => "asking",
            Self::Stalled => "stalled",
            Self::RateLimited => "rate_limited",
            Self::Error => "error",
            Self::Ended => "ended",
            Self::Unknown => "unknown",
        }
    }
}

/// What an ask stands over: where the session goes when the last ask is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Under {
    /// Claude Code is still starting.
    Starting,
    /// A turn is running.
    Working,
    /// Nothing is running.
    Idle,
    /// The account's limit stopped the turn.
    RateLimited(Limit),
    /// The turn ended with a failure.
    Error(TurnError),
    /// The evidence did not say what is running.
    Unknown,
}

/// Why a turn failed, in Claude Code's own words for it (`StopFailure.error`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ErrorKind {
    /// The key or login was refused (401, 403).
    AuthenticationFailed,
    /// The organisation may not use this login.
    OauthOrgNotAllowed,
    /// Billing stopped the request.
    BillingError,
    /// A rate limit was hit.
    RateLimit,
    /// The API was overloaded.
    Overloaded,
    /// The request was refused as invalid (400, 413).
    InvalidRequest,
    /// The model does not exist or is not allowed.
    ModelNotFound,
    /// The API failed (5xx) or could not be reached.
    ServerError,
    /// The answer ran into the output limit.
    MaxOutputTokens,
    /// Claude Code gave no or a new word.
    #[serde(other)]
    Unknown,
}

/// A turn's failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// The text that Claude Code shows.
    pub message: String,
}

/// A usage limit that stopped a turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// When the limit lifts, if Claude Code said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
    /// The text that Claude Code shows.
    pub message: String,
}

/// Why the process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum EndCause {
    /// It exited by itself (`/exit`, a refused start-up dialog).
    Exited,
    /// A signal from outside ended it.
    Signaled,
    /// Somebody ended it through Aegis.
    Killed,
    /// It could not be started.
    LaunchFailed,
    /// Its holder vanished and took the terminal along.
    HolderLost,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// Why.
    pub cause: EndCause,
    /// The exit code, if it exited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal's name or number, if one ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Which surface ended it, for `killed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What was done and seen: the steps of the ending, the child's last words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What a session is doing. What belongs to a state lives in the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum SessionStatus {
    /// Launched, not yet ready for a prompt.
    Starting,
    /// A turn is running, or a prompt that was accepted is on its way.
    Working,
    /// Waiting for the next prompt.
    Idle,
    /// Asks of kind permission, plan, trust or dialog are open.
    PermissionPrompt {
        /// What the asks stand over.
        under: Under,
    },
    /// Claude asked a question.
    Asking {
        /// What the question stands over.
        under: Under,
    },
    /// Working, yet silent for the stall threshold.
    Stalled,
    /// The account's limit stopped the turn.
    RateLimited(Limit),
    /// The turn ended with an API failure.
    Error(TurnError),
    /// The process is gone.
    Ended(Ending),
    /// The evidence does not say.
    Unknown,
}

/// Which kind of ask is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// None is open any more.
    None,
    /// Only questions.
    Question,
    /// At least one permission, plan, trust or dialog.
    Permission,
}

/// One admitted fact about a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Claude Code can take a prompt.
    Ready,
    /// A prompt was accepted for delivery or taken by Claude Code.
    TurnStarted,
    /// A sign of life inside a turn.
    Activity,
    /// The turn ended: answered or interrupted.
    TurnEnded,
    /// The turn ended with an API failure.
    TurnFailed(TurnError),
    /// The turn ended at the account's limit.
    LimitReached(Limit),
    /// Asks opened or closed; this is what is open now.
    Asks(Attention),
    /// No sign of life for the stall threshold.
    Quiet,
    /// The evidence contradicts itself or ran out.
    Lost,
    /// The process is gone.
    Exited(Ending),
}

impl SessionStatus {
    /// Gives the status word.
    #[must_use]
    pub fn word(&self) -> StatusWord {
        match self {
            Self::Starting => StatusWord::Starting,
            Self::Working => StatusWord::Working,
            Self::Idle => StatusWord::Idle,
            Self::PermissionPrompt { .. } => StatusWord::PermissionPrompt,
            Self::Asking { .. } => StatusWord::Asking,
            Self::Stalled => StatusWord::Stalled,
            Self::RateLimited(_) => StatusWord::RateLimited,
            Self::Error(_) => StatusWord::Error,
            Self::Ended(_) => StatusWord::Ended,
            Self::Unknown => StatusWord::Unknown,
        }
    }

    /// Tells whether a turn is running, also under an open ask.
    #[must_use]
    pub fn in_turn(&self) -> bool {
        match self {
            Self::Working | Self::Stalled => true,
            Self::PermissionPrompt { under } | Self::Asking { under } => *under == Under::Working,
            Self::Starting
            | Self::Idle
            | Self::RateLimited(_)
            | Self::Error(_)
            | Self::Ended(_)
            | Self::Unknown => false,
        }
    }

    /// Tells whether a prompt can be typed at once: nothing runs and nothing is asked.
    #[must_use]
    pub fn takes_prompt(&self) -> bool {
        matches!(self, Self::Idle | Self::RateLimited(_) | Self::Error(_))
    }

    /// Returns the status that `signal` leads to, or `None` if it changes nothing.
    #[must_use]
    pub fn after(&self, signal: &Signal) -> Option<Self> {
        let next = match (self, signal) {
            (Self::Ended(_), _) => return None,
            (_, Signal::Exited(ending)) => Self::Ended(ending.clone()),
            (_, Signal::Asks(Attention::Permission)) => Self::PermissionPrompt { under: self.under() },
            (_, Signal::Asks(Attention::Question)) => Self::Asking { under: self.under() },
            (Self::PermissionPrompt { under } | Self::Asking { under }, Signal::Asks(Attention::None)) => {
                Self::from_under(under)
            }
            (
                Self::Starting
                | Self::Working
                | Self::Idle
                | Self::Stalled
                | Self::RateLimited(_)
                | Self::Error(_)
                | Self::Unknown,
                Signal::Asks(Attention::None),
            ) => return None,
            // An open ask stays on top; only what it stands over changes.
            (
                Self::PermissionPrompt { .. } | Self::Asking { .. },
                Signal::Ready
                | Signal::TurnStarted
                | Signal::Activity
                | Signal::TurnEnded
                | Signal::TurnFailed(_)
                | Signal::LimitReached(_),
            ) => return self.over(signal),
            (
                Self::Starting
                | Self::Working
                | Self::Idle
                | Self::Stalled
                | Self::RateLimited(_)
                | Self::Error(_)
                | Self::Unknown,
                Signal::TurnFailed(error),
            ) => Self::Error(error.clone()),
            (
                Self::Starting
                | Self::Working
                | Self::Idle
                | Self::Stalled
                | Self::RateLimited(_)
                | Self::Error(_)
                | Self::Unknown,
                Signal::LimitReached(limit),
            ) => Self::RateLimited(limit.clone()),
            (Self::Starting | Self::Unknown, Signal::Ready) => Self::Idle,
            (_, Signal::TurnStarted) => Self::Working,
            (Self::Stalled | Self::Idle | Self::Unknown, Signal::Activity) => Self::Working,
            (Self::Working | Self::Stalled | Self::Unknown, Signal::TurnEnded) => Self::Idle,
            (Self::Working, Signal::Quiet) => Self::Stalled,
            (
                Self::Starting
                | Self::Working
                | Self::Idle
                | Self::Stalled
                | Self::PermissionPrompt { .. }
                | Self::Asking { .. },
                Signal::Lost,
            ) => Self::Unknown,
            // A failure stands until the next prompt; what repeats the present changes nothing.
            (Self::RateLimited(_) | Self::Error(_) | Self::Unknown, Signal::Lost)
            | (
                Self::Starting
                | Self::Idle
                | Self::Stalled
                | Self::PermissionPrompt { .. }
                | Self::Asking { .. }
                | Self::RateLimited(_)
                | Self::Error(_)
                | Self::Unknown,
                Signal::Quiet,
            )
            | (Self::Starting | Self::Idle | Self::RateLimited(_) | Self::Error(_), Signal::TurnEnded)
            | (Self::Starting | Self::Working | Self::RateLimited(_) | Self::Error(_), Signal::Activity)
            | (
                Self::Working | Self::Idle | Self::Stalled | Self::RateLimited(_) | Self::Error(_),
                Signal::Ready,
            ) => return None,
        };
        (next != *self).then_some(next)
    }

    /// What an ask opened now would stand over.
    fn under(&self) -> Under {
        match self {
            Self::Starting => Under::Starting,
            Self::Working | Self::Stalled => Under::Working,
            Self::PermissionPrompt { under } | Self::Asking { under } => under.clone(),
            Self::RateLimited(limit) => Under::RateLimited(limit.clone()),
            Self::Error(error) => Under::Error(error.clone()),
            Self::Unknown => Under::Unknown,
            // Nothing follows an end; no ask is opened over it.
            Self::Idle | Self::Ended(_) => Under::Idle,
        }
    }

    fn from_under(under: &Under) -> Self {
        match under {
            Under::Starting => Self::Starting,
            Under::Working => Self::Working,
            Under::Idle => Self::Idle,
            Under::RateLimited(limit) => Self::RateLimited(limit.clone()),
            Under::Error(error) => Self::Error(error.clone()),
            Under::Unknown => Self::Unknown,
        }
    }

    /// The same ask over what `signal` makes of the state below it.
    fn over(&self, signal: &Signal) -> Option<Self> {
        let below = Self::from_under(&self.under());
        let under = below.after(signal)?.under();
        let next = match self {
            Self::Asking { .. } => Self::Asking { under },
            Self::PermissionPrompt { .. }
            | Self::Starting
            | Self::Working
            | Self::Idle
            | Self::Stalled
            | Self::RateLimited(_)
            | Self::Error(_)
            | Self::Ended(_)
            | Self::Unknown => Self::PermissionPrompt { under },
        };
        (next != *self).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn failure() -> TurnError {
        TurnError { kind: ErrorKind::ServerError, message: "500".into() }
    }

    fn ending() -> Ending {
        Ending { cause: EndCause::Exited, exit_code: Some(0), signal: None, by: None, detail: None }
    }

    const PROMPT: SessionStatus = SessionStatus::PermissionPrompt { under: Under::Working };

    #[rstest]
    #[case::ready(SessionStatus::Starting, Signal::Ready, Some(SessionStatus::Idle))]
    #[case::ready_again(SessionStatus::Working, Signal::Ready, None)]
    #[case::prompt(SessionStatus::Idle, Signal::TurnStarted, Some(SessionStatus::Working))]
    #[case::prompt_while_starting(SessionStatus::Starting, Signal::TurnStarted, Some(SessionStatus::Working))]
    #[case::end(SessionStatus::Working, Signal::TurnEnded, Some(SessionStatus::Idle))]
    #[case::end_twice(SessionStatus::Idle, Signal::TurnEnded, None)]
    #[case::failure(
        SessionStatus::Working,
        Signal::TurnFailed(failure()),
        Some(SessionStatus::Error(failure()))
    )]
    #[case::failure_stands(SessionStatus::Error(failure()), Signal::TurnEnded, None)]
    #[case::failure_left(SessionStatus::Error(failure()), Signal::TurnStarted, Some(SessionStatus::Working))]
    #[case::ask(SessionStatus::Working, Signal::Asks(Attention::Permission), Some(PROMPT))]
    #[case::ask_answered(PROMPT, Signal::Asks(Attention::None), Some(SessionStatus::Working))]
    #[case::trust(
        SessionStatus::Starting,
        Signal::Asks(Attention::Permission),
        Some(SessionStatus::PermissionPrompt { under: Under::Starting })
    )]
    #[case::ended_under_ask(
        PROMPT,
        Signal::TurnEnded,
        Some(SessionStatus::PermissionPrompt { under: Under::Idle })
    )]
    #[case::quiet(SessionStatus::Working, Signal::Quiet, Some(SessionStatus::Stalled))]
    #[case::quiet_idle(SessionStatus::Idle, Signal::Quiet, None)]
    #[case::life_again(SessionStatus::Stalled, Signal::Activity, Some(SessionStatus::Working))]
    #[case::lost(SessionStatus::Starting, Signal::Lost, Some(SessionStatus::Unknown))]
    #[case::found(SessionStatus::Unknown, Signal::Ready, Some(SessionStatus::Idle))]
    #[case::gone(SessionStatus::Unknown, Signal::Exited(ending()), Some(SessionStatus::Ended(ending())))]
    #[case::gone_stays(SessionStatus::Ended(ending()), Signal::TurnStarted, None)]
    fn a_signal_leads_to(
        #[case] from: SessionStatus,
        #[case] signal: Signal,
        #[case] expected: Option<SessionStatus>,
    ) {
        assert_eq!(from.after(&signal), expected);
    }

    /// The menu that Claude Code opens by itself at a limit, and any other over what was there before.
    #[rstest]
    #[case(SessionStatus::RateLimited(Limit { resets_at: None, message: "limit".into() }))]
    #[case(SessionStatus::Error(failure()))]
    #[case(SessionStatus::Unknown)]
    #[case(SessionStatus::Idle)]
    #[case(SessionStatus::Working)]
    #[case(SessionStatus::Starting)]
    fn an_ask_gives_back_what_it_stood_over(#[case] below: SessionStatus) {
        let asked = below.after(&Signal::Asks(Attention::Permission)).unwrap();
        assert_eq!(asked.word(), StatusWord::PermissionPrompt);
        assert_eq!(asked.after(&Signal::Asks(Attention::None)), Some(below));
    }

    #[rstest]
    #[case(Signal::TurnFailed(failure()), SessionStatus::Error(failure()))]
    #[case(Signal::TurnEnded, SessionStatus::Idle)]
    fn a_turn_that_ends_under_an_ask_is_told_when_it_closes(
        #[case] end: Signal,
        #[case] then: SessionStatus,
    ) {
        let over = PROMPT.after(&end).unwrap();
        assert_eq!(over.word(), StatusWord::PermissionPrompt);
        assert_eq!(over.after(&Signal::Asks(Attention::None)), Some(then));
    }

    #[test]
    fn a_question_turns_into_a_permission_and_back() {
        let asking = SessionStatus::Working.after(&Signal::Asks(Attention::Question)).unwrap();
        assert_eq!(asking, SessionStatus::Asking { under: Under::Working });
        let both = asking.after(&Signal::Asks(Attention::Permission)).unwrap();
        assert_eq!(both.after(&Signal::Asks(Attention::Question)).unwrap(), asking);
    }
}
