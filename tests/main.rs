<<<<<<< HEAD
//! The test suite: one binary, so that the library links once. One word a module says what belongs there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

/// The MCP door from outside, as lines of JSON-RPC.
mod mcp;
/// The committed schemas are the ones that the types give.
mod schemas;
=======
//! Tests from outside, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

/// What file and environment make of the configuration.
mod config;
/// The committed schemas are those of the types.
mod schemas;
/// The contract of the store, and what many processes do to one file.
mod store;
>>>>>>> wt-store
