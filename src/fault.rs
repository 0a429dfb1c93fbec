//! Named points at which a test can pause or kill the process, so that it need not guess when something happens.
//!
//! Built only with the feature `faults`; without it [`point`] is nothing. The directory in `AEGIS_FAULTS` arms the
//! points: a file `NAME.kill` makes the first process that reaches the point end as by SIGKILL, `NAME.pause` makes it
//! stand still until there is a file `NAME.go`. Which process was hit is told by renaming the file to
//! `NAME.killed.PID` or `NAME.paused.PID`; exactly one process gets it. A file `NAME.fail` that holds an error number of
//! the system makes [`check`] fail with it as long as the file is there, and `clock` holds the milliseconds by which the
//! clock was set on (or, negative, back).

#[cfg(feature = "faults")]
use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

/// The variable that names the directory.
pub const VARIABLE: &str = "AEGIS_FAULTS";

/// How often a paused process looks whether it may go on.
#[cfg(feature = "faults")]
const LOOK: Duration = Duration::from_millis(2);

#[cfg(feature = "faults")]
static ARMED: OnceLock<PathBuf> = OnceLock::new();

/// Sets the directory that arms points, once a process. Without the feature nothing happens.
pub fn arm(dir: Option<&str>) {
    #[cfg(feature = "faults")]
    if let Some(dir) = dir.filter(|dir| !dir.is_empty()) {
        let _ = ARMED.set(dir.into());
    }
    #[cfg(not(feature = "faults"))]
    let _ = dir;
}

/// Passes the point `name`.
#[inline]
pub fn point(name: &str) {
    #[cfg(feature = "faults")]
    if let Some(dir) = ARMED.get() {
        pass(dir, name);
    }
    #[cfg(not(feature = "faults"))]
    let _ = name;
}

/// Fails if the point `name` is armed to fail.
///
/// # Errors
///
/// The error that the point is armed with.
#[inline]
pub fn check(name: &str) -> std::io::Result<()> {
    #[cfg(feature = "faults")]
    if let Some(number) = ARMED.get().and_then(|dir| number(&dir.join(format!("{name}.fail")))) {
        return Err(std::io::Error::from_raw_os_error(i32::try_from(number).unwrap_or_default()));
    }
    #[cfg(not(feature = "faults"))]
    let _ = name;
    Ok(())
}

/// By how many milliseconds the clock was set on.
#[inline]
#[must_use]
pub fn clock_step() -> i64 {
    #[cfg(feature = "faults")]
    if let Some(step) = ARMED.get().and_then(|dir| number(&dir.join("clock"))) {
        return step;
    }
    0
}

#[cfg(feature = "faults")]
fn number(path: &Path) -> Option<i64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(feature = "faults")]
fn pass(dir: &Path, name: &str) {
    use rustix::process::{Signal, getpid, kill_process};

    let pid = std::process::id();
    let hit = |how: &str, done: &str| {
        fs::rename(dir.join(format!("{name}.{how}")), dir.join(format!("{name}.{done}.{pid}"))).is_ok()
    };
    if hit("kill", "killed") {
        let _ = kill_process(getpid(), Signal::KILL);
    }
    if hit("pause", "paused") {
        let go = dir.join(format!("{name}.go"));
        while !go.exists() && dir.exists() {
            std::thread::sleep(LOOK);
        }
    }
}
