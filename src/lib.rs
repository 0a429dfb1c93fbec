//! Aegis.

pub mod claude;
pub mod term;
