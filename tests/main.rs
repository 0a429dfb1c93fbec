//! The test suite: one binary, so that the library links once. One word a module says what belongs there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

/// The MCP door from outside, as lines of JSON-RPC.
mod mcp;
/// The committed schemas are the ones that the types give.
mod schemas;
