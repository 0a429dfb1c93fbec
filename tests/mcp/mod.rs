//! The MCP door over an in-process pipe, spoken to in raw lines: what a client really sees.

mod client;
mod errors;
mod memory;
mod outputs;
mod protocol;
