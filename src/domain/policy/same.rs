//! When a call is the same as one before: how far an approval for the session reaches.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::FILE_TOOLS;
use super::subject::lexical;

/// The arguments that name a file tool's file.
const FILES: &[&str] = &["file_path", "notebook_path", "path"];

/// Tools that run a shell line.
const SHELLS: &[&str] = &["Bash", "PowerShell"];

/// What a model words anew each time and what changes nothing of a shell line's effect.
const WORDS_OF_A_SHELL: &[&str] = &["description", "timeout"];

/// The most of a call's text that a rule shows, in characters; the whole stands in the ask.
const SHOWN: usize = 200;

/// What must come again for a call to be the same, and how a person reads the rule that allows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sameness {
    /// Equal for calls of the same tool that are the same: of tools for files the file, of shells the line and how it
    /// runs, of others the whole input.
    pub of: Value,
    /// The rule, such as `allow Bash(touch a)`.
    pub rule: String,
}

/// Tells what makes a call of `tool` in `work_dir` the same when it comes again. `real` gives a path with its symbolic
/// links resolved, so that a link that leads elsewhere by then is another file.
#[must_use]
pub fn sameness(tool: &str, input: &Value, work_dir: &Path, real: impl Fn(&Path) -> PathBuf) -> Sameness {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    if FILE_TOOLS.contains(&tool)
        && let Some(path) = FILES.iter().find_map(|name| text(name))
    {
        let path = real(&lexical(&work_dir.join(path))).display().to_string();
        return Sameness { rule: format!("allow {tool} in {path}"), of: json!({ "path": path }) };
    }
    if let ("WebFetch", Some(url)) = (tool, text("url")) {
        return Sameness { rule: format!("allow {tool}({})", cut(url)), of: json!({ "url": url }) };
    }
    if let (true, Some(command)) = (SHELLS.contains(&tool), text("command")) {
        let kept = |(name, _): &(&String, &Value)| !WORDS_OF_A_SHELL.contains(&name.as_str());
        let of: Map<_, _> = input.as_object().into_iter().flatten().filter(kept).map(owned).collect();
        return Sameness { rule: format!("allow {tool}({})", cut(command)), of: sorted(of).into() };
    }
    let of = input.as_object().map_or_else(|| input.clone(), |input| sorted(input.clone()).into());
    Sameness { rule: format!("allow {tool} with the same input"), of }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// The order in which a model names arguments means nothing.
fn sorted(mut input: Map<String, Value>) -> Map<String, Value> {
    input.sort_keys();
    input
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn same(tool: &str, one: &Value, other: &Value) -> bool {
        let of = |input: &Value| {
            sameness(tool, input, Path::new("/work"), |path| match path.strip_prefix("/work/link") {
                Ok(rest) => Path::new("/etc").join(rest),
                Err(_) => path.to_owned(),
            })
        };
        of(one).of == of(other).of
    }

    #[rstest]
    #[case::described_anew("Bash", json!({"command": "ls", "description": "a"}), json!({"description": "b", "command": "ls", "timeout": 5}), true)]
    #[case::longer("Bash", json!({"command": "ls"}), json!({"command": "ls; rm x"}), false)]
    #[case::unsandboxed("Bash", json!({"command": "ls"}), json!({"command": "ls", "dangerouslyDisableSandbox": true}), false)]
    #[case::the_file("Edit", json!({"file_path": "a", "old_string": "x"}), json!({"file_path": "/work/./a", "old_string": "y"}), true)]
    #[case::another_file("Edit", json!({"file_path": "a"}), json!({"file_path": "b"}), false)]
    #[case::the_file_by_a_link("Write", json!({"file_path": "/etc/x"}), json!({"file_path": "link/x"}), true)]
    #[case::page("WebFetch", json!({"url": "https://a", "prompt": "x"}), json!({"url": "https://a", "prompt": "y"}), true)]
    #[case::another_page("WebFetch", json!({"url": "https://a/1"}), json!({"url": "https://a/2"}), false)]
    #[case::order("mcp__x__y", json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), true)]
    #[case::other_input("mcp__x__y", json!({"a": 1, "description": "x"}), json!({"a": 1, "description": "y"}), false)]
    #[case::no_file("Edit", json!({"x": 1}), json!({"x": 2}), false)]
    fn a_call_is_the_same_by_what_it_does(
        #[case] tool: &str,
        #[case] one: Value,
        #[case] other: Value,
        #[case] expected: bool,
    ) {
        assert_eq!(same(tool, &one, &other), expected);
    }

    #[test]
    fn a_rule_is_read_in_a_line() {
        let rule = |tool, input| sameness(tool, &input, Path::new("/work"), Path::to_owned).rule;
        assert_eq!(rule("Bash", json!({"command": "touch a"})), "allow Bash(touch a)");
        assert_eq!(rule("Edit", json!({"file_path": "a"})), "allow Edit in /work/a");
        assert_eq!(rule("mcp__x__y", json!({"a": 1})), "allow mcp__x__y with the same input");
        assert_eq!(rule("Bash", json!({"command": "x".repeat(500)})).chars().count(), 213);
    }
}
