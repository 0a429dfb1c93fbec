//! What people and programs outside can be told about, by the names that receivers know.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::nearest::nearest;

/// Declares the topics with the words that receivers know.
macro_rules! topics {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What a notice is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[schemars(inline)]
        pub enum Topic {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl Topic {
            /// All topics, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Gives the topic as receivers know it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

topics! {
    /// A session was started.
    SessionCreated = "session.created",
    /// A session has ended.
    SessionEnded = "session.ended",
    /// Somebody said something to Claude.
    MessageUser = "message.user",
    /// Claude said something.
    MessageAssistant = "message.assistant",
    /// Claude thought.
    MessageThinking = "message.thinking",
    /// Claude called a tool.
    MessageToolUse = "message.tool_use",
    /// A tool gave its result, or failed.
    MessageToolResult = "message.tool_result",
    /// The session waits for the next prompt.
    StatusIdle = "status.idle",
    /// A turn runs.
    StatusWorking = "status.working",
    /// A permission, trust question or dialog is open.
    StatusPermission = "status.permission",
    /// Claude asks a question.
    StatusQuestion = "status.question",
    /// A plan wants to be carried out.
    StatusPlan = "status.plan",
    /// A turn runs without a sign of life.
    StatusStall = "status.stall",
    /// A stalled turn shows life again.
    StatusRecovered = "status.recovered",
    /// The context window is nearly full.
    StatusContextWarning = "status.context_warning",
    /// Somebody stopped the turn.
    StatusStopped = "status.stopped",
    /// The turn ended with a failure.
    StatusError = "status.error",
    /// The account's limit stopped the turn.
    StatusRateLimited = "status.rate_limited",
    /// Nobody answered a permission in time, and it was refused.
    StatusPermissionTimeout = "status.permission_timeout",
    /// The process ended otherwise than by itself or by Aegis.
    StatusDead = "status.dead",
    /// An ask was answered or went away.
    AskResolved = "ask.resolved",
    /// Somebody tries a channel out.
    ChannelTest = "channel.test",
}

impl Topic {
    /// Whether this tells a trouble that may come again and again, so that a person is told a repeat once.
    #[must_use]
    pub fn folds(self) -> bool {
        matches!(
            self,
            Self::StatusStall
                | Self::StatusRecovered
                | Self::StatusContextWarning
                | Self::StatusError
                | Self::StatusRateLimited
        )
    }

    /// Whether a person waits for it: it is sent at once, without gathering more.
    #[must_use]
    pub fn urgent(self) -> bool {
        matches!(
            self,
            Self::StatusPermission
                | Self::StatusQuestion
                | Self::StatusPlan
                | Self::AskResolved
                | Self::ChannelTest
        )
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names that older receivers know and that are never told. Teammates were found by scanning for `tmux` sockets; nothing
/// here tells when one begins or ends: Claude Code writes down which there are, and `get_swarm` reads that when it is
/// asked.
const NEVER_TOLD: &[&str] = &["swarm.teammate_spawned", "swarm.teammate_finished"];

/// No topic has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchTopic {
    /// Nothing like it is told.
    #[error("there is no event {name:?}{}", near.as_deref().map(|near| format!("; did you mean {near:?}?")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: String,
        /// The most similar one.
        near: Option<String>,
    },
    /// It was told once, by other means.
    #[error(
        "{name:?} is never told: teammates are listed by `aegis swarm`, get_swarm and GET /v1/swarm; the events are {}",
        Topic::ALL.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", ")
    )]
    NeverTold {
        /// The name.
        name: &'static str,
    },
}

impl FromStr for Topic {
    type Err = NoSuchTopic;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(topic) = Self::ALL.iter().copied().find(|topic| topic.as_str() == text) {
            return Ok(topic);
        }
        Err(match NEVER_TOLD.iter().find(|name| **name == text) {
            Some(name) => NoSuchTopic::NeverTold { name },
            None => NoSuchTopic::Unknown {
                name: text.chars().take(60).collect(),
                near: nearest(text, Self::ALL.iter().map(|topic| topic.as_str())).map(str::to_owned),
            },
        })
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_topic_that_is_never_told_says_what_there_is_instead() {
        for name in NEVER_TOLD {
            let by_name = name.parse::<Topic>().unwrap_err().to_string();
            let in_json = serde_json::from_value::<Topic>(json!(name)).unwrap_err().to_string();
            assert_eq!(by_name, in_json);
            assert!(by_name.contains("GET /v1/swarm") && by_name.contains("status.idle"), "{by_name}");
        }
    }

    #[test]
    fn a_mistyped_topic_finds_its_neighbour() {
        assert_eq!("status.idle".parse(), Ok(Topic::StatusIdle));
        let error = "status.idel".parse::<Topic>().unwrap_err().to_string();
        assert_eq!(error, r#"there is no event "status.idel"; did you mean "status.idle"?"#);
    }
}
