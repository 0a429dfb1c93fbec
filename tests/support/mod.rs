//! A hermetic laboratory: a scripted API, a scratch home, a state directory, and the real Claude Code in a
//! pinned version. Nothing is inherited from whoever runs the tests; everything is gone when it is dropped.

pub mod faults;
pub mod http;
pub mod lab;
pub mod outside;
pub mod processes;
pub mod records;
pub mod server;
pub mod tasks;

pub use lab::Lab;
