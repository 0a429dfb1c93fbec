//! Processes as the system sees them, and waiting for what has no event.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Lab;

/// Longer than anything takes on a busy machine; only a failing test waits it out.
const PATIENCE: Duration = Duration::from_secs(40);

/// Looks again and again until this gives something.
pub async fn come<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    loop {
        pause.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come about within {PATIENCE:?}");
    }
}

/// The processes of this laboratory whose command line is exactly this.
pub fn running(lab: &Lab, line: &str) -> Vec<i32> {
    lab.processes().into_iter().filter(|(_, of)| of == line).map(|(pid, _)| pid).collect()
}

/// The processes of this laboratory that hold sessions.
pub fn holders(lab: &Lab) -> Vec<i32> {
    lab.processes().into_iter().filter(|(_, line)| line.contains(" holder ")).map(|(pid, _)| pid).collect()
}

pub fn alive(pid: i32) -> bool {
    procfs::process::Process::new(pid).and_then(|process| process.stat()).is_ok_and(|stat| stat.state != 'Z')
}

pub fn sigkill(pid: i32) {
    signal(pid, Signal::KILL);
}

pub fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}
