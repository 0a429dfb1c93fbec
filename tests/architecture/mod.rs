//! The layers, checked from the source text. It cannot see through macros.

use std::fs;
use std::path::{Path, PathBuf};

/// From the top; modules on one line are strangers.
const LAYERS: &[&[&str]] = &[
    &["main", "app", "rehearse", "reload", "serve"],
    &["mcp", "http", "cli", "viewers"],
    &["rehearsal"],
    &["ops"],
    &["engine", "access", "channel", "browser"],
    &["holder", "store"],
    &["claude"],
    &["term", "wire", "config", "names"],
    &["domain"],
    &["fault"],
];

/// The longest file, in lines before its tests.
const LONGEST: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `dir`, with its path from the repository's root.
fn files(dir: &str) -> Vec<(PathBuf, String)> {
    let mut open = vec![root().join(dir)];
    let mut found = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// The lines of a file up to its tests, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line)).take_while(|(_, line)| *line != "#[cfg(test)]")
}

fn is_test(path: &Path) -> bool {
    path.components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "testing.rs")))
}

/// Programs of their own beside Aegis: they stand on no layer and have surroundings of their own.
fn is_other_program(path: &Path) -> bool {
    path.starts_with("src/bin")
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The module a file belongs to: `src/engine/wait.rs` and `src/engine.rs` to `engine`.
fn module(path: &Path) -> String {
    let part = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    part.trim_end_matches(".rs").to_owned()
}

#[test]
fn a_module_uses_only_what_stands_below_it() {
    let mut wrong = Vec::new();
    for (path, text) in files("src").into_iter().filter(|(path, _)| !is_test(path) && !is_other_program(path))
    {
        let ours = module(&path);
        if ours == "lib" {
            continue;
        }
        let here =
            layer(&ours).unwrap_or_else(|| panic!("{}: no layer has the module {ours}", path.display()));
        for (number, line) in lines(&text).filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let marks = ["crate::", "aegis::"];
            for mark in marks {
                for (at, _) in line.match_indices(mark) {
                    let used: String = line[at + mark.len()..]
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect();
                    let Some(there) = layer(&used) else { continue };
                    let allowed = used == ours || there > here || (here == 0 && there == 0);
                    if !allowed {
                        wrong.push(format!("{}:{number}: {ours} must not use {used}", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_is_one_thing() {
    let long: Vec<_> = files("src")
        .into_iter()
        .filter(|(path, _)| !is_test(path))
        .filter_map(|(path, text)| {
            let count = lines(&text).count();
            (count > LONGEST).then(|| format!("{}: {count} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines before their tests: {}", long.join(", "));
}

#[test]
fn the_environment_is_read_in_one_place() {
    let allowed = |path: &Path| path == Path::new("src/app.rs") || is_test(path) || is_other_program(path);
    let mut wrong = Vec::new();
    for (path, text) in files("src").into_iter().filter(|(path, _)| !allowed(path)) {
        for (number, line) in lines(&text) {
            if line.contains("env::var") || line.contains("env::vars") || line.contains("env::home_dir") {
                wrong.push(format!("{}:{number}: only src/app.rs reads the environment", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_test_is_forgotten() {
    // The targets of cargo-fuzz are a package of their own.
    let apart =
        |(path, _): &(PathBuf, String)| !path.components().any(|part| part.as_os_str() == "cargo-fuzz");
    let all: Vec<_> = files("tests").into_iter().filter(apart).collect();
    let declared: Vec<(PathBuf, String)> = all
        .iter()
        .flat_map(|(path, text)| {
            let dir = path.parent().unwrap().to_owned();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let base = if matches!(stem, "main" | "mod") { dir } else { dir.join(stem) };
            let names = text.lines().filter_map(|line| {
                let line = line.trim().trim_start_matches("pub ").strip_prefix("mod ")?;
                Some(line.strip_suffix(';')?.to_owned())
            });
            names.map(move |name| (base.clone(), name)).collect::<Vec<_>>()
        })
        .collect();
    let reachable = |path: &Path| {
        path == Path::new("tests/main.rs")
            || declared.iter().any(|(base, name)| {
                path == base.join(format!("{name}.rs")) || path == base.join(name).join("mod.rs")
            })
    };
    let forgotten: Vec<_> = all.iter().map(|(path, _)| path).filter(|path| !reachable(path)).collect();
    assert!(forgotten.is_empty(), "not reachable from tests/main.rs: {forgotten:?}");
}

#[test]
fn each_dependency_says_why_it_is_there() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lines: Vec<_> = manifest.lines().collect();
    let start = lines.iter().position(|line| *line == "[dependencies]").unwrap();
    let end = lines.iter().position(|line| *line == "[profile.dev]").unwrap();
    let mut wrong = Vec::new();
    for at in start + 1..end {
        let named = lines[at].split_once(" = ").is_some_and(|(name, _)| !name.starts_with(['#', ' ', '[']));
        let reason =
            lines[..at].iter().rev().take_while(|line| !line.is_empty()).any(|line| line.starts_with('#'));
        if named && !reason {
            wrong.push(lines[at]);
        }
    }
    assert!(wrong.is_empty(), "without a reason in Cargo.toml: {wrong:?}");
}
