//! Aegis.
fn main() {}
