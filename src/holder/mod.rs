//! One session's process, and its client.
//!
//! The holder is the only process that owns a session: pseudo-terminal, screen, transcript tail, hook inbox, state
//! machine, journal. It starts before Claude Code, ends after it, and needs no server. Start at [`run`] for its
//! life, at `actor` for what it decides, at [`client`] for how others talk to it, at [`hook`] for the program
//! that Claude Code calls.

mod actor;
pub mod client;
mod conversation;
pub mod dir;
pub mod hook;
pub mod journal;
pub mod launch;
pub mod memory;
pub mod process;
mod pty;
pub mod run;
mod serve;
pub mod table;

pub use client::{HolderClient, HolderError};
pub use conversation::{Archive, recount};
pub use dir::SessionDir;
pub use launch::HolderLaunch;
