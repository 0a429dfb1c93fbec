//! The HTTP door from outside: the real program, asked as its clients ask.

mod calls;
mod clients;
mod fuzz;
mod guard;
mod life;
mod reading;
mod readme;
mod sessions;
