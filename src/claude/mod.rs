//! Everything known about the `claude` program, and nothing else: bytes in, values out.
//!
//! Nothing here waits, writes or remembers. Each fact names the version it was seen in; what differs between
//! versions is in [`version`].

pub mod builtin;
pub mod command;
pub mod hook;
pub mod keys;
pub mod launch;
pub mod limit;
pub mod live;
pub mod prices;
pub mod prompt;
pub mod registry;
pub mod screen;
pub mod settings;
pub mod tiers;
pub mod tools;
pub mod transcript;
pub mod version;
