//! What the system says a process uses.

use std::fs;

use procfs::process::{Process, all_processes};

/// What a process has used so far, with the children that it still has left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Resident memory now, in bytes.
    pub resident: u64,
    /// The part of it that no file on disk backs, in bytes: the rest is the program itself, of which the machine
    /// keeps one copy however many processes run it.
    pub own: u64,
    /// The most resident memory there was, in bytes.
    pub peak: u64,
    /// Processor time in clock ticks.
    pub ticks: u64,
    /// How often its threads went to sleep of themselves, so how often it was woken.
    pub wakes: u64,
    pub threads: u64,
    pub descriptors: u64,
}

impl Used {
    /// Looks at a living process.
    pub fn of(pid: i32) -> Self {
        let process = Process::new(pid).unwrap();
        let stat = process.stat().unwrap();
        let status = process.status().unwrap();
        let tasks = process.tasks().unwrap().filter_map(Result::ok);
        Self {
            resident: status.vmrss.unwrap_or_default() * 1024,
            own: status.rssanon.unwrap_or_default() * 1024,
            peak: status.vmhwm.unwrap_or_default() * 1024,
            ticks: stat.utime + stat.stime,
            wakes: tasks.filter_map(|task| task.status().ok()?.voluntary_ctxt_switches).sum(),
            threads: u64::try_from(stat.num_threads).unwrap(),
            descriptors: process.fd_count().unwrap() as u64,
        }
    }

    /// All of several together; the peak is the highest.
    pub fn of_all(pids: &[i32]) -> Self {
        pids.iter().map(|pid| Self::of(*pid)).fold(Self::default(), |sum, one| Self {
            resident: sum.resident + one.resident,
            own: sum.own + one.own,
            peak: sum.peak.max(one.peak),
            ticks: sum.ticks + one.ticks,
            wakes: sum.wakes + one.wakes,
            threads: sum.threads + one.threads,
            descriptors: sum.descriptors + one.descriptors,
        })
    }
}

/// Bytes in megabytes.
pub fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A value of the environment that a process was started with.
pub fn variable(pid: i32, name: &str) -> Option<String> {
    let environ = Process::new(pid).ok()?.environ().ok()?;
    Some(environ.get(std::ffi::OsStr::new(name))?.to_str()?.to_owned())
}

/// The only child of a process.
pub fn child(of: i32) -> i32 {
    let stats = all_processes().unwrap().filter_map(|process| process.ok()?.stat().ok());
    stats.into_iter().find(|stat| stat.ppid == of).expect("a child").pid
}

/// What everything is measured on.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    format!("{cores} cores, load {load} before the run")
}
