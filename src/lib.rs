//! Aegis.
