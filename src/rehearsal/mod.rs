//! The real Claude Code CLI against a Messages API that we script, on this machine only.
//!
//! [`api`] answers what the program asks, [`home`] gives it a home directory in which it starts without a
//! dialog, [`install`] finds or fetches the program. No account, no network, no token spent. Nothing here
//! knows a session or a holder: who rehearses a story with these parts decides what the story is.

pub mod api;
pub mod home;
pub mod install;
pub mod story;

pub use api::{Reply, Rule, Script, ScriptedApi};
pub use home::ScratchHome;
pub use install::Claude;
