//! The pseudo-terminal and the child in it.
//!
//! Two plain threads move bytes, because a pseudo-terminal has no asynchronous interface that is the same on every
//! system; both end with the terminal. Reading is bounded: when the actor is behind, the child waits.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc as sync_mpsc;
use std::thread;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use tokio::sync::mpsc;

use super::actor::Input;

/// Threads that only copy bytes need little stack.
const STACK: usize = 128 << 10;
/// How much is read at once: what Linux's terminal layer gives at most, several times over.
const CHUNK: usize = 16 << 10;

/// The terminal of one child.
pub(super) struct Pty {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    writer: sync_mpsc::Sender<Job>,
}

struct Job {
    bytes: Vec<u8>,
    token: Option<u64>,
}

impl Pty {
    /// Starts `program` in a new terminal of the given size; what it prints goes to `inputs`.
    pub(super) fn spawn(
        program: &Path,
        arguments: &[String],
        environment: &BTreeMap<String, String>,
        work_dir: &Path,
        (cols, rows): (u16, u16),
        inputs: mpsc::Sender<Input>,
    ) -> io::Result<Self> {
        let pair = native_pty_system().openpty(size(cols, rows)).map_err(io::Error::other)?;
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        for (name, value) in environment {
            command.env(name, value);
        }
        command.cwd(work_dir);
        let child = pair.slave.spawn_command(command).map_err(io::Error::other)?;
        // Kept open, the slave would hide the child's end.
        drop(pair.slave);
        let reader = pair.master.try_clone_reader().map_err(io::Error::other)?;
        let to = pair.master.take_writer().map_err(io::Error::other)?;
        let (writer, jobs) = sync_mpsc::channel();
        let written = inputs.clone();
        thread::Builder::new()
            .name("pty-read".into())
            .stack_size(STACK)
            .spawn(move || read(reader, &inputs))?;
        thread::Builder::new()
            .name("pty-write".into())
            .stack_size(STACK)
            .spawn(move || write(to, &jobs, &written))?;
        Ok(Self { master: pair.master, child, writer })
    }

    /// The child's process id.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.process_id()
    }

    /// Writes bytes behind those before; with a token, says [`Input::Written`] when the terminal took them all.
    pub(super) fn write(&self, bytes: Vec<u8>, token: Option<u64>) {
        // Fails only when the terminal is closed, which the reader tells.
        let _ = self.writer.send(Job { bytes, token });
    }

    /// Changes the size.
    pub(super) fn resize(&self, cols: u16, rows: u16) {
        if let Err(error) = self.master.resize(size(cols, rows)) {
            tracing::warn!(%error, "the terminal could not be resized");
        }
    }

    /// Tells how the child ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn read(mut from: Box<dyn Read + Send>, inputs: &mpsc::Sender<Input>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(len) => {
                if inputs.blocking_send(Input::Output(chunk[..len].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Linux answers EIO when the last process with the terminal open is gone.
            Err(_) => break,
        }
    }
    let _ = inputs.blocking_send(Input::OutputEnd);
}

fn write(mut to: Box<dyn Write + Send>, jobs: &sync_mpsc::Receiver<Job>, inputs: &mpsc::Sender<Input>) {
    for job in jobs {
        if to.write_all(&job.bytes).and_then(|()| to.flush()).is_err() {
            return;
        }
        if let Some(token) = job.token
            && inputs.blocking_send(Input::Written(token)).is_err()
        {
            return;
        }
    }
}
