//! One program of a project, run to its end or its time limit, with all that it started.

use std::collections::BTreeMap;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

use super::{Check, VerificationStep, millis};

/// How much of the output is kept, in bytes: its end, where failures stand.
const KEPT: usize = 64 << 10;

/// How long output is waited for once everything was ended that could write it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A program that leads a process group, which ends with this.
struct Group {
    child: Child,
    over: bool,
}

impl Group {
    fn start(mut command: Command) -> io::Result<Self> {
        Ok(Self { child: command.process_group(0).spawn()?, over: false })
    }

    /// Ends whatever is left of the group. Its number is nobody else's: the leader is not waited for before.
    fn end(&mut self) -> io::Result<ExitStatus> {
        if !self.over {
            self.over = true;
            // Nothing is left to be ended, if this fails.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.over {
            let _ = self.end();
        }
    }
}

/// Runs a check.
pub(super) async fn run(check: &Check, dir: &Path, env: &BTreeMap<String, String>) -> VerificationStep {
    let start = Instant::now();
    let mut output = Vec::new();
    let ended = ended(check, dir, env, &mut output).await;
    let error = match ended {
        Ok(Some(status)) if status.success() => None,
        Ok(Some(status)) => Some(format!("`{}` ended with {status}", check.line.join(" "))),
        Ok(None) => {
            Some(format!("`{}` took longer than {:?} and was ended", check.line.join(" "), check.within))
        }
        Err(error) => Some(format!("`{}` could not be run: {error}", check.line.join(" "))),
    };
    VerificationStep {
        name: check.name.into(),
        ok: error.is_none(),
        duration_ms: millis(start.elapsed()),
        output: Some(String::from_utf8_lossy(&output).into_owned()).filter(|text| !text.is_empty()),
        error,
    }
}

/// How the program ended, with its output; `None` if it took too long.
async fn ended(
    check: &Check,
    dir: &Path,
    env: &BTreeMap<String, String>,
    output: &mut Vec<u8>,
) -> io::Result<Option<ExitStatus>> {
    let (program, args) = check.line.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let (ours, theirs) = io::pipe()?;
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).env_clear().envs(env);
    command.stdin(Stdio::null()).stdout(theirs.try_clone()?).stderr(theirs);
    let mut group = Group::start(command)?;
    let mut ours = receiver(ours)?;
    let pid = Pid::from_child(&group.child);
    // Tells the end and leaves the leader to be waited for, so that the group's number stays taken. A thread of its own:
    // those of the runtime are few, and are for what is short.
    let (tell, mut leader) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("verify-wait".into()).spawn(move || {
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
        let _ = tell.send(());
    })?;
    let in_time = timeout(check.within, async {
        loop {
            tokio::select! {
                more = take(&mut ours, output) => if !more { break },
                _ = &mut leader => return,
            }
        }
        let _ = leader.await;
    });
    let in_time = in_time.await.is_ok();
    let status = group.end()?;
    let rest = async { while take(&mut ours, output).await {} };
    // Whatever left the group may hold the pipe for ever.
    let _ = timeout(LAST_WORDS, rest).await;
    Ok(in_time.then_some(status))
}

/// Reads some output and keeps its end. Returns whether there may be more.
async fn take(from: &mut Receiver, output: &mut Vec<u8>) -> bool {
    let mut bytes = [0; 8192];
    match from.read(&mut bytes).await {
        Ok(0) | Err(_) => false,
        Ok(count) => {
            output.extend_from_slice(&bytes[..count]);
            if output.len() > KEPT {
                output.drain(..output.len() - KEPT);
            }
            true
        }
    }
}

fn receiver(pipe: PipeReader) -> io::Result<Receiver> {
    Receiver::from_owned_fd(OwnedFd::from(pipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> BTreeMap<String, String> {
        BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())])
    }

    fn check(script: &'static str, within: u64) -> Check {
        let line: &'static [&'static str] = Box::leak(Box::new(["sh", "-c", script]));
        Check { name: "test", line, within: Duration::from_millis(within) }
    }

    /// Waits until nothing of the process group runs, by the number that a script printed.
    async fn gone(group: &str) {
        let group: i32 = group.trim().parse().unwrap();
        let runs = || {
            let stats = procfs::process::all_processes().unwrap().filter_map(|one| one.ok()?.stat().ok());
            stats.filter(|stat| stat.pgrp == group && stat.state != 'Z').count() > 0
        };
        let gone = async {
            while runs() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), gone).await.expect("the group ends");
    }

    #[tokio::test]
    async fn what_is_printed_and_how_it_ended_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let good = run(&check("echo out; echo err >&2", 20_000), dir.path(), &env()).await;
        assert_eq!((good.ok, good.output.as_deref(), good.error), (true, Some("out\nerr\n"), None));
        let bad = run(&check("exit 3", 20_000), dir.path(), &env()).await;
        assert_eq!((bad.ok, bad.output), (false, None));
        assert!(bad.error.unwrap().ends_with("ended with exit status: 3"));
        let absent = Check { name: "test", line: &["no-such-program"], within: Duration::from_secs(20) };
        let absent = run(&absent, dir.path(), &env()).await;
        assert!(absent.error.unwrap().starts_with("`no-such-program` could not be run"));
    }

    #[tokio::test]
    async fn of_much_output_the_end_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let much = run(&check("yes line | head -100000; echo last", 20_000), dir.path(), &env()).await;
        let output = much.output.unwrap();
        assert_eq!((much.ok, output.len()), (true, KEPT));
        assert!(output.ends_with("line\nlast\n"));
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let slow = run(&check("echo $$; sleep 600 & sleep 600", 3000), dir.path(), &env()).await;
        assert!(!slow.ok && slow.error.unwrap().contains("longer than 3s"));
        gone(&slow.output.unwrap()).await;
    }

    #[tokio::test]
    async fn what_was_left_behind_ends_with_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let left = run(&check("echo $$; sleep 600 &", 20_000), dir.path(), &env()).await;
        assert!(left.ok && left.duration_ms < 20_000, "{left:?}");
        gone(&left.output.unwrap()).await;
    }

    #[tokio::test]
    async fn whoever_stops_waiting_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mut output, env) = (Vec::new(), env());
        let endless = check("sleep 600 & echo $$ > group.new && mv group.new group; sleep 600", 600_000);
        let file = dir.path().join("group");
        let started = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            ended = ended(&endless, dir.path(), &env, &mut output) => panic!("{ended:?}"),
            () = started => {}
        }
        gone(&std::fs::read_to_string(file).unwrap()).await;
    }
}
