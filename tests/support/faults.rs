//! Arming the named points of `aegis::fault` in all processes of a laboratory.

use std::path::PathBuf;

use super::Lab;
use super::processes::come;

pub struct Faults {
    dir: PathBuf,
}

impl Faults {
    /// Gives the laboratory a directory of faults. Before its first session.
    pub fn in_lab(lab: Lab) -> (Lab, Self) {
        let dir = lab.root.join("faults");
        std::fs::create_dir(&dir).unwrap();
        let lab = lab.with_var(aegis::fault::VARIABLE, dir.clone());
        // The clock is everybody's.
        let lab = lab.with_var("AEGIS_PASS_ENV", "FAKE_CLAUDE_SCRIPT,FAKE_CLAUDE_FAULTS");
        let lab = lab.with_var("FAKE_CLAUDE_FAULTS", dir.clone());
        (lab, Self { dir })
    }

    /// The first process that reaches the point is killed there.
    pub fn kill_at(&self, point: &str) {
        self.write(&format!("{point}.kill"), "");
    }

    /// The first process that reaches the point stands still there until it is told to go on.
    pub fn pause_at(&self, point: &str) {
        self.write(&format!("{point}.pause"), "");
    }

    pub fn go_on(&self, point: &str) {
        self.write(&format!("{point}.go"), "");
    }

    /// What reaches the point fails with this error of the system until it is mended.
    pub fn fail(&self, point: &str, error: rustix::io::Errno) {
        self.write(&format!("{point}.fail"), &error.raw_os_error().to_string());
    }

    pub fn mend(&self, point: &str) {
        std::fs::remove_file(self.dir.join(format!("{point}.fail"))).unwrap();
    }

    /// Sets the clock on, or back, by so many milliseconds.
    pub fn step_clock(&self, millis: i64) {
        self.write("clock", &millis.to_string());
    }

    /// Waits until a process was killed at the point, and gives its id.
    pub async fn killed(&self, point: &str) -> i32 {
        self.hit(point, "killed").await
    }

    /// Waits until a process stands still at the point, and gives its id.
    pub async fn paused(&self, point: &str) -> i32 {
        self.hit(point, "paused").await
    }

    async fn hit(&self, point: &str, how: &str) -> i32 {
        let prefix = format!("{point}.{how}.");
        come(&prefix, async || {
            let mut names = std::fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().file_name());
            names.find_map(|name| name.to_str()?.strip_prefix(&prefix)?.parse().ok())
        })
        .await
    }

    /// Written elsewhere first: a process may look at any moment.
    fn write(&self, name: &str, text: &str) {
        let draft = self.dir.join(format!(".{name}"));
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(draft, self.dir.join(name)).unwrap();
    }
}
