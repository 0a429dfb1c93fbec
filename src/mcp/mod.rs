//! The MCP door: one server, `aegis`, over stdio.
//!
//! Each tool is one method that calls one operation of [`crate::ops`]. What all tools share stands beside them:
//! [`args`] reads arguments, [`reply`] renders answers and faults, [`guard`] bounds calls and survives panics,
//! [`schema`] makes the schemas fit for every client, [`serve`] runs the connection and ends it at once when the
//! client goes. Both eras of the protocol are served by the same handler; nothing here asks which one it is.

mod args;
mod door;
mod guard;
mod reply;
mod say;
mod schema;
mod serve;
#[cfg(test)]
mod tests;
mod tools;

pub use door::{McpDoor, ToolSet};
pub use serve::{ServeError, serve, serve_stdio};
