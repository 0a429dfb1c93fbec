//! The real Claude Code against the scripted API, on both pinned versions.

mod asks;
mod dialogs;
mod prompts;
mod statuses;
mod story;
mod worktrees;
