//! Aegis drives Claude Code sessions for a program, an agent or a person far from the keyboard.
//!
//! This page is the map. A module may use what stands below it; modules on one line do not know each other;
//! `tests/architecture` holds the source against it.
//!
//! | layer | what it is |
//! |---|---|
//! | `main`, [`app`] | picks the role; the only place that builds things and reads the environment |
//! | [`mcp`], [`http`], [`cli`] | doors: translate, call one operation, render |
//! | [`viewers`] | sessions shown in tmux, beside the doors |
//! | [`rehearsal`] | the real Claude Code against a scripted API, through the same operations |
//! | [`ops`] | every operation once: request and response types, who may, one call down |
//! | [`engine`], [`access`], [`channel`], [`browser`] | sessions as running things: started, found, asked, watched; the steward; pipelines; who may do what; telling people; pictures of pages |
//! | [`holder`], [`store`] | one session's process and its client; what survives |
//! | [`claude`] | everything known about the `claude` program: bytes in, values out |
//! | [`term`], [`wire`], [`config`], [`names`] | a screen as a value; frames to a holder; one validated configuration; addresses of names |
//! | [`domain`] | what things are: ids, status, asks, receipts, events, pipelines, the memory, templates |
//! | [`fault`] | named points for tests of crashes; nothing in a normal build |
//!
//! # The life of a prompt
//!
//! 1. A door reads `send_message` into [`ops::SendMessage`] and calls [`ops::Aegis::send_message`].
//! 2. The operation finds the session and refuses if the caller runs inside it; the engine looks up its holder's
//!    socket in the store and asks the holder.
//! 3. The holder's actor refuses what cannot be sent: text that a terminal would act on, a dialog that is open.
//!    Else it writes a receipt, `queued`, into the journal: before this nothing has happened, after it nothing is
//!    lost.
//! 4. When Claude Code is ready and its input box is empty, the actor notes `written` and pastes the text as a
//!    whole; what would be a command or a shell line is escaped ([`claude::prompt`]).
//! 5. When the screen shows the text, and only it, and no dialog stands over it, Enter is pressed.
//! 6. Claude Code calls `aegis hook UserPromptSubmit`; the text in it is the one that was sent, so the receipt is
//!    `submitted`. While a tool runs the transcript proves the same. Without proof it ends as `uncertain`.
//! 7. The turn runs: permission hooks become asks, the live file and the transcript keep the status honest
//!    ([`domain::SessionStatus::after`]).
//! 8. The Stop hook brings the reply: it joins the conversation, the receipt is `turn_ended`, the status `idle`,
//!    and every waiting client is told.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs))]

pub mod access;
pub mod app;
pub mod browser;
pub mod channel;
pub mod claude;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod fault;
pub mod holder;
pub mod http;
pub mod mcp;
pub mod names;
pub mod ops;
pub mod rehearsal;
pub mod store;
pub mod term;
pub mod viewers;
pub mod wire;
