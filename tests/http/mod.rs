//! The HTTP door from outside: the real program, asked as its clients ask.

mod attacks;
mod audit;
mod calls;
mod channels;
mod clients;
mod config;
mod fuzz;
mod guard;
mod hooks;
mod keys;
mod life;
mod mcp;
mod owners;
mod reading;
mod readme;
mod screenshot;
mod sessions;
mod standing;
mod streams;
mod terminal;
mod totals;
mod verify;
