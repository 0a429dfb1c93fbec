//! Aegis.

pub mod rehearsal;
