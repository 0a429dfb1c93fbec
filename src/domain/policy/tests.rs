use std::path::PathBuf;

use rstest::rstest;
use serde_json::json;

use super::*;

fn rule(json: Value) -> PolicyRule {
    serde_json::from_value(json).unwrap()
}

/// The real path as it would be if `/work/link` led to `/etc`.
fn real(path: &Path) -> PathBuf {
    match path.strip_prefix("/work/link") {
        Ok(rest) => Path::new("/etc").join(rest),
        Err(_) => path.to_owned(),
    }
}

fn decide(rules: &[Value], tool: &str, input: &Value) -> Option<Decision> {
    let policy = Policy { rules: rules.iter().cloned().map(rule).collect() };
    policy.decide(tool, input, Path::new("/work"), real).map(|verdict| verdict.decision)
}

#[rstest]
#[case::plain("git status", true)]
#[case::each("git add . && git commit -m x", true)]
#[case::another("git status; rm -rf /", false)]
#[case::piped("git log | sh", false)]
#[case::substituted("git log $(rm x)", false)]
#[case::redirected("git log > /etc/passwd", false)]
#[case::next_line("git log\nrm x", false)]
#[case::background("git log & rm x", false)]
#[case::assigned("GIT_SSH_COMMAND=evil git fetch", false)]
#[case::beginning("gitx status", false)]
#[case::empty("", false)]
fn allow_covers_every_command(#[case] command: &str, #[case] allowed: bool) {
    let rules = [json!({"tool": "Bash", "pattern": "git *", "decision": "allow"})];
    let decided = decide(&rules, "Bash", &json!({"command": command}));
    assert_eq!(decided, allowed.then_some(Decision::Allow));
}

#[rstest]
#[case("rm -rf x", true)]
#[case("ls && rm x", true)]
#[case("ls; sudo rm x", false)]
#[case("echo rm", false)]
fn deny_needs_only_one(#[case] command: &str, #[case] denied: bool) {
    let rules = [json!({"tool": "Bash", "pattern": "rm *", "decision": "deny"})];
    assert_eq!(decide(&rules, "Bash", &json!({"command": command})), denied.then_some(Decision::Deny));
}

#[rstest]
#[case::inside("src/a.rs", true)]
#[case::absolute("/work/src/a.rs", true)]
#[case::the_directory("src", true)]
#[case::climbing("src/../../etc/passwd", false)]
#[case::beside("srcs/a.rs", false)]
#[case::by_link("link/passwd", false)]
fn allow_covers_every_path(#[case] path: &str, #[case] allowed: bool) {
    let rules = [json!({"tool": "Edit", "paths": ["src"], "decision": "allow"})];
    let decided = decide(&rules, "Edit", &json!({"file_path": path}));
    assert_eq!(decided, allowed.then_some(Decision::Allow));
}

#[test]
fn a_call_whose_paths_cannot_be_told_is_not_allowed_by_paths() {
    let rules = [json!({"tool": "*", "paths": ["."], "decision": "allow"})];
    assert_eq!(decide(&rules, "Bash", &json!({"command": "cat /etc/passwd"})), None);
    assert_eq!(decide(&rules, "mcp__x__y", &json!({"anything": "/etc"})), None);
    assert_eq!(decide(&rules, "Glob", &json!({"pattern": "../**"})), None);
    assert_eq!(decide(&rules, "Grep", &json!({"pattern": "x"})), Some(Decision::Allow));
}

#[test]
fn only_readers_are_read_only() {
    let rules = [json!({"tool": "*", "readOnly": true, "decision": "allow"})];
    for (tool, allowed) in
        [("Read", true), ("Grep", true), ("Bash", false), ("Edit", false), ("mcp__x__read", false)]
    {
        assert_eq!(decide(&rules, tool, &json!({})).is_some(), allowed, "{tool}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = [
        json!({"tool": "Bash", "pattern": "git push*", "decision": "ask"}),
        json!({"tool": "Bash", "pattern": "git *", "decision": "allow"}),
        json!({"tool": "*", "decision": "deny"}),
    ];
    assert_eq!(decide(&rules, "Bash", &json!({"command": "git status"})), Some(Decision::Allow));
    assert_eq!(decide(&rules, "Bash", &json!({"command": "git status && git push"})), Some(Decision::Ask));
    assert_eq!(decide(&rules, "WebFetch", &json!({"url": "https://x"})), Some(Decision::Deny));
    let policy = Policy { rules: rules.iter().cloned().map(rule).collect() };
    let verdict = policy.decide("Bash", &json!({"command": "git push"}), Path::new("/work"), real).unwrap();
    assert_eq!(verdict.rule, "rule 1: ask Bash(git push*)");
}

#[test]
fn nothing_decides_without_a_rule() {
    assert_eq!(decide(&[], "Read", &json!({"file_path": "x"})), None);
}

#[rstest]
#[case(&[json!({"tool": "Bash", "decision": "allow"})], None)]
#[case(&[json!({"tool": "Bash", "decision": "deny"}), json!({"tool": "Edit", "decision": "ask"})], Some("Bash|Edit"))]
#[case(&[json!({"tool": "mcp__*", "decision": "deny"})], Some("*"))]
fn what_must_be_guarded(#[case] rules: &[Value], #[case] matcher: Option<&str>) {
    let policy = Policy { rules: rules.iter().cloned().map(rule).collect() };
    assert_eq!(policy.guarded().as_deref(), matcher);
}

#[rstest]
#[case("Bash(git *)", "allow Bash(git *)")]
#[case("WebFetch", "allow WebFetch")]
#[case("Bash(echo (x))", "allow Bash(echo (x))")]
fn a_rule_reads_as_one_word(#[case] text: &str, #[case] shown: &str) {
    assert_eq!(PolicyRule::read(text, Decision::Allow).to_string(), shown);
}

#[rstest]
#[case(json!({"tool": "", "decision": "allow"}))]
#[case(json!({"tool": "Bash", "pattern": "a\nb", "decision": "allow"}))]
#[case(json!({"tool": "Edit", "paths": [], "decision": "allow"}))]
#[case(json!({"tool": "Edit", "pattern": "src/*", "decision": "allow"}))]
#[case(json!({"tool": "x".repeat(LONGEST_TEXT + 1), "decision": "allow"}))]
fn a_rule_that_nobody_means_is_refused(#[case] json: Value) {
    assert!(rule(json).check().is_err());
}
