//! Everything that reaches the program from outside, one after the other.

use std::io::Read as _;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::keys::{Key, Keys};
use super::script::Step;

/// How long an escape waits for what makes a sequence of it.
const ESCAPE: Duration = Duration::from_millis(25);
/// A thread that only reads needs little stack.
const STACK: usize = 64 << 10;

/// Something from outside.
#[derive(Debug)]
pub(crate) enum Wake {
    /// A key.
    Key(Key),
    /// The terminal has another size, or time has passed: draw again.
    Draw,
    /// The time of a moment has come.
    Moment(Vec<Step>),
    /// The program is told to end, with this exit code.
    End(i32),
}

#[derive(Debug)]
enum Event {
    Bytes(Vec<u8>),
    Wake(Wake),
}

/// Where it all arrives.
pub(crate) struct Inbox {
    events: UnboundedReceiver<Event>,
    to: UnboundedSender<Event>,
    keys: Keys,
}

impl Inbox {
    /// Starts to listen for signals.
    pub(crate) fn open() -> std::io::Result<Self> {
        let (to, events) = unbounded_channel();
        let ends =
            [(SignalKind::terminate(), 143), (SignalKind::hangup(), 129), (SignalKind::interrupt(), 0)];
        for (kind, code) in ends {
            forward(kind, to.clone(), move || Wake::End(code))?;
        }
        forward(SignalKind::window_change(), to.clone(), || Wake::Draw)?;
        Ok(Self { events, to, keys: Keys::default() })
    }

    /// Starts to read the terminal.
    pub(crate) fn read_terminal(&self) -> std::io::Result<()> {
        let to = self.to.clone();
        thread::Builder::new().name("keys".into()).stack_size(STACK).spawn(move || {
            let mut chunk = [0; 4096];
            let mut stdin = std::io::stdin();
            while let Ok(len @ 1..) = stdin.read(&mut chunk) {
                if to.send(Event::Bytes(chunk[..len].to_vec())).is_err() {
                    return;
                }
            }
            let _ = to.send(Event::Wake(Wake::End(129)));
        })?;
        Ok(())
    }

    /// Wakes with a moment once `due` is there.
    pub(crate) fn moment(&self, due: impl Future<Output = ()> + Send + 'static, steps: Vec<Step>) {
        let to = self.to.clone();
        tokio::spawn(async move {
            due.await;
            let _ = to.send(Event::Wake(Wake::Moment(steps)));
        });
    }

    /// Waits for the next thing. Dropped before it is there, nothing is lost.
    pub(crate) async fn next(&mut self) -> Wake {
        loop {
            if let Some(key) = self.keys.next() {
                return Wake::Key(key);
            }
            let event = if self.keys.undecided() {
                match timeout(ESCAPE, self.events.recv()).await {
                    Ok(event) => event,
                    Err(_) => match self.keys.decide() {
                        Some(key) => return Wake::Key(key),
                        None => continue,
                    },
                }
            } else {
                self.events.recv().await
            };
            match event {
                Some(Event::Bytes(bytes)) => self.keys.feed(&bytes),
                Some(Event::Wake(wake)) => return wake,
                None => return Wake::End(129),
            }
        }
    }
}

fn forward(
    kind: SignalKind,
    to: UnboundedSender<Event>,
    wake: impl Fn() -> Wake + Send + 'static,
) -> std::io::Result<()> {
    let mut signals = signal(kind)?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            if to.send(Event::Wake(wake())).is_err() {
                return;
            }
        }
    });
    Ok(())
}
