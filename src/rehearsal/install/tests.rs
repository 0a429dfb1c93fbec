//! Installing, with an npm and a node that are scripts of ours.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rstest::rstest;

use super::{Claude, InstallFault, is_exact, order};

const NPM: &str = r#"
echo "$*" >> "$(dirname "$0")/calls"
case "$*" in
  *view*) echo 9.9.9; exit 0;;
  *1.1.1*) echo "npm error code ETARGET" >&2; exit 1;;
  *2.2.2*) echo "npm error code ENOTFOUND" >&2; exit 1;;
esac
version=${*##*@}
package="$PWD/node_modules/@anthropic-ai/claude-code"
mkdir -p "$package/bin"
printf '{"name":"@anthropic-ai/claude-code","version":"%s","bin":{"claude":"bin/claude.exe"}}' "$version" \
  > "$package/package.json"
"#;

/// Stands for `node install.cjs`: puts the program in its place.
const NODE: &str = r#"
version=$(sed 's/.*"version":"\([^"]*\)".*/\1/' package.json)
printf '#!/bin/sh\necho "%s (Claude Code)"\n' "$version" > bin/claude.exe
chmod +x bin/claude.exe
"#;

fn program(directory: &Path, name: &str, body: &str) {
    fs::create_dir_all(directory).unwrap();
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A PATH with our npm and node before the system's shell tools.
fn search_path(tools: &Path) -> OsString {
    program(tools, "npm", NPM);
    program(tools, "node", NODE);
    let directories = [tools, Path::new("/usr/bin"), Path::new("/bin")];
    std::env::join_paths(directories).unwrap()
}

fn calls(tools: &Path) -> usize {
    fs::read_to_string(tools.join("calls")).unwrap_or_default().lines().count()
}

#[test]
fn a_version_is_installed_once_by_two_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let (tools, data) = (scratch.path().join("tools"), scratch.path().join("data"));
    let path = search_path(&tools);
    let install = || Claude::install("3.2.1", &data, &path).unwrap();
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(install);
        (install(), other.join().unwrap())
    });
    assert_eq!(first, second);
    assert_eq!(first.version, "3.2.1");
    assert!(first.executable.starts_with(data.join("claude/3.2.1")));
    assert_eq!(calls(&tools), 1);
    assert_eq!(install(), first);
    assert_eq!(calls(&tools), 1);
    assert_eq!(Claude::installed(&data), std::slice::from_ref(&first));
    let line = fs::read_to_string(tools.join("calls")).unwrap();
    assert!(line.contains(&format!("--cache {}", data.join("npm-cache").display())), "{line}");
    let bin = scratch.path().join("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(&first.executable, bin.join("claude")).unwrap();
    let found = Claude::find(Path::new("claude"), bin.as_os_str()).unwrap();
    assert_eq!(found, Claude::find(&bin.join("claude"), OsStr::new("")).unwrap());
    assert_eq!((found.version.as_str(), found.executable), ("3.2.1", bin.join("claude")));
}

#[test]
fn latest_is_resolved_and_a_broken_installation_replaced() {
    let scratch = tempfile::tempdir().unwrap();
    let (tools, data) = (scratch.path().join("tools"), scratch.path().join("data"));
    let path = search_path(&tools);
    fs::create_dir_all(data.join("claude/9.9.9/node_modules")).unwrap();
    let claude = Claude::install("latest", &data, &path).unwrap();
    assert_eq!(claude.version, "9.9.9");
    let leftovers = fs::read_dir(data.join("claude")).unwrap().flatten();
    let leftovers = leftovers.filter(|entry| entry.file_name().to_string_lossy().starts_with(".installing"));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn failures_say_what_to_do() {
    let scratch = tempfile::tempdir().unwrap();
    let (tools, data) = (scratch.path().join("tools"), scratch.path().join("data"));
    let path = search_path(&tools);
    let fault = |version: &str| Claude::install(version, &data, &path).unwrap_err();
    assert!(matches!(fault("1.1.1"), InstallFault::NoSuchVersion { .. }));
    assert!(matches!(fault("2.2.2"), InstallFault::Unreachable { .. }));
    assert!(matches!(fault("../../etc"), InstallFault::BadVersion { .. }));
    let nothing = scratch.path().as_os_str();
    let missing = Claude::install("3.2.1", &data, nothing).unwrap_err();
    assert!(missing.to_string().starts_with("no node on the PATH; install"), "{missing}");
    assert!(matches!(
        Claude::find(Path::new("claude"), nothing),
        Err(InstallFault::Missing { program: "claude", .. })
    ));
}

#[rstest]
#[case("2.1.197", true)]
#[case("2.1.0-beta.1", true)]
#[case("2.1", false)]
#[case("2.1.x", false)]
#[case("2.1.1-/..", false)]
#[case("--global", false)]
fn only_exact_versions_pass(#[case] version: &str, #[case] expected: bool) {
    assert_eq!(is_exact(version), expected);
}

#[test]
fn versions_are_in_order_by_their_numbers() {
    assert!(order("2.1.330") > order("2.1.197"));
    assert!(order("2.1.1000") > order("2.1.330"));
}
