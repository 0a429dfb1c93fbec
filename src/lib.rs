//! Aegis.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs))]
pub mod app;
pub mod claude;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod holder;
pub mod mcp;
pub mod ops;
pub mod rehearsal;
pub mod store;
pub mod term;
pub mod wire;
