//! The MCP door spoken to in raw lines: what a client really sees, over an in-process pipe and by the real program.

mod burst;
mod client;
mod elicitation;
mod errors;
mod host;
mod memory;
mod outputs;
mod progress;
mod prompts;
mod protocol;
mod resources;
mod table;
