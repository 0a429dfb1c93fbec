//! The real Claude Code against the scripted API, on both pinned versions.

mod prompts;
mod story;
mod worktrees;
