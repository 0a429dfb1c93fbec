//! The processes of this user, as the process table shows them.

use std::path::PathBuf;

use procfs::process::{Process, all_processes};

use super::process::ProcessId;
use crate::domain::Timestamp;

/// One process.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which.
    pub id: ProcessId,
    /// Its parent's id.
    pub parent: u32,
    /// Its arguments, the program's name first. They may hold what nobody else should read.
    pub arguments: Vec<String>,
    /// The directory it is in.
    pub work_dir: Option<PathBuf>,
    /// When it was started, to the second.
    pub started_at: Option<Timestamp>,
}

/// The living processes of the user that this one runs as. Those that cannot be read, or end meanwhile, are left out.
#[must_use]
pub fn own_processes() -> Vec<Entry> {
    let user = rustix::process::geteuid().as_raw();
    let booted = procfs::boot_time_secs().ok();
    let read = |process: Process| {
        if process.uid().ok()? != user {
            return None;
        }
        let stat = process.stat().ok().filter(|stat| stat.state != 'Z')?;
        let millis = booted.map(|booted| booted * 1000 + stat.starttime * 1000 / procfs::ticks_per_second());
        Some(Entry {
            id: ProcessId { pid: u32::try_from(stat.pid).ok()?, start: stat.starttime },
            parent: u32::try_from(stat.ppid).ok()?,
            arguments: process.cmdline().unwrap_or_default(),
            work_dir: process.cwd().ok(),
            started_at: millis.and_then(|millis| Timestamp::from_millis(i64::try_from(millis).ok()?)),
        })
    };
    all_processes().into_iter().flatten().flatten().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_in_the_table() {
        let own = own_processes();
        let me = own.iter().find(|entry| entry.id.pid == std::process::id()).unwrap();
        assert_eq!(me.work_dir, std::env::current_dir().ok());
        assert!(me.id.alive() && !me.arguments.is_empty());
        let age = Timestamp::now().millis_since(me.started_at.unwrap());
        assert!(age < 3_600_000, "{age}");
    }
}
