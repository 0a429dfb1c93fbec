//! The MCP door: one server, `aegis`, over stdio.
//!
//! Each tool is one method that calls one operation of [`crate::ops`]. What all tools share stands beside them:
//! `args` reads arguments, `reply` and `say` render answers and faults, `guard` bounds calls and survives panics,
//! `schema` makes the schemas fit for every client, `connection` ends everything at once when the client goes.
//! Both eras of the protocol are served by the same handler; nothing here asks which one it is.

mod args;
mod complete;
mod connection;
mod door;
mod elicit;
mod guard;
mod notices;
mod page;
mod prompts;
mod reply;
mod resources;
mod say;
mod schema;
#[cfg(test)]
mod tests;
mod tools;

pub use args::check_arguments;
pub use connection::{ServeError, serve, serve_stdio};
pub use door::{McpDoor, ToolSet};
pub use notices::Warnings;
