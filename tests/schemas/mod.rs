//! The files under `schemas/` are what clients see; a change of a type must show there.

mod config;
mod event;
mod openapi;
mod tools;
