//! The real Claude Code against the scripted API, on both pinned versions.

mod answers;
mod asks;
mod dialogs;
mod prompts;
mod startup;
mod statuses;
mod story;
mod survival;
mod turns;
mod worktrees;
