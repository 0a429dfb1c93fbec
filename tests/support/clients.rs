//! Other people's programs, fetched from their registries into the target directory, in pinned versions.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts something into a directory of its own once; processes at once wait for the first.
pub fn once(name: &str, what: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).unwrap();
    let lock = File::create(dir.join(".lock")).unwrap();
    lock.lock().unwrap();
    let done = dir.join(".installed");
    if !fs::read_to_string(&done).is_ok_and(|installed| installed == what) {
        install(&dir);
        fs::write(done, what).unwrap();
    }
    dir
}

pub fn must(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The interpreter of an environment of its own that has these packages, separated by blanks.
pub fn python(name: &str, packages: &str) -> PathBuf {
    let dir = once(name, packages, |dir| {
        must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(dir.join("venv")));
        let mut pip = Command::new(dir.join("venv/bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        must(pip.args(packages.split(' ')));
    });
    dir.join("venv/bin/python")
}
