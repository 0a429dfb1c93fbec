//! The HTTP door from outside: the real program, asked as its clients ask.

mod guard;
mod life;
mod screenshot;
mod mcp;
mod sessions;
mod streams;
mod terminal;
