//! Receipts: what became of each prompt.

use std::collections::{HashMap, HashSet};

use super::Actor;
use crate::domain::{Delivery, EventData, Outcome, Receipt, ReceiptId, ReceiptState, Timestamp};
use crate::fault;

/// How many settled receipts are kept; an idempotency key is known as long as its receipt.
const KEPT: usize = 2000;

/// All receipts, oldest first, and the texts of those under way.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    all: Vec<Receipt>,
    /// What was typed, and since when, as long as it is not proved.
    typed: HashMap<ReceiptId, (String, Timestamp)>,
    /// What each idempotency key was used for.
    keys: HashMap<String, (ReceiptId, String)>,
    /// Those that Claude Code holds in its own queue.
    enqueued: HashSet<ReceiptId>,
}

impl Receipts {
    pub(super) fn get(&self, id: ReceiptId) -> Option<&Receipt> {
        self.all.iter().rev().find(|receipt| receipt.id == id)
    }

    pub(super) fn latest(&self, count: usize) -> Vec<Receipt> {
        self.all[self.all.len().saturating_sub(count)..].to_vec()
    }

    /// The receipt of a key, and whether it was for this text.
    pub(super) fn by_key(&self, key: &str, text: &str) -> Option<(&Receipt, bool)> {
        let (id, of) = self.keys.get(key)?;
        Some((self.get(*id)?, of == text))
    }

    /// Takes a new receipt. `typed` is kept until it is proved.
    pub(super) fn add(&mut self, receipt: Receipt, text: &str, typed: String) {
        if let Some(key) = &receipt.idempotency_key {
            self.keys.insert(key.clone(), (receipt.id, text.to_owned()));
        }
        let since = receipt.steps.first().map_or_else(Timestamp::now, |step| step.at);
        self.typed.insert(receipt.id, (typed, since));
        self.all.push(receipt);
        if self.all.len() > KEPT
            && let Some(at) = self.all.iter().position(|receipt| receipt.state.settled())
        {
            let old = self.all.remove(at);
            self.keys.retain(|_, (id, _)| *id != old.id);
            self.typed.remove(&old.id);
        }
    }

    /// The text of a receipt under way.
    pub(super) fn typed(&self, id: ReceiptId) -> Option<&str> {
        self.typed.get(&id).map(|(typed, _)| typed.as_str())
    }

    /// Whether something that was said at time `at` can be about this receipt: the same text may have been sent before.
    fn existed(&self, id: ReceiptId, at: Timestamp) -> bool {
        self.typed.get(&id).is_none_or(|(_, since)| *since <= at)
    }

    /// The clock was set back to `now`: nothing under way is younger than that.
    pub(super) fn rebase(&mut self, now: Timestamp) {
        for (_, since) in self.typed.values_mut() {
            *since = (*since).min(now);
        }
    }

    /// The oldest receipt under way (or uncertain) whose text is like this. What was said at time `at` says nothing
    /// about a receipt that is younger: the same text may have been sent before.
    pub(super) fn open_like(&self, like: impl Fn(&str) -> bool, at: Timestamp) -> Option<ReceiptId> {
        let open = |receipt: &&Receipt| {
            (receipt.state.pending() || receipt.state == ReceiptState::Uncertain)
                && self.existed(receipt.id, at)
        };
        self.all.iter().filter(open).map(|receipt| receipt.id).find(|id| self.typed(*id).is_some_and(&like))
    }

    /// The oldest receipt of this kind that was typed and is not over, and that something said at time `at` can be about.
    pub(super) fn oldest_of(&self, delivery: Delivery, at: Timestamp) -> Option<ReceiptId> {
        let open = |receipt: &&Receipt| {
            receipt.delivery == delivery
                && matches!(receipt.state, ReceiptState::Written | ReceiptState::Submitted)
                && self.existed(receipt.id, at)
        };
        self.all.iter().find(open).map(|receipt| receipt.id)
    }

    /// The shell line under way (or uncertain) that was typed like this.
    pub(super) fn shell_like(&self, like: impl Fn(&str) -> bool, at: Timestamp) -> Option<ReceiptId> {
        let open = |receipt: &&Receipt| {
            receipt.delivery == Delivery::Shell
                && receipt.output.is_none()
                && self.existed(receipt.id, at)
                && self.typed(receipt.id).is_some_and(&like)
        };
        self.all.iter().find(open).map(|receipt| receipt.id)
    }

    /// Notes what a shell line printed. Gives its receipt.
    pub(super) fn set_output(&mut self, id: ReceiptId, output: String) -> Option<Receipt> {
        let receipt = self.get_mut(id)?;
        receipt.output = Some(output);
        Some(receipt.clone())
    }

    /// Whether a shell line was taken whose output is still to be told.
    pub(super) fn shell_lags(&self) -> bool {
        let silent = |receipt: &Receipt| {
            receipt.delivery == Delivery::Shell
                && receipt.state == ReceiptState::Submitted
                && receipt.output.is_none()
        };
        self.all.iter().rev().take(100).any(silent)
    }

    /// Whether a prompt was handed over or is about to be, and is not yet proved.
    pub(super) fn any_on_the_way(&self) -> bool {
        !self.enqueued.is_empty() || self.all.iter().rev().take(100).any(|receipt| receipt.state.pending())
    }

    /// Whether a prompt is on its way, or was taken and its turn is not over.
    pub(super) fn any_open(&self) -> bool {
        let taken = |receipt: &Receipt| receipt.state == ReceiptState::Submitted;
        self.any_on_the_way() || self.all.iter().rev().take(100).any(taken)
    }

    /// A queued prompt stands in the conversation now.
    pub(super) fn unqueue(&mut self, id: ReceiptId) -> bool {
        self.enqueued.remove(&id)
    }

    /// The oldest prompt in Claude Code's own queue whose text is like this.
    pub(super) fn enqueued_like(&self, like: impl Fn(&str) -> bool, at: Timestamp) -> Option<ReceiptId> {
        let here = |receipt: &&Receipt| self.enqueued.contains(&receipt.id) && self.existed(receipt.id, at);
        let queued = self.all.iter().filter(here).map(|receipt| receipt.id);
        queued.into_iter().find(|id| self.typed(*id).is_some_and(&like))
    }

    fn in_state(&self, state: ReceiptState) -> Vec<ReceiptId> {
        self.all.iter().filter(|receipt| receipt.state == state).map(|receipt| receipt.id).collect()
    }

    /// Claude Code holds this one in its own queue.
    pub(super) fn mark_enqueued(&mut self, id: ReceiptId) {
        self.enqueued.insert(id);
    }

    /// Whether Claude Code holds this one in its own queue.
    pub(super) fn is_enqueued(&self, id: ReceiptId) -> bool {
        self.enqueued.contains(&id)
    }

    /// Receipts that were typed or are still to be.
    pub(super) fn pending(&self) -> Vec<ReceiptId> {
        let under_way = |receipt: &&Receipt| receipt.state.pending() || self.enqueued.contains(&receipt.id);
        self.all.iter().filter(under_way).map(|receipt| receipt.id).collect()
    }

    fn get_mut(&mut self, id: ReceiptId) -> Option<&mut Receipt> {
        self.all.iter_mut().rev().find(|receipt| receipt.id == id)
    }
}

impl Actor {
    /// Moves a receipt on and tells it.
    pub(super) fn advance(
        &mut self,
        id: ReceiptId,
        state: ReceiptState,
        at: Timestamp,
        evidence: impl Into<String>,
    ) {
        let Some(receipt) = self.receipts.get_mut(id) else { return };
        if !receipt.reach(state, at, evidence) {
            return;
        }
        let receipt = receipt.clone();
        if state.settled() && state != ReceiptState::Uncertain {
            self.receipts.typed.remove(&id);
        }
        if state.settled() {
            self.receipts.enqueued.remove(&id);
        }
        self.emit(EventData::Receipt(receipt));
        fault::point(match state {
            ReceiptState::Queued => "holder.queued",
            ReceiptState::Written => "holder.written",
            ReceiptState::Submitted => "holder.submitted",
            ReceiptState::TurnEnded => "holder.turn_ended",
            ReceiptState::Refused => "holder.refused",
            ReceiptState::Uncertain => "holder.uncertain",
        });
    }

    /// Ends the turn of all receipts that it took.
    pub(super) fn finish_receipts(&mut self, outcome: Outcome, at: Timestamp, evidence: &str) {
        for id in self.receipts.in_state(ReceiptState::Submitted) {
            if self.receipts.is_enqueued(id) {
                continue;
            }
            let stopped = self.interrupted || self.waits.stopping();
            let unknown = self.shows_unknown_command(id);
            if let Some(receipt) = self.receipts.get_mut(id) {
                // That Claude Code falls idle without a word is how commands end; a prompt's turn was interrupted then.
                let own = matches!(receipt.delivery, Delivery::Command | Delivery::Shell);
                let quiet = own && outcome == Outcome::Interrupted && !stopped;
                receipt.outcome = Some(match (unknown, quiet) {
                    (true, _) => Outcome::Failed,
                    (false, true) => Outcome::Completed,
                    (false, false) => outcome,
                });
            }
            self.advance(id, ReceiptState::TurnEnded, at, evidence);
        }
    }
}
