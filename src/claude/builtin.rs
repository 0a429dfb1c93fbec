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
    /// It was not tried.
    Unknown,
}

impl Asks {
    /// Gives the word as the wire spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "none",
            Self::Usually => "ask",
            Self::Always => "always",
            Self::Unknown => "unknown",
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

/// The table, by kind. 2.1.197 offers most of them at once, 2.1.330 loads many only when `ToolSearch` is asked.
pub const TOOLS: &[Builtin] = &[
    tool("Read", "read", Asks::Never, "Reads a file"),
    tool("Glob", "search", Asks::Never, "Finds files by name"),
    tool("Grep", "search", Asks::Never, "Searches in files"),
    tool("ToolSearch", "search", Asks::Never, "Finds and loads tools"),
    tool("Edit", "edit", Asks::Usually, "Replaces text in a file"),
    tool("NotebookEdit", "edit", Asks::Usually, "Changes a cell of a notebook"),
    tool("Write", "write", Asks::Usually, "Writes a file whole"),
    tool("Bash", "bash", Asks::Usually, "Runs a shell command"),
    tool("WebFetch", "web", Asks::Usually, "Fetches a page and reads it"),
    tool("WebSearch", "web", Asks::Usually, "Searches the web"),
    tool("Agent", "agent", Asks::Never, "Starts a subagent"),
    tool("ListAgents", "agent", Asks::Unknown, "Lists subagents"),
    tool("SendMessage", "agent", Asks::Never, "Sends a message to another agent"),
    tool("Skill", "agent", Asks::Usually, "Uses a skill"),
    tool("Workflow", "agent", Asks::Unknown, "Runs a workflow of subagents"),
    tool("ReportFindings", "agent", Asks::Unknown, "Reports what a review found"),
    tool("TaskCreate", "task", Asks::Never, "Puts a task on the list"),
    tool("TaskGet", "task", Asks::Never, "Reads a task"),
    tool("TaskList", "task", Asks::Never, "Lists tasks"),
    tool("TaskUpdate", "task", Asks::Never, "Changes a task"),
    tool("TaskOutput", "task", Asks::Never, "Reads what a background task printed"),
    tool("TaskStop", "task", Asks::Never, "Stops a background task"),
    tool("CronCreate", "schedule", Asks::Never, "Schedules a prompt for this session"),
    tool("CronDelete", "schedule", Asks::Never, "Takes a scheduled prompt back"),
    tool("CronList", "schedule", Asks::Never, "Lists scheduled prompts"),
    tool("ScheduleWakeup", "schedule", Asks::Unknown, "Has the session woken later"),
    tool("EnterPlanMode", "plan", Asks::Unknown, "Goes into plan mode"),
    tool("ExitPlanMode", "plan", Asks::Always, "Puts a plan to the user"),
    tool("EnterWorktree", "worktree", Asks::Unknown, "Goes into a git worktree"),
    tool("ExitWorktree", "worktree", Asks::Unknown, "Leaves a git worktree"),
    tool("AskUserQuestion", "ask", Asks::Always, "Asks the user a question"),
];
