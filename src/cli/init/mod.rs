//! `aegis init`: the entry that makes a host start Aegis, shown or written.
//!
//! Written is only what the host reads as its own file of servers, after asking; whatever else stands in it stays as it
//! is, to the letter. `~/.claude.json` belongs to Claude Code: for that the command is shown that lets it add the entry.

mod file;
mod splice;

use std::ffi::OsString;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use super::args::Format;
use super::out::Out;
use super::{Exit, ToolSet, text};
use crate::domain::{ErrorCode, OpError};
use file::File;

/// The name under which hosts know the server.
const NAME: &str = "aegis";

/// What to set up.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// Which host to set up
    #[arg(long, value_enum, default_value_t)]
    pub host: Host,
    /// For this project or for all of yours; by default the project, where the host knows projects
    #[arg(long, value_enum)]
    pub scope: Option<Scope>,
    /// Write the entry into the host's file, after asking
    #[arg(long)]
    pub write: bool,
    /// Do not ask
    #[arg(long, requires = "write")]
    pub yes: bool,
    /// Which tools the server is to offer
    #[arg(long, value_enum, value_name = "SET")]
    pub tools: Option<ToolSet>,
    /// Put what sessions ask to the host's own user
    #[arg(long)]
    pub elicit: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// A program that starts MCP servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Host {
    /// Claude Code
    #[default]
    ClaudeCode,
    /// Cursor
    Cursor,
    /// Windsurf
    Windsurf,
}

/// For whom an entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everyone who works in this directory
    Project,
    /// You, in every directory
    User,
}

/// Where the command runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// The working directory.
    pub cwd: PathBuf,
    /// The user's home directory, if there is one.
    pub home: Option<PathBuf>,
    /// The `aegis` program itself.
    pub program: PathBuf,
    /// `PATH`.
    pub search_path: Option<OsString>,
}

/// What came of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Setup {
    host: Host,
    scope: Scope,
    /// The entry, under its name.
    entry: Value,
    /// The host's file; none where the host itself must write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// The command that lets the host write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// Whether the file holds the entry now.
    present: bool,
    /// Whether it was written just now.
    written: bool,
}

/// Shows or writes the entry.
pub fn init(args: InitArgs, place: &Place) -> ExitCode {
    let out = Out { json: args.format.json };
    match run(out, args, place) {
        Ok(exit) => exit.into(),
        Err(error) => {
            out.error(&error);
            Exit::Failed.into()
        }
    }
}

fn run(out: Out, args: InitArgs, place: &Place) -> Result<Exit, OpError> {
    let scope = args.scope.unwrap_or(match args.host {
        Host::ClaudeCode | Host::Cursor => Scope::Project,
        Host::Windsurf => Scope::User,
    });
    let entry = entry(args.host, arguments(&args), place)?;
    let path = path(args.host, scope, place)?;
    let command = path.is_none().then(|| add_command(&entry));
    let known = path.as_deref().map(File::read).transpose()?;
    let present = known.as_ref().is_some_and(|file| file.entry() == Some(&entry));
    let mut setup = Setup { host: args.host, scope, entry, file: path, command, present, written: false };
    if args.write {
        let Some(file) = known else {
            let command = setup.command.unwrap_or_default();
            return Err(OpError::new(
                ErrorCode::InvalidArgument,
                "~/.claude.json is Claude Code's own file, which Aegis does not write",
            )
            .hint(format!("run `{command}`, or leave --scope user out for this project's .mcp.json")));
        };
        if !setup.present {
            if !args.yes && !agreed(out, &file, &setup.entry)? {
                out.note("nothing was written");
                return Ok(Exit::Done);
            }
            file.write(&setup.entry)?;
            (setup.present, setup.written) = (true, true);
        }
    }
    out.give(&setup, render)?;
    Ok(Exit::Done)
}

/// Shows what would be written, and asks.
fn agreed(out: Out, file: &File, entry: &Value) -> Result<bool, OpError> {
    if !out.has_person() {
        return Err(OpError::new(ErrorCode::InvalidArgument, "nobody can be asked: stdin is no terminal")
            .hint("pass --yes to write without asking, or leave --write out to see the entry"));
    }
    let shown = |value: &Value| text::strict(&format!("{value:#}"));
    let path = file.path().display();
    let question = match file.entry() {
        Some(known) => {
            out.note(&format!("{path} has another entry `{NAME}`:\n{}", shown(known)));
            out.note(&format!("It would become:\n{}", shown(entry)));
            "Replace it? [y/N] "
        }
        None => {
            out.note(&format!("{path} would get the entry `{NAME}`:\n{}", shown(entry)));
            "Write it? [y/N] "
        }
    };
    out.ask(question);
    let mut said = String::new();
    let read = std::io::stdin().lock().read_line(&mut said);
    Ok(read.is_ok() && matches!(said.trim(), "y" | "Y" | "yes"))
}

/// What the server is to be started with.
fn arguments(args: &InitArgs) -> Vec<&'static str> {
    let mut words = Vec::new();
    if args.tools == Some(ToolSet::Core) {
        words.extend(["--tools", "core"]);
    }
    if args.elicit {
        words.push("--elicit");
    }
    words
}

/// What the host is to start.
fn entry(host: Host, args: Vec<&str>, place: &Place) -> Result<Value, OpError> {
    let not_text = || {
        OpError::new(
            ErrorCode::InvalidArgument,
            "the path of this program is not UTF-8, which JSON cannot hold",
        )
        .hint("install aegis in a directory with a plain name")
    };
    let command = match by_name(place) {
        // A name works on every machine that shares the file.
        true => NAME,
        false => place.program.to_str().ok_or_else(not_text)?,
    };
    Ok(match host {
        Host::ClaudeCode => json!({"type": "stdio", "command": command, "args": args}),
        Host::Cursor | Host::Windsurf => json!({"command": command, "args": args}),
    })
}

/// Whether `aegis`, looked up in `PATH`, is this program.
fn by_name(place: &Place) -> bool {
    let Ok(ours) = place.program.canonicalize() else { return false };
    let path = place.search_path.as_deref().unwrap_or_default();
    let first = std::env::split_paths(path).map(|dir| dir.join(NAME)).find(|program| program.is_file());
    first.and_then(|program| program.canonicalize().ok()) == Some(ours)
}

/// The host's file; none where only the host itself writes it.
fn path(host: Host, scope: Scope, place: &Place) -> Result<Option<PathBuf>, OpError> {
    let home = || {
        place.home.as_deref().ok_or_else(|| {
            OpError::new(ErrorCode::InvalidArgument, "there is no home directory").hint("set HOME")
        })
    };
    let below = |dir: &Path, file: &str| Ok(Some(dir.join(file)));
    match (host, scope) {
        (Host::ClaudeCode, Scope::Project) => below(&place.cwd, ".mcp.json"),
        (Host::ClaudeCode, Scope::User) => Ok(None),
        (Host::Cursor, Scope::Project) => below(&place.cwd, ".cursor/mcp.json"),
        (Host::Cursor, Scope::User) => below(home()?, ".cursor/mcp.json"),
        (Host::Windsurf, Scope::User) => below(home()?, ".codeium/windsurf/mcp_config.json"),
        (Host::Windsurf, Scope::Project) => {
            Err(OpError::new(ErrorCode::InvalidArgument, "Windsurf has one file for all projects")
                .hint("leave --scope project out"))
        }
    }
}

/// The command by which Claude Code adds the entry itself.
fn add_command(entry: &Value) -> String {
    let word = |value: &Value| quoted(value.as_str().unwrap_or_default());
    let mut words = vec![format!("claude mcp add --scope user {NAME} --"), word(&entry["command"])];
    words.extend(entry["args"].as_array().into_iter().flatten().map(word));
    words.join(" ")
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn render(setup: &Setup) -> String {
    let servers = format!("{:#}", json!({"mcpServers": {NAME: setup.entry}}));
    match (&setup.file, &setup.command) {
        (_, Some(command)) => command.clone(),
        (Some(file), None) if setup.written => format!("written to {}", file.display()),
        (Some(file), None) if setup.present => format!("{} has this entry already", file.display()),
        (Some(file), None) => {
            format!("{servers}\n\nThis belongs into {}; with --write it is put there.", file.display())
        }
        (None, None) => servers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(program: &str) -> Place {
        Place {
            cwd: "/work".into(),
            home: Some("/home/ada".into()),
            program: program.into(),
            search_path: None,
        }
    }

    #[test]
    fn each_host_has_its_file() {
        let place = place("/opt/aegis");
        let of =
            |host, scope| path(host, scope, &place).map(|path| path.map(|path| path.display().to_string()));
        assert_eq!(of(Host::ClaudeCode, Scope::Project).unwrap().unwrap(), "/work/.mcp.json");
        assert_eq!(of(Host::ClaudeCode, Scope::User).unwrap(), None);
        assert_eq!(of(Host::Cursor, Scope::Project).unwrap().unwrap(), "/work/.cursor/mcp.json");
        assert_eq!(of(Host::Cursor, Scope::User).unwrap().unwrap(), "/home/ada/.cursor/mcp.json");
        let windsurf = of(Host::Windsurf, Scope::User).unwrap().unwrap();
        assert_eq!(windsurf, "/home/ada/.codeium/windsurf/mcp_config.json");
        assert!(of(Host::Windsurf, Scope::Project).is_err());
    }

    #[test]
    fn the_command_for_claude_code_can_be_pasted() {
        let entry = entry(Host::ClaudeCode, vec!["--tools", "core"], &place("/opt/my tools/aegis")).unwrap();
        assert_eq!(
            add_command(&entry),
            "claude mcp add --scope user aegis -- '/opt/my tools/aegis' --tools core"
        );
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
