//! What a rule is held against: a tool call, taken apart.

use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::{Decision, PolicyRule, glob, shell};

/// Claude Code's tools that change nothing (2.1.330).
const READ_ONLY: &[&str] = &[
    "Read",
    "Glob",
    "Grep",
    "LS",
    "NotebookRead",
    "BashOutput",
    "TaskOutput",
    "TaskGet",
    "TaskList",
    "ToolSearch",
];

/// Tools that look through the working directory unless they are told where.
const IN_WORK_DIR: &[&str] = &["Glob", "Grep", "LS"];

/// The arguments that name a path.
const PATHS: &[&str] = &["file_path", "notebook_path", "path", "target", "directory"];

/// The arguments that a pattern is held against, the first that is there. No paths: those may lead elsewhere than they
/// look, and have rules of their own.
const MAIN: &[&str] = &["command", "url", "query", "pattern", "skill", "subagent_type"];

/// A tool call, taken apart.
pub(super) struct Subject<'a> {
    tool: &'a str,
    work_dir: &'a Path,
    /// A shell's line; only shells have one.
    line: Option<(&'a str, shell::Line)>,
    main: Option<String>,
    /// The real paths that the call names.
    paths: Vec<PathBuf>,
    /// Whether these are all that it can reach.
    all_paths: bool,
    real: Box<dyn Fn(&Path) -> PathBuf + 'a>,
}

impl<'a> Subject<'a> {
    pub(super) fn of(
        tool: &'a str,
        input: &'a Value,
        work_dir: &'a Path,
        real: impl Fn(&Path) -> PathBuf + 'a,
    ) -> Self {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        let line = text("command").map(|command| (command, shell::line(command)));
        let several =
            input.get("paths").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut paths: Vec<PathBuf> = PATHS
            .iter()
            .filter_map(|name| text(name))
            .chain(several)
            .map(|path| real(&lexical(&work_dir.join(path))))
            .collect();
        if paths.is_empty() && IN_WORK_DIR.contains(&tool) {
            paths.push(real(work_dir));
        }
        // Glob's own pattern may lead elsewhere.
        let strays = tool == "Glob"
            && text("pattern").is_some_and(|it| it.starts_with(['/', '~']) || it.contains(".."));
        Self {
            tool,
            work_dir,
            all_paths: !paths.is_empty() && line.is_none() && !strays,
            line,
            main: MAIN.iter().find_map(|name| text(name)).map(str::to_owned),
            paths,
            real: Box::new(real),
        }
    }

    /// Whether the rule is about this call.
    pub(super) fn matches(&self, rule: &PolicyRule) -> bool {
        glob::matches(&rule.tool, self.tool)
            && rule.read_only.is_none_or(|only| only == READ_ONLY.contains(&self.tool))
            && rule.pattern.as_ref().is_none_or(|pattern| self.fits(pattern, rule.decision))
            && rule.paths.as_ref().is_none_or(|paths| self.lies_in(paths, rule.decision))
    }

    fn fits(&self, pattern: &str, decision: Decision) -> bool {
        let one = |text: &str| glob::matches(pattern, text);
        match (&self.line, decision) {
            (Some((_, line)), Decision::Allow) => {
                line.plain && !line.commands.is_empty() && line.commands.iter().all(|command| one(command))
            }
            (Some((whole, line)), Decision::Deny | Decision::Ask) => {
                one(whole) || line.commands.iter().any(|command| one(command))
            }
            (None, _) => self.main.as_deref().is_some_and(one),
        }
    }

    fn lies_in(&self, places: &[String], decision: Decision) -> bool {
        let places: Vec<PathBuf> =
            places.iter().map(|place| (self.real)(&lexical(&self.work_dir.join(place)))).collect();
        let inside = |path: &PathBuf| places.iter().any(|place| path.starts_with(place));
        match decision {
            Decision::Allow => self.all_paths && self.paths.iter().all(inside),
            Decision::Deny | Decision::Ask => self.paths.iter().any(inside),
        }
    }
}

/// The path without `.` and `..`.
pub(super) fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(clean.pop()),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(component),
        }
    }
    clean
}
