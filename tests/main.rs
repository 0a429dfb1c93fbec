//! The test suite: one binary, so that the library links once. A line a module says what belongs there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]
#![allow(clippy::print_stderr, dead_code)]

/// The layers and other promises of the source text.
mod architecture;
/// Channels: every notice arrives, in order, whatever breaks on its way.
mod channels;
/// What file and environment make of the configuration.
mod config;
/// What the makers of MCP hold a server against, over HTTP.
mod conformance;
/// The doors from outside: the real program with the real Claude Code.
mod doors;
/// The stand-in for Claude Code, made to do what the real one cannot be made to do on demand.
mod fake;
/// Whatever comes from outside: no panic, no growth.
mod fuzz;
/// The HTTP door from outside.
mod http;
/// The MCP door from outside, as lines of JSON-RPC.
mod mcp;
/// Pipelines: run to their end whatever breaks, and no stage twice.
mod pipelines;
/// The real Claude Code against the scripted API, on both pinned versions.
mod real;
/// The committed schemas are the ones that the types give.
mod schemas;
/// The figures of a session: exact, after its end as well, and from files alone.
mod stats;
/// The contract of the store, and what many processes do to one file.
mod store;
/// A hermetic laboratory, and what tests do in it.
mod support;
/// Everything around a session breaks: servers, holders, disks, clocks, and the session holds.
mod survival;
