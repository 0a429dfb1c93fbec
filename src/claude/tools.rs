//! What Claude Code's own tools do, told from their inputs (2.1.197, 2.1.330).

use serde_json::Value;

/// What a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed<'a> {
    /// It changes this file.
    Write(&'a str),
    /// It reads this file.
    Read(&'a str),
    /// It runs this shell command.
    Run(&'a str),
}

/// Tells what a tool call with this input is about; `None` for all that touches no file and runs no command.
#[must_use]
pub fn deed<'a>(tool: &str, input: &'a Value) -> Option<Deed<'a>> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    match tool {
        "Edit" | "MultiEdit" | "Write" => text("file_path").map(Deed::Write),
        "NotebookEdit" => text("notebook_path").map(Deed::Write),
        "Read" => text("file_path").map(Deed::Read),
        "Bash" => text("command").map(Deed::Run),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("Edit", json!({"file_path": "/a", "old_string": "x"}), Some(Deed::Write("/a")))]
    #[case("NotebookEdit", json!({"notebook_path": "/n"}), Some(Deed::Write("/n")))]
    #[case("Read", json!({"file_path": "/a"}), Some(Deed::Read("/a")))]
    #[case("Bash", json!({"command": "ls"}), Some(Deed::Run("ls")))]
    #[case("Bash", json!({"command": 7}), None)]
    #[case("Write", json!(null), None)]
    #[case("WebFetch", json!({"url": "u"}), None)]
    fn a_call_is_told(#[case] tool: &str, #[case] input: Value, #[case] expected: Option<Deed<'_>>) {
        assert_eq!(deed(tool, &input), expected);
    }
}
