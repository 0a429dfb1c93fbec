//! Claude Code's transcript file, one JSON object a line: what a line says to a reader, and what it proves.
//!
//! Pure: bytes go in, values come out. Which file to read is the holder's business.

mod lean;
mod line;
mod piece;
mod usage;

pub use line::{Fact, Line};
pub use piece::Piece;
pub use usage::Usage;
