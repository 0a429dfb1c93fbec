//! Aegis.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs))]
pub mod cli;
pub mod domain;
pub mod engine;
pub mod ops;
pub mod wire;
