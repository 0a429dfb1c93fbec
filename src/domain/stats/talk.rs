//! What the transcript tells in numbers.

use std::collections::{BTreeMap, VecDeque};
use std::ops::{AddAssign, SubAssign};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens as the API bills them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tokens {
    /// Read, and not from the cache.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Read from the cache.
    pub cache_read: u64,
    /// Put into the cache, for whatever time.
    pub cache_creation: u64,
    /// Of `cache_creation` what stays for an hour; the rest stays for five minutes.
    pub cache_creation_1h: u64,
    /// Web searches that the API made; billed apiece.
    pub web_searches: u64,
}

impl Tokens {
    /// The prompt's whole length: what stood in the context window.
    #[must_use]
    pub fn context(&self) -> u64 {
        self.input.saturating_add(self.cache_read).saturating_add(self.cache_creation)
    }

    fn each(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            input: join(self.input, other.input),
            output: join(self.output, other.output),
            cache_read: join(self.cache_read, other.cache_read),
            cache_creation: join(self.cache_creation, other.cache_creation),
            cache_creation_1h: join(self.cache_creation_1h, other.cache_creation_1h),
            web_searches: join(self.web_searches, other.web_searches),
        }
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        *self = self.each(other, u64::saturating_add);
    }
}

impl SubAssign for Tokens {
    fn sub_assign(&mut self, other: Self) {
        *self = self.each(other, u64::saturating_sub);
    }
}

/// One model's tokens, by what they are billed at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelTokens {
    /// API messages, each counted once however many lines it has.
    pub api_messages: u64,
    /// At the model's price.
    pub standard: Tokens,
    /// At its price for long prompts.
    pub long: Tokens,
    /// At a price that is not known: another speed, tier or place than the standard one.
    pub other: Tokens,
}

impl ModelTokens {
    /// All tokens.
    #[must_use]
    pub fn total(&self) -> Tokens {
        let mut total = self.standard;
        total += self.long;
        total += self.other;
        total
    }
}

/// Messages by who speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline)]
pub struct RoleCounts {
    /// Prompts.
    pub user: u64,
    /// Claude's words, calls and their results.
    pub assistant: u64,
    /// Claude Code's own.
    pub system: u64,
}

impl RoleCounts {
    /// All messages.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.user + self.assistant + self.system
    }
}

/// Calls of one tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCounts {
    /// Calls.
    pub calls: u64,
    /// Calls that failed or were refused.
    pub errors: u64,
}

/// How often tools were called for a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline)]
pub struct FileUse {
    /// As Claude wrote it.
    pub path: String,
    /// Calls that change it.
    pub writes: u64,
    /// Calls that read it.
    pub reads: u64,
}

/// What a resumed conversation brought along. It was said, called and spent before this session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Past {
    /// Messages.
    pub messages: u64,
    /// Tool calls.
    pub tool_calls: u64,
    /// Tokens, of all models.
    pub tokens: Tokens,
}

/// What the transcript tells: of this session alone, but for `past`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TalkStats {
    /// Messages; together with those of `past` as many as `get_transcript` has.
    pub messages: RoleCounts,
    /// Tool calls by tool.
    pub tools: BTreeMap<String, ToolCounts>,
    /// Tokens by model, those of subagents included.
    pub models: BTreeMap<String, ModelTokens>,
    /// Files that tools were called for, the latest last; bounded.
    pub files: VecDeque<FileUse>,
    /// Files that were told no more because there were too many.
    pub files_left_off: u64,
    /// Shell commands, cut, the latest last; bounded.
    pub commands: VecDeque<String>,
    /// Shell commands in all.
    pub commands_run: u64,
    /// Subagents whose own transcripts were read.
    pub subagents: u64,
    /// What a resumed conversation brought along.
    pub past: Past,
}

impl TalkStats {
    /// All tool calls, and those that failed or were refused.
    #[must_use]
    pub fn tool_calls(&self) -> ToolCounts {
        self.tools.values().fold(ToolCounts::default(), |all, one| ToolCounts {
            calls: all.calls + one.calls,
            errors: all.errors + one.errors,
        })
    }

    /// The tokens of all models.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        let mut all = Tokens::default();
        self.models.values().for_each(|model| all += model.total());
        all
    }
}
