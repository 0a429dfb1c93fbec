//! The tools that Claude Code itself brings: one dated table.

/// The newest version whose tools were looked at.
pub const AS_OF: &str = "2.1.330";

/// Whether the default permission mode asks before a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// It runs unasked.
    Never,
    /// Somebody is asked, unless a rule decides or the call is seen to change nothing.
    Usually,
    /// The tool itself is a question to somebody.
    Always,
}

impl Asks {
    /// Gives the word as the wire spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "none",
            Self::Usually => "ask",
            Self::Always => "always",
        }
    }
}

/// One tool.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name, as rules and hooks spell it.
    pub name: &'static str,
    /// What kind of thing it does.
    pub category: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Whether somebody is asked.
    pub asks: Asks,
}

const fn tool(name: &'static str, category: &'static str, asks: Asks, description: &'static str) -> Builtin {
    Builtin { name, category, description, asks }
}

/// The table, by kind.
pub const TOOLS: &[Builtin] = &[
    tool("Read", "read", Asks::Never, "Reads a file"),
    tool("Glob", "search", Asks::Never, "Finds files by name"),
    tool("Grep", "search", Asks::Never, "Searches in files"),
    tool("Edit", "edit", Asks::Usually, "Replaces text in a file"),
    tool("Write", "write", Asks::Usually, "Writes a file whole"),
    tool("NotebookEdit", "edit", Asks::Usually, "Changes a cell of a notebook"),
    tool("Bash", "bash", Asks::Usually, "Runs a shell command"),
    tool("WebFetch", "web", Asks::Usually, "Fetches a page and reads it"),
    tool("WebSearch", "web", Asks::Usually, "Searches the web"),
    tool("Agent", "agent", Asks::Never, "Starts a subagent"),
    tool("Skill", "agent", Asks::Usually, "Uses a skill"),
    tool("AskUserQuestion", "ask", Asks::Always, "Asks the user a question"),
    tool("ExitPlanMode", "ask", Asks::Always, "Puts a plan to the user"),
];

/// What tools of MCP servers are called: `mcp__SERVER__TOOL`.
pub const MCP_PREFIX: &str = "mcp__";
