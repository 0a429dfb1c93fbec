//! A hermetic laboratory: a scripted API, a scratch home, a state directory, and the real Claude Code in a
//! pinned version. Nothing is inherited from whoever runs the tests; everything is gone when it is dropped.

pub mod calls;
pub mod events;
pub mod faults;
pub mod fetched;
pub mod frames;
pub mod http;
pub mod lab;
pub mod outside;
pub mod processes;
pub mod receiver;
pub mod records;
pub mod running;
pub mod server;
pub mod sessions;
pub mod tasks;
pub mod telegram;

pub use lab::Lab;
