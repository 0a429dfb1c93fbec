//! The two things asked of npm: which version is the latest, and to put one into a directory.
//!
//! npm reads its configuration as always (a registry may be set there); its cache and logs go into the data
//! directory. The package's own scripts do not run, except the one that puts the program in its place.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{Claude, InstallFault, PACKAGE, io_fault, is_exact, on_path, package};

/// How much of an error is passed on; a screen has room for it.
const TAIL: usize = 600;

/// What npm prints when the registry is out of reach.
const NETWORK: [&str; 8] = [
    "ENOTFOUND",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EAI_AGAIN",
    "ENETUNREACH",
    "EHOSTUNREACH",
    "ERR_SOCKET_TIMEOUT",
];

/// Asks which version `latest` is.
pub(super) fn latest(data: &Path, search_path: &OsStr) -> Result<String, InstallFault> {
    fs::create_dir_all(data).map_err(io_fault(data))?;
    let package = format!("{PACKAGE}@latest");
    let output = run(npm(data, search_path)?.current_dir(data).args(["view", &package, "version"]))?;
    judge(&output, "latest", data)?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if is_exact(&said) { Ok(said) } else { Err(InstallFault::NoSuchVersion { version: "latest".to_owned() }) }
}

/// Installs a version into `staging`, with its native program in place.
pub(super) fn install(
    version: &str,
    data: &Path,
    staging: &Path,
    search_path: &OsStr,
) -> Result<(), InstallFault> {
    let remedy = "install Node.js, or put it on the PATH";
    let node = on_path(search_path, "node").ok_or(InstallFault::Missing { program: "node", remedy })?;
    let manifest = staging.join("package.json");
    // Without one, npm would take the nearest directory above that has one.
    fs::write(&manifest, "{ \"private\": true }\n").map_err(io_fault(&manifest))?;
    let package_version = format!("{PACKAGE}@{version}");
    let output = run(npm(data, search_path)?
        .current_dir(staging)
        .arg("install")
        .arg("--prefix")
        .arg(staging)
        .args([
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-save",
            "--no-package-lock",
            "--fetch-retries=1",
            "--fetch-timeout=60000",
        ])
        // The program is an optional dependency; a newer Node.js than ours is only needed by the wrapper.
        .args(["--global=false", "--include=optional", "--engine-strict=false"])
        .arg(&package_version))?;
    judge(&output, version, data)?;
    let package = package(staging);
    let setup = run(Command::new(node).arg("install.cjs").current_dir(&package).env("PATH", search_path))?;
    if setup.status.success() {
        return Ok(());
    }
    Err(InstallFault::Failed { step: "node install.cjs", said: tail(&setup.stderr) })
}

/// The end of what a program printed.
pub(super) fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    let characters = text.chars().count();
    text.chars().skip(characters.saturating_sub(TAIL)).collect()
}

/// What npm complains of, without its prefix, stack traces and the name of its log.
fn gist(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = text.lines().filter_map(|line| line.strip_prefix("npm error "));
    let telling = lines.filter(|line| !line.starts_with([' ', '}']) && !line.starts_with("A complete log"));
    let said: String = telling.collect::<Vec<_>>().join("; ").chars().take(TAIL).collect();
    if said.is_empty() { tail(stderr) } else { said }
}

fn npm(data: &Path, search_path: &OsStr) -> Result<Command, InstallFault> {
    let remedy = "install Node.js with npm, or install Claude Code and use that";
    let npm = on_path(search_path, "npm").ok_or(InstallFault::Missing { program: "npm", remedy })?;
    let mut command = Command::new(npm);
    command.arg("--cache").arg(data.join("npm-cache"));
    command.args(["--loglevel=error", "--update-notifier=false", "--yes"]);
    command.env("PATH", search_path);
    Ok(command)
}

fn run(command: &mut Command) -> Result<Output, InstallFault> {
    let program = Path::new(command.get_program()).to_owned();
    command.stdin(Stdio::null()).output().map_err(io_fault(&program))
}

fn judge(output: &Output, version: &str, data: &Path) -> Result<(), InstallFault> {
    if output.status.success() {
        return Ok(());
    }
    let said = gist(&output.stderr);
    if ["ETARGET", "E404"].iter().any(|code| said.contains(code)) {
        return Err(InstallFault::NoSuchVersion { version: version.to_owned() });
    }
    if NETWORK.iter().any(|code| said.contains(code)) {
        let here = Claude::installed(data).into_iter().map(|claude| claude.version).collect();
        return Err(InstallFault::Unreachable { said, here });
    }
    Err(InstallFault::Failed { step: "npm", said })
}
