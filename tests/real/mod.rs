//! The real Claude Code against the scripted API, on both pinned versions.

mod answers;
mod asks;
mod commands;
mod conversations;
mod dialogs;
mod endings;
mod figures;
mod pipelines;
mod policy;
mod prompts;
mod reuse;
mod startup;
mod statuses;
mod story;
mod survival;
mod tools;
mod turns;
mod worktrees;
