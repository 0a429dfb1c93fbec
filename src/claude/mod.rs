//! Everything known about the `claude` program, and nothing else: bytes in, values out.

pub mod screen;
