//! The program itself: found on a PATH, or fetched with npm into a directory of ours.
//!
//! Everything here blocks, for minutes when something is fetched; an async caller uses `spawn_blocking`.
//! Nothing is written outside the data directory, and no running installation is touched.

mod npm;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The npm package that holds the program.
const PACKAGE: &str = "@anthropic-ai/claude-code";

/// An installed Claude Code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claude {
    /// The file to execute.
    pub executable: PathBuf,
    /// Its version, such as `2.1.197`.
    pub version: String,
}

/// Why there is no program; each sentence ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum InstallFault {
    /// A program is not on the PATH.
    #[error("no {program} on the PATH; {remedy}")]
    Missing {
        /// Which program.
        program: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The version is neither exact nor `latest`.
    #[error("{version:?} is not a version; give an exact one such as 2.1.197, or latest")]
    BadVersion {
        /// What was given.
        version: String,
    },
    /// The package has no such version.
    #[error("npm knows no version {version} of {PACKAGE}; `npm view {PACKAGE} versions` lists them")]
    NoSuchVersion {
        /// What was asked for.
        version: String,
    },
    /// The registry cannot be reached.
    #[error(
        "npm cannot reach its registry: {said}; check network, proxy and npm configuration, \
         or give an exact version that is already here ({})", here.join(", ")
    )]
    Unreachable {
        /// What npm said.
        said: String,
        /// The versions that need no network.
        here: Vec<String>,
    },
    /// npm or the package's own set-up failed.
    #[error("{step} failed: {said}; mend what it says and try again")]
    Failed {
        /// What was being done.
        step: &'static str,
        /// The end of what was printed.
        said: String,
    },
    /// The installation has no program that runs and names its version.
    #[error("{} does not run as Claude Code: {said}; remove its directory and install again", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What it said instead.
        said: String,
    },
    /// The data directory cannot be used.
    #[error("cannot use {}: {source}; check its permissions and the free space", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Claude {
    /// Finds the program that is installed: `program` is its path, or its name in the search path.
    pub fn find(program: &Path, search_path: &OsStr) -> Result<Self, InstallFault> {
        let remedy = "install Claude Code, or let a version be fetched";
        let found = if program.components().count() > 1 {
            Some(program.to_owned()).filter(|path| may_run(path))
        } else {
            program.to_str().and_then(|name| on_path(search_path, name))
        };
        let executable = found.ok_or(InstallFault::Missing { program: "claude", remedy })?;
        let version = version_of(&executable)?;
        Ok(Self { executable, version })
    }

    /// Installs a version (exact, or `latest`) below `data`, with the npm and node of this PATH.
    ///
    /// A version that is already there is used as it is, without a network. Two processes at once install
    /// once; one that is killed half-way leaves nothing that looks complete.
    pub fn install(version: &str, data: &Path, search_path: &OsStr) -> Result<Self, InstallFault> {
        let version = match version {
            "latest" => npm::latest(data, search_path)?,
            exact if is_exact(exact) => exact.to_owned(),
            other => return Err(InstallFault::BadVersion { version: other.to_owned() }),
        };
        let shelf = shelf(data);
        let target = shelf.join(&version);
        if let Some(claude) = complete(&target, &version) {
            return Ok(claude);
        }
        fs::create_dir_all(&shelf).map_err(io_fault(&shelf))?;
        let _lock = lock(&shelf.join(format!(".{version}.lock")))?;
        // Whoever held the lock may just have installed it.
        if let Some(claude) = complete(&target, &version) {
            return Ok(claude);
        }
        fetch(&version, data, &target, search_path)?;
        let said = || "the package holds no executable".to_owned();
        complete(&target, &version).ok_or_else(|| InstallFault::Broken { path: target, said: said() })
    }

    /// The versions installed below `data`.
    #[must_use]
    pub fn installed(data: &Path) -> Vec<Self> {
        let entries = fs::read_dir(shelf(data)).into_iter().flatten().flatten();
        let named = entries.filter_map(|entry| {
            let version = entry.file_name().into_string().ok()?;
            complete(&entry.path(), &version)
        });
        let mut all: Vec<Self> = named.collect();
        all.sort_by_key(|claude| order(&claude.version));
        all
    }
}

fn shelf(data: &Path) -> PathBuf {
    data.join("claude")
}

fn fetch(version: &str, data: &Path, target: &Path, search_path: &OsStr) -> Result<(), InstallFault> {
    let shelf = shelf(data);
    let made = tempfile::Builder::new().prefix(".installing-").tempdir_in(&shelf);
    let staging = made.map_err(io_fault(&shelf))?;
    tracing::info!(version, "installing Claude Code");
    npm::install(version, data, staging.path(), search_path)?;
    let package = package(staging.path());
    let executable = executable(&package)
        .ok_or_else(|| InstallFault::Broken { path: package, said: "no executable".to_owned() })?;
    let said = ask_version(&executable)?;
    if said != version {
        return Err(InstallFault::Broken { path: executable, said });
    }
    if target.exists() {
        // Not complete, or we would not be here.
        fs::remove_dir_all(target).map_err(io_fault(target))?;
    }
    fs::rename(staging.path(), target).map_err(io_fault(target))
}

/// Takes the lock; it ends with the file, or with the process.
fn lock(path: &Path) -> Result<File, InstallFault> {
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(io_fault(path))?;
    file.lock().map_err(io_fault(path))?;
    Ok(file)
}

/// The installation in `directory`, if it is whole and of this version.
fn complete(directory: &Path, version: &str) -> Option<Claude> {
    let package = package(directory);
    let executable = executable(&package)?;
    let named = manifest(&package)?["version"] == version;
    named.then(|| Claude { executable, version: version.to_owned() })
}

fn package(directory: &Path) -> PathBuf {
    directory.join("node_modules").join(PACKAGE)
}

fn manifest(package: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(package.join("package.json")).ok()?).ok()
}

fn executable(package: &Path) -> Option<PathBuf> {
    let manifest = manifest(package)?;
    let path = package.join(manifest["bin"]["claude"].as_str()?);
    path.is_file().then_some(path)
}

/// The version of an executable: from its package if npm installed it, else it is asked.
fn version_of(executable: &Path) -> Result<String, InstallFault> {
    let real = executable.canonicalize().map_err(io_fault(executable))?;
    let packaged =
        real.ancestors().skip(1).take(2).filter_map(manifest).find(|found| found["name"] == PACKAGE);
    match packaged.as_ref().and_then(|found| found["version"].as_str()) {
        Some(version) => Ok(version.to_owned()),
        None => ask_version(executable),
    }
}

/// Runs `--version`, which prints `2.1.197 (Claude Code)`, in a home of its own.
fn ask_version(executable: &Path) -> Result<String, InstallFault> {
    let home = tempfile::tempdir().map_err(io_fault(executable))?;
    let output = Command::new(executable)
        .arg("--version")
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .output()
        .map_err(io_fault(executable))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let version = said.split_whitespace().next().filter(|word| is_exact(word));
    let broken = || InstallFault::Broken {
        path: executable.to_owned(),
        said: format!("{said} {}", npm::tail(&output.stderr)).trim().to_owned(),
    };
    version.map(str::to_owned).ok_or_else(broken)
}

/// The first file of this name on a PATH that may be executed.
fn on_path(search_path: &OsStr, program: &str) -> Option<PathBuf> {
    let names: Vec<String> = if cfg!(windows) {
        ["exe", "cmd", "bat"].iter().map(|extension| format!("{program}.{extension}")).collect()
    } else {
        vec![program.to_owned()]
    };
    std::env::split_paths(search_path)
        .filter(|directory| directory.is_absolute())
        .flat_map(|directory| names.iter().map(move |name| directory.join(name)).collect::<Vec<_>>())
        .find(|path| may_run(path))
}

#[cfg(unix)]
fn may_run(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn may_run(path: &Path) -> bool {
    path.is_file()
}

/// Three numbers, perhaps with a suffix: safe as a directory's name and on npm's command line.
fn is_exact(version: &str) -> bool {
    let (numbers, suffix) = version.split_once(['-', '+']).unwrap_or((version, "0"));
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
}

/// Puts versions in order by their numbers.
fn order(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or_default()).collect()
}

fn io_fault(path: &Path) -> impl FnOnce(io::Error) -> InstallFault {
    let path = path.to_owned();
    move |source| InstallFault::Io { path, source }
}
