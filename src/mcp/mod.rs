//! The MCP door: one server, `aegis`, over stdio and, mounted in the HTTP door, over HTTP.
//!
//! Each tool is one method that calls one operation of [`crate::ops`]; so is each resource. What all tools share stands
//! beside them: `args` reads arguments, `reply` and `say` render answers and faults, `guard` bounds calls and survives
//! panics, `schema` makes the schemas fit for every client, `connection` ends everything at once when the client goes.
//! `prompts` and `complete` serve people at a host; `notices` tells clients what they did not ask for, and `elicit` puts
//! asks to the person in front of the host. `streamable` is the way over HTTP, where `admit` knows who calls.
//! Both eras of the protocol are served by the same handler; where they differ, `door` says so.

mod args;
mod caller;
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
mod streamable;
#[cfg(test)]
mod tests;
mod tools;

pub use args::check_arguments;
pub use connection::{Met, ServeError, serve, serve_stdio};
pub use door::{McpDoor, ToolSet};
pub use notices::Warnings;
pub use streamable::Streamable;
