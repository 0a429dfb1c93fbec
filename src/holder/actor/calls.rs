//! What callers ask of a session.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::option;
use super::keying::Choice;
use super::{Actor, ReplyTo};
use crate::domain::{
    Action, Answer, AskKind, AskVia, Delivery, EventData, How, Position, Receipt, ReceiptState, Session,
    SessionStats, SessionStatus, StatusWord, Timestamp, WhenBusy, unusual,
};
use crate::holder::process::ProcessId;
use crate::wire::{Claimed, Events, Pane, Refusal, RefusalCode, Request, Snapshot};

/// How much evidence a snapshot carries.
const EVIDENCE_TOLD: usize = 20;
/// How many receipts a snapshot carries.
const RECEIPTS_TOLD: usize = 10;
/// How many events one answer carries at most.
const MOST_EVENTS: usize = 10_000;

/// An answer that was sent as a message: it gets a receipt.
pub(super) struct AnswerKey {
    receipt: Receipt,
    /// What its idempotency key stands for.
    text: String,
}

impl Actor {
    /// Takes a call.
    pub(super) fn on_call(&mut self, to: ReplyTo, request: Request) {
        match request {
            Request::Snapshot => self.reply_snapshot(to),
            Request::Session => {
                let session = self.session();
                self.reply(to, &session);
                self.tell_change(to, session);
            }
            Request::Subscribe { after } => self.on_subscribe(to, after),
            Request::Events { after, limit } => {
                let events = self.events.after(after, limit.min(MOST_EVENTS));
                let answer = Events { events, position: self.events.position() };
                self.reply(to, &answer);
            }
            Request::Send { text, when_busy, key, by } => self.on_send(to, text, when_busy, key, &by),
            Request::Type { delivery, text, key, by } => self.on_type(to, delivery, &text, key, &by),
            Request::AwaitReceipt { id, timeout_ms, output } => {
                self.await_receipt(to, id, timeout_ms, output)
            }
            Request::Claim { prompt, key, by } => self.on_claim(to, prompt, key, by),
            Request::Answer { ask_id, answer, by } => self.on_answer(to, ask_id, answer, &by),
            Request::Choose { answers, key, by } => self.on_choose(to, answers, key, &by),
            Request::Interrupt { by } => {
                let word = self.status.current().word();
                if self.status.current().in_turn() || word == StatusWord::PermissionPrompt {
                    self.emit(EventData::Action { action: Action::Interrupt, by });
                    self.start_interrupt(Some(to));
                } else {
                    self.reply_snapshot(to);
                }
            }
            Request::Escape { by } => {
                self.press_escape(&by);
                self.reply_snapshot(to);
            }
            Request::Kill { force, by } => self.start_kill(force, &by, Some(to)),
            Request::Messages(query) => match self.conversation.page(&query) {
                Ok(page) => self.reply(to, &page),
                Err(error) => {
                    let what = format!("the transcript could not be read: {error}");
                    self.refuse(to, Refusal::new(RefusalCode::StorageFailed, what));
                }
            },
            Request::Pane { ansi, scrollback } => {
                let pane = self.pane(ansi, scrollback);
                self.reply(to, &pane);
            }
            Request::Explain => {
                let evidence: Vec<_> = self.status.evidence().cloned().collect();
                self.reply(to, &evidence);
            }
            Request::Attach { cols, rows, watch, by } => self.attach(to, (cols, rows), watch, &by),
            Request::Input { bytes } => self.on_keys(to.connection, &bytes),
            Request::Resize { cols, rows } => self.on_resize(to.connection, (cols, rows)),
            Request::Stats => {
                let stats = self.stats();
                self.reply(to, &stats);
            }
            Request::Policy { rules, by } => self.on_policy(to, rules, &by),
            Request::Verified { outcome, by } => {
                self.emit(EventData::Verified { outcome, by });
                self.reply(to, &());
            }
            Request::Hook { secret, event, payload, called } => {
                self.hook_called = called;
                self.on_hook(to, &secret, &event, payload);
                self.hook_called = None;
            }
            Request::Ping => self.reply(to, &()),
            Request::Unknown => {
                let what = "the holder is of a version that does not know this request";
                self.refuse(to, Refusal::new(RefusalCode::Unsupported, what));
            }
        }
    }

    fn on_subscribe(&mut self, to: ReplyTo, after: Option<Position>) {
        let backlog = if after.is_some() { self.events.after(after, MOST_EVENTS) } else { Vec::new() };
        self.reply_snapshot(to);
        self.subscribe(to.connection, backlog);
    }

    fn on_send(&mut self, to: ReplyTo, text: String, when_busy: WhenBusy, key: Option<String>, by: &str) {
        if self.reply_known(to, key.as_deref(), &text) {
            return;
        }
        if self.kill.is_some() {
            return self.refuse(to, Refusal::new(RefusalCode::SessionEnded, "the session is being ended"));
        }
        if !self.asks.open().is_empty() {
            return self.send_to_ask(to, text, key, by);
        }
        match self.accept(&text, key, when_busy) {
            Ok(receipt) => self.reply(to, &receipt),
            Err(refusal) => self.refuse(to, refusal),
        }
    }

    /// Answers a call whose idempotency key was used before; returns whether it was.
    pub(super) fn reply_known(&mut self, to: ReplyTo, key: Option<&str>, text: &str) -> bool {
        let Some((receipt, same)) = key.and_then(|key| self.receipts.by_key(key, text)) else { return false };
        let receipt = receipt.clone();
        if same {
            self.reply(to, &receipt);
        } else {
            let what = "the idempotency key was used for another prompt";
            self.refuse(to, Refusal::new(RefusalCode::KeyReused, what).about(&receipt));
        }
        true
    }

    /// Answers to the questions that are open.
    fn on_choose(&mut self, to: ReplyTo, answers: BTreeMap<String, String>, key: Option<String>, by: &str) {
        let text = serde_json::to_string(&answers).unwrap_or_default();
        if !self.reply_known(to, key.as_deref(), &text) {
            let key = self.answer_key(key, text);
            self.answer_receipts.insert(to, key);
            self.on_answer(to, None, Answer::Choices { answers }, by);
        }
    }

    fn answer_key(&self, key: Option<String>, text: String) -> AnswerKey {
        let id = self.launch.spec.id;
        let receipt = Receipt::new(id, key, Delivery::Answer, text.len(), Timestamp::now());
        AnswerKey { receipt, text }
    }

    /// A message while something is asked: it answers a question, or a dialog whose option it names.
    fn send_to_ask(&mut self, to: ReplyTo, text: String, key: Option<String>, by: &str) {
        let open = match self.asks.open() {
            [open] => open,
            _ => return self.refuse(to, self.blocked()),
        };
        let id = open.ask.id;
        let question = open.ask.kind == AskKind::Question && open.ask.via == AskVia::Hook;
        let choice = open.dialog.as_ref().and_then(|dialog| Some((dialog.clone(), option(dialog, &text)?)));
        let key = self.answer_key(key, text.clone());
        if question {
            self.answer_receipts.insert(to, key);
            self.on_answer(to, Some(id), Answer::Text { text }, by);
        } else if let (Some((dialog, option)), None) = (choice, &self.keying) {
            self.answer_receipts.insert(to, key);
            self.press(dialog, Choice::Option(option), by, Some((id, How::Answered)), Some(to));
        } else {
            self.refuse(to, self.blocked());
        }
    }

    /// Why nothing can be sent while asks are open.
    pub(super) fn blocked(&self) -> Refusal {
        let what = format!("{} open ask(s) must be answered first", self.asks.open().len());
        Refusal::new(RefusalCode::SessionBlocked, what).about(&self.asks.list())
    }

    /// Gives an answer its receipt.
    pub(super) fn reply_answer_receipt(&mut self, to: ReplyTo, key: AnswerKey) {
        let AnswerKey { receipt, text } = key;
        let id = receipt.id;
        self.emit(EventData::Receipt(receipt.clone()));
        self.receipts.add(receipt, &text, String::new());
        self.advance(id, ReceiptState::Submitted, Timestamp::now(), "the answer was handed to Claude Code");
        let receipt = self.receipts.get(id).cloned();
        self.reply(to, &receipt);
    }

    /// Gives the session to one caller for new work, if it is idle and nobody else has it.
    fn on_claim(&mut self, to: ReplyTo, prompt: Option<String>, key: Option<String>, by: String) {
        let now = Instant::now();
        let leased = self.leased_at.is_some_and(|at| now < at + LEASE);
        let free = *self.status.current() == SessionStatus::Idle
            && self.asks.open().is_empty()
            && !self.receipts.any_on_the_way()
            && self.kill.is_none()
            // Whoever creates a session names its rules, and these are others.
            && !self.rules.changed
            && !leased;
        if !free {
            let what = "the session is not idle, or was just taken";
            return self.refuse(to, Refusal::new(RefusalCode::NotClaimable, what));
        }
        let receipt = match prompt.map(|text| self.accept(&text, key, WhenBusy::Refuse)).transpose() {
            Ok(receipt) => receipt,
            Err(refusal) => return self.refuse(to, refusal),
        };
        // A prompt on its way keeps others off by itself.
        self.leased_at = receipt.is_none().then_some(now);
        self.emit(EventData::Action { action: Action::Reuse, by });
        let claimed = Claimed { snapshot: self.snapshot(), receipt };
        self.reply(to, &claimed);
    }

    /// Answers with the present state.
    pub(super) fn reply_snapshot(&mut self, to: ReplyTo) {
        let snapshot = self.snapshot();
        self.reply(to, &snapshot);
    }

    /// The screen as text.
    pub(super) fn pane(&mut self, ansi: bool, scrollback: usize) -> Pane {
        let (cols, rows) = self.grid.size();
        let screen = self.grid.screen();
        Pane {
            pane: self.grid.pane(ansi, scrollback),
            cols,
            rows,
            cursor: screen.cursor,
            title: self.grid.title().to_owned(),
        }
    }

    /// The present state.
    pub(super) fn snapshot(&self) -> Snapshot {
        let process = ProcessId::of(self.pid).filter(|_| !self.is_over());
        let mut evidence: Vec<_> = self.status.evidence().rev().take(EVIDENCE_TOLD).cloned().collect();
        evidence.reverse();
        let session = self.session();
        Snapshot {
            position: self.events.position(),
            pid: process.map(|process| process.pid),
            holder_pid: std::process::id(),
            holder_version: env!("CARGO_PKG_VERSION").into(),
            claude_version: self.claude_version.clone(),
            rss_bytes: process.and_then(ProcessId::rss),
            context_used_pct: self.conversation.context_used_pct(),
            evidence,
            receipts: self.receipts.latest(RECEIPTS_TOLD),
            background_tasks: self.background.len(),
            conversations: self.conversation.chain().to_vec(),
            transcript_path: self.conversation.path().map(|path| path.display().to_string()),
            ending: session.ending.clone(),
            permission_mode: self.permission_mode,
            session,
        }
    }

    /// The figures up to now.
    pub(super) fn stats(&mut self) -> SessionStats {
        self.conversation.read_agents();
        SessionStats { events: self.tally.stats().clone(), talk: self.conversation.stats().clone() }
    }

    pub(super) fn session(&self) -> Session {
        let spec = &self.launch.spec;
        let report = self.status.report();
        let status = &report.status;
        Session {
            id: spec.id,
            name: spec.name.clone(),
            status: status.word(),
            since: report.since,
            source: report.source,
            confidence: report.confidence,
            work_dir: spec.work_dir.display().to_string(),
            model: spec.model.clone(),
            permission_mode: self.permission_mode,
            created_at: spec.created_at,
            last_activity: self.active_at,
            open_asks: self.asks.list(),
            last_message: self.conversation.last_message(),
            conversation_id: self.conversation.chain().last().copied(),
            parent_id: spec.parent_id,
            owner_key: spec.owner_key.clone(),
            worktree: spec.worktree.clone(),
            error: if let SessionStatus::Error(error) = status { Some(error.clone()) } else { None },
            limit: if let SessionStatus::RateLimited(limit) = status { Some(limit.clone()) } else { None },
            ending: if let SessionStatus::Ended(ending) = status { Some(ending.clone()) } else { None },
            stall_threshold_ms: unusual(spec.stall_threshold_ms),
        }
    }
}

/// How long a session that was taken without a prompt is kept for whoever took it.
const LEASE: Duration = Duration::from_secs(5);

/// Answers that are being given, by who waits for their receipt.
pub(super) type AnswerReceipts = BTreeMap<ReplyTo, AnswerKey>;
