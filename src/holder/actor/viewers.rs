//! Those who are connected: answers, events, and terminal output for viewers.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::to_raw_value;
use tokio::sync::mpsc;

use super::timers::Timer;
use super::{Actor, ConnectionId, ReplyTo};
use crate::domain::{Action, Ask, Event, EventData, Session, Source, Timestamp};
use crate::wire::{Outcome, Push, Refusal, Reply, encode};

/// How many keys of viewers are held while a prompt is being typed, in bytes.
const HELD_KEYS: usize = 64 << 10;

/// How long before a reader that has missed events is looked at again. It reads a full queue in some milliseconds.
const TELL_AGAIN: Duration = Duration::from_millis(50);

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    frames: mpsc::Sender<Vec<u8>>,
    subscribed: bool,
    /// The first event that it missed because it was too slow.
    missed: Option<u64>,
    viewer: Option<Viewer>,
    /// The session as it was told here; that it is no longer so will be told once.
    told: Option<Box<Session>>,
}

#[derive(Debug)]
struct Viewer {
    by: String,
    watch: bool,
    size: (u16, u16),
    behind: bool,
    typed: bool,
    held: Vec<u8>,
}

impl Connection {
    pub(super) fn new(frames: mpsc::Sender<Vec<u8>>) -> Self {
        Self { frames, subscribed: false, missed: None, viewer: None, told: None }
    }

    fn send(&self, value: &impl Serialize) -> bool {
        match encode(value) {
            Ok(frame) => self.frames.try_send(frame).is_ok(),
            Err(error) => {
                tracing::error!(%error, "a frame could not be encoded");
                false
            }
        }
    }
}

impl Actor {
    /// Answers a call.
    pub(super) fn reply(&mut self, to: ReplyTo, value: &impl Serialize) {
        match to_raw_value(value) {
            Ok(value) => self.send_reply(to, Outcome::Done(value)),
            Err(error) => tracing::error!(%error, "an answer could not be encoded"),
        }
    }

    /// Refuses a call.
    pub(super) fn refuse(&mut self, to: ReplyTo, refusal: Refusal) {
        self.answer_receipts.remove(&to);
        self.send_reply(to, Outcome::Failed(refusal));
    }

    fn send_reply(&mut self, to: ReplyTo, outcome: Outcome) {
        let Some(connection) = self.connections.get(&to.connection) else { return };
        if !connection.send(&Reply { call: to.call, outcome }) {
            // Whoever does not read its answers gets no more; its calls end with the connection.
            self.on_gone(to.connection);
        }
    }

    /// Answers whoever answered an ask.
    pub(super) fn reply_answered(&mut self, to: ReplyTo, ask: &Ask) {
        match self.answer_receipts.remove(&to) {
            Some(key) => self.reply_answer_receipt(to, key),
            None => self.reply(to, ask),
        }
    }

    /// Makes a connection a reader of events, those in `backlog` first.
    pub(super) fn subscribe(&mut self, id: ConnectionId, backlog: Vec<Event>) {
        let position = self.events.position();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.subscribed = true;
        let Some(last) = backlog.last().map(|event| event.seq) else { return };
        let gap = (last < position.seq)
            .then(|| self.events.unnumbered(position.seq, super::ending::gap(last + 1, position.seq)));
        // They take one place in the queue, which has fewer than there may be events.
        let mut frames = Vec::new();
        for event in backlog.into_iter().chain(gap) {
            match encode(&Push::Event { event: Box::new(event) }) {
                Ok(frame) => frames.extend(frame),
                Err(error) => tracing::error!(%error, "an event could not be encoded"),
            }
        }
        if connection.frames.try_send(frames).is_err() {
            self.on_gone(id);
        }
    }

    /// Tells every reader of an event. One that is behind is told a gap first.
    pub(super) fn announce(&mut self, event: &Event) {
        for connection in self.connections.values_mut().filter(|connection| connection.subscribed) {
            if let Some(from) = connection.missed {
                let gap = self.events.unnumbered(event.seq - 1, super::ending::gap(from, event.seq - 1));
                if !connection.send(&Push::Event { event: Box::new(gap) }) {
                    continue;
                }
                connection.missed = None;
            }
            if !connection.send(&Push::Event { event: Box::new(event.clone()) }) {
                connection.missed = Some(event.seq);
            }
        }
        self.see_to_missed();
    }

    /// Tells the gap to readers that have missed events, if they have room for it by now. The next event would, but
    /// there may be none.
    pub(super) fn tell_missed(&mut self) {
        let last = self.events.position().seq;
        for connection in self.connections.values_mut() {
            connection.missed = connection.missed.filter(|from| {
                let gap = self.events.unnumbered(last, super::ending::gap(*from, last));
                !connection.send(&Push::Event { event: Box::new(gap) })
            });
        }
        self.see_to_missed();
    }

    fn see_to_missed(&mut self) {
        if self.connections.values().any(|connection| connection.missed.is_some()) {
            self.timers.ensure(Timer::Missed, TELL_AGAIN);
        }
    }

    /// Notes that the session was told as this: its next change is told to the same connection.
    pub(super) fn tell_change(&mut self, to: ReplyTo, session: Session) {
        if let Some(connection) = self.connections.get_mut(&to.connection) {
            connection.told = Some(Box::new(session));
        }
    }

    /// Tells those who know the session otherwise that it has changed. A sign of life alone is no change.
    pub(super) fn announce_change(&mut self) {
        if self.connections.values().all(|connection| connection.told.is_none()) {
            return;
        }
        let now = self.session();
        for connection in self.connections.values_mut() {
            let changed = connection.told.take_if(|told| {
                told.last_activity = now.last_activity;
                **told != now
            });
            if changed.is_some() && !connection.send(&Push::Changed) {
                // It is too slow; it will be told when it has read on.
                connection.told = changed;
            }
        }
    }

    /// Tells of a message that joined the conversation.
    pub(super) fn announce_message(&mut self, id: u64) {
        if let Some((role, content_type, text, tool_name)) = self.conversation.preview(id) {
            self.emit(EventData::Message { id, role, content_type, text, tool_name });
        }
    }

    /// A connection is gone, and with it whatever it waited for.
    pub(super) fn on_gone(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Some(viewer) = connection.viewer {
            self.note(Source::Aegis, Timestamp::now(), format!("{} detached", viewer.by), None);
            self.fit();
        }
        let waiting: Vec<_> = self
            .asks
            .open()
            .iter()
            .filter(|open| open.hook.is_some_and(|to| to.connection == id))
            .map(|open| open.ask.id)
            .collect();
        for ask in waiting {
            self.on_hook_gone(ask);
        }
    }

    /// Makes a connection a viewer of the terminal.
    pub(super) fn attach(&mut self, to: ReplyTo, size: (u16, u16), watch: bool, by: &str) {
        let pane = self.pane(false, 0);
        self.reply(to, &pane);
        let Some(connection) = self.connections.get_mut(&to.connection) else { return };
        connection.viewer =
            Some(Viewer { by: by.to_owned(), watch, size, behind: true, typed: false, held: Vec::new() });
        self.note(Source::Aegis, Timestamp::now(), format!("{by} attached"), None);
        if !watch {
            self.fit();
        }
        self.show(&[]);
    }

    /// Passes output to viewers. One that was too slow is shown the whole screen as soon as it reads again.
    pub(super) fn show(&mut self, bytes: &[u8]) {
        let mut redraw = None;
        for connection in self.connections.values_mut() {
            let Some(viewer) = &mut connection.viewer else { continue };
            let output = if viewer.behind {
                redraw.get_or_insert_with(|| STANDARD.encode(self.grid.redraw())).clone()
            } else {
                STANDARD.encode(bytes)
            };
            let push = Push::Output { bytes: output };
            viewer.behind = !encode(&push).is_ok_and(|frame| connection.frames.try_send(frame).is_ok());
        }
    }

    /// Keys from a viewer. While a prompt is being typed they wait.
    pub(super) fn on_keys(&mut self, id: ConnectionId, bytes: &str) {
        let Ok(keys) = STANDARD.decode(bytes) else { return };
        let typing = self.deliver.typing() || self.keying.is_some();
        let Some(viewer) = self.connections.get_mut(&id).and_then(|connection| connection.viewer.as_mut())
        else {
            return;
        };
        if viewer.watch {
            return;
        }
        let first = !std::mem::replace(&mut viewer.typed, true);
        let by = viewer.by.clone();
        if typing {
            if viewer.held.len() + keys.len() <= HELD_KEYS {
                viewer.held.extend(keys);
            }
        } else {
            self.pty.write(keys, None);
        }
        if first {
            self.emit(EventData::Action { action: Action::Attach, by });
        }
    }

    /// Passes on the keys that waited for a delivery.
    pub(super) fn pass_held_keys(&mut self) {
        for connection in self.connections.values_mut() {
            if let Some(viewer) = &mut connection.viewer
                && !viewer.held.is_empty()
            {
                self.pty.write(std::mem::take(&mut viewer.held), None);
            }
        }
    }

    /// A viewer's window changed.
    pub(super) fn on_resize(&mut self, id: ConnectionId, size: (u16, u16)) {
        if let Some(viewer) = self.connections.get_mut(&id).and_then(|connection| connection.viewer.as_mut())
        {
            viewer.size = size;
            self.fit();
        }
    }

    /// Fits the terminal to the smallest window that types into it; without one it has its own size again.
    fn fit(&mut self) {
        let writers = self.connections.values().filter_map(|c| c.viewer.as_ref()).filter(|v| !v.watch);
        let (cols, rows) = writers
            .map(|viewer| viewer.size)
            .reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))
            .unwrap_or(self.launch.size);
        if self.grid.size() != (cols, rows) {
            self.grid.resize(cols, rows);
            let (cols, rows) = self.grid.size();
            self.pty.resize(cols, rows);
            self.view.changed();
        }
    }
}
