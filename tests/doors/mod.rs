//! The doors from outside, with the real program and the real Claude Code.

pub mod clients;
mod commands;
mod eof;
mod errors;
mod host;
mod init;
mod sdk;
mod surface;
mod viewers;

use aegis::rehearsal::api::{HoldAt, Question, Reply, Script, ToolCall};
use serde_json::json;

/// A call that makes a file, for which Claude Code needs permission.
fn touch(file: &str) -> ToolCall {
    ToolCall::new("Bash", json!({ "command": format!("touch {file}"), "description": "Make a file" }))
}

/// What the model does when it is told so.
fn script() -> Script {
    let colour = || Reply::questions([Question::new("Which colour?", "Colour", ["Red", "Blue"])]);
    let hold = |name: &str| Reply::text("Never said.").held(name, HoldAt::Start);
    Script::new()
        .on("GREET", [Reply::text("Good morning.")])
        .on("MAKE one", [Reply::tools([touch("one")]), Reply::text("One is made.")])
        .on("MAKE two", [Reply::tools([touch("two")]), Reply::text("Two is not made.")])
        .on("CHOOSE first", [colour(), Reply::text("First chosen.")])
        .on("CHOOSE second", [colour(), Reply::text("Second chosen.")])
        .on("HOLD", [hold("never")])
}
