//! The actor: one task that owns a session's whole state and is the only writer of its status.
//!
//! Everything arrives as an [`Input`]; time as a fired [`Timer`]. After each batch of inputs [`Actor::settle`]
//! looks at the screen if anything depends on it and moves what is under way one step on. No step waits: what
//! takes time is a value with a timer.

mod answer;
mod asks;
mod calls;
mod deliver;
mod ending;
mod events;
mod files;
mod hooks;
mod keying;
mod menu;
mod policy;
mod receipts;
mod screen;
mod shown;
mod status;
mod stop;
mod timers;
mod typing;
mod viewers;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::client::monotonic_ms;
use super::conversation::Conversation;
use super::dir::SessionDir;
use super::launch::HolderLaunch;
use super::memory;
use super::pty::Pty;
use crate::claude::live::Live;
use crate::domain::{Ending, EventTally, PermissionMode, ReceiptId, SessionStatus, Source, Timestamp};
use crate::term::Grid;
use crate::wire::{Refusal, RefusalCode, Request};

use asks::Asks;
use deliver::Deliver;
use events::Events;
use keying::Keying;
use receipts::Receipts;
use screen::View;
use status::Status;
use stop::{Kill, Waits};
use timers::{Timer, Timers};
use viewers::Connection;

/// Lines kept above the screen, for `capture_pane`'s largest `scrollback`.
const SCROLLBACK: usize = 1000;

/// How many inputs are taken before the state settles once: under a flood of output the screen is looked at once
/// a batch, not once a chunk.
const BATCH: usize = 64;

/// How far the clock may go back before it counts as set back, in milliseconds.
const CLOCK_JITTER_MS: u64 = 500;

/// Names one connection to the holder.
pub(in crate::holder) type ConnectionId = u64;

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::holder) struct ReplyTo {
    pub(in crate::holder) connection: ConnectionId,
    pub(in crate::holder) call: u64,
}

/// Something that happened.
#[derive(Debug)]
pub(in crate::holder) enum Input {
    /// The child printed.
    Output(Vec<u8>),
    /// The terminal is closed.
    OutputEnd,
    /// The terminal took the bytes written with this token.
    Written(u64),
    /// Somebody connected; frames for it go to the sender.
    Connected(ConnectionId, mpsc::Sender<Vec<u8>>),
    /// Somebody asks, and listens until so many milliseconds of the monotonic clock.
    Call(ReplyTo, Option<u64>, Request),
    /// A connection is gone.
    Gone(ConnectionId),
    /// A watched file changed.
    Files,
    /// A child process changed state.
    Child,
    /// The holder itself is asked to end.
    Terminate,
}

/// The session's whole state.
pub(in crate::holder) struct Actor {
    launch: HolderLaunch,
    secret: String,
    dir: SessionDir,
    events: Events,
    status: Status,
    asks: Asks,
    remembered: policy::Remembered,
    receipts: Receipts,
    deliver: Deliver,
    keying: Option<Keying>,
    waits: Waits,
    kill: Option<Kill>,
    conversation: Conversation,
    grid: Grid,
    view: View,
    live: Option<Live>,
    files: files::Files,
    pty: Pty,
    pid: u32,
    connections: HashMap<ConnectionId, Connection>,
    timers: Timers,
    permission_mode: PermissionMode,
    claude_version: Option<String>,
    background: Vec<String>,
    /// The last sign of life in the session.
    active_at: Timestamp,
    /// The reply of a turn whose tool results are still on their way into the transcript.
    held_stop: Option<hooks::HeldStop>,
    /// Whether a turn that a hook told has not been told to end.
    turn_runs: bool,
    /// Claude Code's id for the prompt that a hook told last.
    prompt_id: Option<String>,
    /// That for the last one whose turn was over before a hook told its end.
    over_unsaid: Option<String>,
    /// Whether the transcript tells that the running turn was interrupted.
    interrupted: bool,
    /// When a hook last told the end of a turn.
    stopped_at: Option<Timestamp>,
    /// Receipts of answers that are being given.
    answer_receipts: calls::AnswerReceipts,
    /// The names of the commands that were typed last, the newest last.
    commands: VecDeque<String>,
    /// The shell line of which the transcript tells the output next.
    shell_at_hand: Option<ReceiptId>,
    /// When an idle session was taken for new work.
    leased_at: Option<Instant>,
    /// What became of the policy.
    rules: policy::Rules,
    /// What the events tell in numbers.
    tally: EventTally,
    /// When the hook that is being taken was started, in milliseconds of the monotonic clock.
    hook_called: Option<u64>,
    /// The latest that the clock has shown.
    clock: Timestamp,
    ending: Option<Ending>,
    ended: bool,
}

/// What the actor is built from.
pub(in crate::holder) struct Parts {
    pub(in crate::holder) launch: HolderLaunch,
    pub(in crate::holder) secret: String,
    pub(in crate::holder) dir: SessionDir,
    pub(in crate::holder) pty: Pty,
    pub(in crate::holder) inputs: mpsc::Sender<Input>,
}

impl Actor {
    /// Builds the actor of a session that was just launched.
    ///
    /// # Errors
    ///
    /// When its files cannot be opened, or the child is gone already.
    pub(in crate::holder) fn new(parts: Parts) -> io::Result<Self> {
        let Parts { launch, secret, dir, pty, inputs } = parts;
        let now = Timestamp::now();
        let pid = pty.pid().ok_or_else(|| io::Error::other("the child has no process id"))?;
        let (cols, rows) = launch.size;
        let mut actor = Self {
            secret,
            events: Events::open(&dir, launch.spec.id)?,
            status: Status::new(now),
            asks: Asks::default(),
            remembered: policy::Remembered::default(),
            receipts: Receipts::default(),
            deliver: Deliver::default(),
            keying: None,
            waits: Waits::default(),
            kill: None,
            conversation: Conversation::new(&dir.messages(), launch.spec.created_at)?,
            grid: Grid::new(cols, rows, SCROLLBACK),
            view: View::default(),
            live: None,
            files: files::Files::new(&launch.environment, inputs),
            pty,
            pid,
            connections: HashMap::new(),
            timers: Timers::default(),
            permission_mode: launch.spec.permission_mode,
            claude_version: launch.program_version.clone(),
            background: Vec::new(),
            active_at: now,
            held_stop: None,
            turn_runs: false,
            prompt_id: None,
            over_unsaid: None,
            interrupted: false,
            stopped_at: None,
            answer_receipts: calls::AnswerReceipts::new(),
            commands: VecDeque::new(),
            shell_at_hand: None,
            leased_at: None,
            rules: policy::Rules::at_launch(&launch.spec.policy),
            tally: EventTally::default(),
            hook_called: None,
            clock: now,
            ending: None,
            ended: false,
            dir,
            launch,
        };
        actor.begin(now);
        Ok(actor)
    }

    fn begin(&mut self, now: Timestamp) {
        use crate::domain::EventData;
        self.record_tree();
        self.emit(EventData::Launched { pid: self.pid, claude_version: self.claude_version.clone() });
        self.note(Source::Process, now, format!("claude runs as process {}", self.pid), None);
        self.timers.set(Timer::Startup, Duration::from_millis(self.launch.startup_timeout_ms));
        if let Some(first) = self.launch.prompt.take() {
            self.accept_first(first, now);
        }
    }

    /// Runs until the session has ended.
    pub(in crate::holder) async fn run(mut self, inputs: &mut mpsc::Receiver<Input>) {
        while !self.ended {
            let deadline = self.timers.next();
            tokio::select! {
                biased;
                input = inputs.recv() => {
                    let Some(input) = input else { break };
                    self.mind_clock();
                    self.timers.set(Timer::Quiet, memory::QUIET);
                    self.on_input(input);
                    for _ in 1..BATCH {
                        match inputs.try_recv() {
                            Ok(input) => self.on_input(input),
                            Err(_) => break,
                        }
                    }
                }
                () = sleep_until(deadline) => {}
            }
            while let Some(timer) = self.timers.fired(Instant::now()) {
                self.on_timer(timer);
            }
            self.settle();
            // Under a flood there is always another input; those who connect and ask must get their turn as well.
            tokio::task::yield_now().await;
        }
        self.finish(inputs).await;
    }

    /// A clock that was set back must not make everything that is said from now on look old.
    fn mind_clock(&mut self) {
        let now = Timestamp::now();
        if self.clock.millis_since(now) > CLOCK_JITTER_MS {
            self.note(Source::Process, now, "the clock was set back", None);
            self.status.rebase(now);
            self.receipts.rebase(now);
            self.conversation.rebase(now);
            self.stopped_at = self.stopped_at.map(|at| at.min(now));
            self.clock = now;
        }
        self.clock = self.clock.max(now);
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Output(bytes) => self.on_output(&bytes),
            Input::OutputEnd | Input::Child => self.check_child(),
            Input::Written(token) => self.on_written(token),
            Input::Connected(id, frames) => {
                self.connections.insert(id, Connection::new(frames));
            }
            Input::Call(to, Some(until), _) if monotonic_ms() > until => {
                self.refuse(to, Refusal::new(RefusalCode::Late, "the caller had left before this was read"));
            }
            Input::Call(to, _, request) => self.on_call(to, request),
            Input::Gone(id) => self.on_gone(id),
            Input::Files => self.on_files(),
            Input::Terminate => self.start_kill(true, "signal", None),
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Startup => self.on_startup_timeout(),
            Timer::Stall => self.on_quiet(),
            Timer::Transcript | Timer::Files => self.on_files(),
            Timer::HeldStop => self.release_stop(),
            Timer::Live => self.recheck_live(),
            Timer::Asks => self.recheck_asks(),
            Timer::Deny => self.deny_overdue(),
            Timer::Kill => self.advance_kill(),
            Timer::Tree => self.record_tree(),
            Timer::Journal => self.write_journal(),
            Timer::Missed => self.tell_missed(),
            Timer::Quiet => memory::give_back(),
            // These only wake the actor: settling looks at the time itself.
            Timer::Screen | Timer::Deliver | Timer::Keying | Timer::Waits => {}
        }
    }

    /// Brings everything that follows from the inputs up to date.
    fn settle(&mut self) {
        if self.ended {
            return;
        }
        self.look();
        self.step_keying();
        self.step_delivery();
        self.step_waits();
        self.announce_change();
    }

    /// Notes a sign of life; what is stalled goes on working.
    fn alive(&mut self, now: Timestamp) {
        self.active_at = now;
        if self.status.current() == &SessionStatus::Working {
            self.timers.set(Timer::Stall, Duration::from_millis(self.launch.spec.stall_threshold_ms));
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
