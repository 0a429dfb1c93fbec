//! The command line as a whole.

use std::collections::BTreeSet;

use clap::CommandFactory;

use super::*;
use crate::domain::{StatusWord, WhenBusy};
use crate::ops::{Door, OPS};

/// Verbs that combine operations, and roles.
const OTHERS: [&str; 9] = ["config", "init", "run", "answer", "doctor", "mcp", "rehearse", "holder", "hook"];

/// Every verb that does something, with the words to type: a group's own word only stands before others.
fn commands() -> Vec<(String, clap::Command)> {
    let cli = Cli::command();
    let each = cli.get_subcommands().flat_map(|verb| {
        let name = verb.get_name().to_owned();
        if verb.has_subcommands() {
            let inner = |one: &clap::Command| (format!("{name} {}", one.get_name()), one.clone());
            verb.get_subcommands().map(inner).collect()
        } else {
            vec![(name, verb.clone())]
        }
    });
    each.collect()
}

fn verbs() -> BTreeSet<String> {
    commands().into_iter().map(|(name, _)| name).collect()
}

fn parsed(line: &[&str]) -> Cli {
    Cli::try_parse_from(std::iter::once(&"aegis").chain(line)).unwrap()
}

fn refused(line: &[&str]) -> bool {
    Cli::try_parse_from(std::iter::once(&"aegis").chain(line)).is_err_and(|error| error.exit_code() == 2)
}

#[test]
fn the_parser_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_operation_has_its_verb_and_every_verb_its_operation() {
    let operations: BTreeSet<String> = OPS
        .iter()
        .filter(|op| op.doors.contains(&Door::Cli))
        .map(|op| op.verb.expect("an operation of the command line has a verb").to_owned())
        .collect();
    let verbs: BTreeSet<String> =
        verbs().into_iter().filter(|verb| !OTHERS.contains(&verb.as_str())).collect();
    assert_eq!(verbs, operations);
}

#[test]
fn every_verb_answers_with_json_and_explains_itself() {
    for (name, verb) in commands().into_iter().filter(|(_, verb)| !verb.is_hide_set()) {
        assert!(verb.get_about().is_some(), "{name}");
        let json = verb.get_arguments().any(|argument| argument.get_id() == "json");
        assert!(json || name == "mcp", "{name} has no --json");
        for argument in verb.get_arguments() {
            assert!(argument.get_help().is_some(), "{name}: {} has no help", argument.get_id());
        }
    }
}

#[test]
fn help_shows_the_exit_codes_and_hides_the_roles() {
    let help = Cli::command().render_long_help().to_string();
    assert!(help.contains("Exit codes:") && help.contains("doctor"), "{help}");
    assert!(!help.contains("holder") && !help.contains("hook"), "{help}");
}

#[test]
fn no_arguments_mean_the_server() {
    assert!(parsed(&[]).command.is_none());
    assert_eq!(parsed(&["--tools", "core"]).mcp.tools, Some(ToolSet::Core));
    let Some(Command::Mcp(mcp)) = parsed(&["mcp", "--tools", "full"]).command else { panic!("not mcp") };
    assert_eq!(mcp.tools, Some(ToolSet::Full));
    assert!(refused(&["--tools", "some"]));
}

#[test]
fn the_configuration_may_stand_before_or_after_the_verb() {
    for line in [["--config", "a.toml", "list"], ["list", "--config", "a.toml"]] {
        assert_eq!(parsed(&line).config, Some("a.toml".into()));
    }
}

#[test]
fn a_run_is_parsed() {
    let line =
        ["run", "fix it", "--dir", "/w", "--timeout", "10m", "--env", "A=1", "-e", "B=2", "--kill", "--json"];
    let Some(Command::Run(run)) = parsed(&line).command else { panic!("not run") };
    assert_eq!(run.timeout, Some(std::time::Duration::from_secs(600)));
    assert_eq!(run.settings.env, [("A".into(), "1".into()), ("B".into(), "2".into())]);
    assert!(run.kill && run.format.json && !run.reuse);
    assert!(refused(&["run", "x", "--keep", "--kill"]));
    assert!(refused(&["run", "x", "--timeout", "soon"]));
    assert!(refused(&["run", "x", "--permission-mode", "yolo"]));
}

#[test]
fn a_pipeline_is_made_of_steps_or_read_from_a_file() {
    let Some(Command::Pipeline(PipelineCommand::Create(create))) =
        parsed(&["pipeline", "create", "-s", "plan", "--step", "do", "--wait"]).command
    else {
        panic!("not create")
    };
    assert_eq!((create.steps, create.wait), (vec!["plan".to_owned(), "do".to_owned()], true));
    assert!(refused(&["pipeline", "create"]));
    assert!(refused(&["pipeline", "create", "file.json", "--step", "x"]));
    assert!(refused(&["pipeline", "list", "--status", "done"]));
    assert!(refused(&["pipeline"]));
}

#[test]
fn values_are_held_to_the_words_of_the_domain() {
    let Some(Command::Wait(wait)) = parsed(&["wait", "a", "b", "--until", "idle,ended"]).command else {
        panic!("not wait")
    };
    assert_eq!(wait.sessions, ["a", "b"]);
    assert_eq!(wait.until, Some(vec![StatusWord::Idle, StatusWord::Ended]));
    let Some(Command::Send(send)) = parsed(&["send", "a", "-", "--when-busy", "refuse"]).command else {
        panic!("not send")
    };
    assert_eq!((send.text.as_str(), send.when_busy), ("-", Some(WhenBusy::Refuse)));
    assert!(refused(&["list", "--status", "busy"]));
    assert!(refused(&["list", "--all", "--status", "idle"]));
    assert!(refused(&["answer", "a"]));
    assert!(refused(&["read", "a", "--before", "1", "--after", "2"]));
    assert!(refused(&["attach", "a", "--detach-key", "x"]));
}
