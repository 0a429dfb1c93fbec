//! Processes: who is who, what a session started, and how it is swept away.
//!
//! A process is known by its id together with its start time; an id alone is used again by the system. Nothing
//! is ended that was not recorded as a descendant.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use procfs::process::{Process, all_processes};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde::{Deserialize, Serialize};

/// A process, unmistakable within one boot of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its id.
    pub pid: u32,
    /// Field 22 of `/proc/<pid>/stat`: clock ticks from boot to its start.
    pub start: u64,
}

impl ProcessId {
    /// Looks a living process up by its id.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let stat = Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()?;
        (stat.state != 'Z').then_some(Self { pid, start: stat.starttime })
    }

    /// Tells whether this very process lives (a zombie does not).
    #[must_use]
    pub fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Gives the resident memory in bytes.
    #[must_use]
    pub fn rss(self) -> Option<u64> {
        let stat = Process::new(i32::try_from(self.pid).ok()?).ok()?.stat().ok()?;
        Some(stat.rss.saturating_mul(procfs::page_size()))
    }

    /// Sends a signal if this very process still lives; returns whether it was sent.
    pub fn signal(self, signal: Signal) -> bool {
        self.alive()
            && i32::try_from(self.pid)
                .ok()
                .and_then(Pid::from_raw)
                .is_some_and(|pid| kill_process(pid, signal).is_ok())
    }
}

/// The boot that process start times count from.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// One look at the process table.
struct Table {
    children: BTreeMap<u32, Vec<ProcessId>>,
}

impl Table {
    fn read() -> Self {
        let mut children: BTreeMap<u32, Vec<ProcessId>> = BTreeMap::new();
        for stat in all_processes().into_iter().flatten().flatten().filter_map(|process| process.stat().ok())
        {
            if let (Ok(pid), Ok(parent), true) =
                (u32::try_from(stat.pid), u32::try_from(stat.ppid), stat.state != 'Z')
            {
                children.entry(parent).or_default().push(ProcessId { pid, start: stat.starttime });
            }
        }
        Self { children }
    }

    /// All below `root`, leaving out each process in `spared` with all below it.
    fn below(&self, root: u32, spared: &BTreeSet<ProcessId>) -> BTreeSet<ProcessId> {
        let mut found = BTreeSet::new();
        let mut open = vec![root];
        while let Some(parent) = open.pop() {
            for child in self.children.get(&parent).into_iter().flatten() {
                if !spared.contains(child) && found.insert(*child) {
                    open.push(child.pid);
                }
            }
        }
        found
    }
}

/// Everything that runs below the process `root`, except holders of other sessions and what runs below those: a
/// session that was created inside another outlives it.
#[must_use]
pub fn descendants(root: u32, spared: &BTreeSet<ProcessId>) -> BTreeSet<ProcessId> {
    Table::read().below(root, spared)
}

/// Ends exactly these processes: SIGTERM, then after `grace` SIGKILL to those that are left. `refresh` adds what
/// they started meanwhile. Returns how many were ended.
pub async fn sweep(
    mut targets: BTreeSet<ProcessId>,
    grace: Duration,
    refresh: impl Fn() -> BTreeSet<ProcessId>,
) -> usize {
    targets.retain(|process| process.alive());
    let ended = targets.len();
    if targets.is_empty() {
        return 0;
    }
    for process in &targets {
        process.signal(Signal::TERM);
    }
    let step = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    while waited < grace && targets.iter().any(|process| process.alive()) {
        tokio::time::sleep(step).await;
        waited += step;
    }
    // A process that starts children in its last moments needs another look.
    for _ in 0..5 {
        targets.extend(refresh());
        let left: Vec<_> = targets.iter().filter(|process| process.alive()).collect();
        if left.is_empty() {
            break;
        }
        for process in left {
            process.signal(Signal::KILL);
        }
        tokio::time::sleep(step).await;
    }
    ended
}

/// Reaps the holder's children that the system gave it because their own parents are gone. `child` is left for its
/// owner. For holders only: any other process would lose the ends of its own children.
pub(super) fn reap_orphans(child: u32) {
    for process in all_processes().into_iter().flatten().flatten().filter_map(|process| process.stat().ok()) {
        let ours = u32::try_from(process.ppid).is_ok_and(|parent| parent == std::process::id());
        let Some(pid) = Pid::from_raw(process.pid) else { continue };
        if ours && process.state == 'Z' && u32::try_from(process.pid) != Ok(child) {
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
}

/// Records the processes of a session, so that they can be swept even after its holder was killed.
///
/// # Errors
///
/// When the file cannot be written.
pub fn record(path: &Path, tree: &BTreeSet<ProcessId>) -> std::io::Result<()> {
    fs::write(path, serde_json::to_vec(tree)?)
}

/// Reads the recorded processes; none if there is no readable record.
#[must_use]
pub fn recorded(path: &Path) -> BTreeSet<ProcessId> {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_known_by_id_and_start() {
        let me = ProcessId::of(std::process::id()).unwrap();
        assert!(me.alive());
        assert!(!ProcessId { start: me.start + 1, ..me }.alive());
    }

    #[tokio::test]
    async fn a_sweep_ends_the_recorded_and_nothing_else() {
        let mut shell = Command::new("sh").args(["-c", "sleep 300 & sleep 300"]).spawn().unwrap();
        let mut bystander = Command::new("sleep").arg("300").spawn().unwrap();
        let root = shell.id();
        let below = loop {
            let below = descendants(root, &BTreeSet::new());
            if below.len() == 2 {
                break below;
            }
            tokio::task::yield_now().await;
        };
        let mut targets = below.clone();
        targets.insert(ProcessId::of(root).unwrap());
        sweep(targets, Duration::from_secs(2), BTreeSet::new).await;
        shell.wait().unwrap();
        assert!(below.iter().all(|process| !process.alive()));
        assert!(ProcessId::of(bystander.id()).is_some());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }
}
