//! Closing the records of a session whose holder is gone.
//!
//! Whoever gets the holder's lock knows that no holder lives, and is the only one to close. A holder that ended in
//! order has left its last state; for one that was killed, what it left half done is settled here.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::time::Duration;

use super::Engine;
use super::changes::tell;
use super::link::{last_told, outline};
use super::steward::{Copied, copy};
use crate::domain::{
    Ask, AskId, Confidence, EndCause, Ending, Epoch, ErrorCode, Event, EventData, How, OpError, Outcome,
    Receipt, ReceiptId, ReceiptState, Resolution, Session, SessionStatus, Source, StatusReport, StatusWord,
    Timestamp,
};
use crate::holder::journal::{self, Journal};
use crate::holder::{SessionDir, process};
use crate::store::SessionRow;

/// How long the processes of a killed holder get between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(1500);

impl Engine {
    /// Closes the session's records if no holder lives. `None` if one does.
    pub(super) async fn close(&self, row: &SessionRow) -> Result<Option<Session>, OpError> {
        let dir = SessionDir::new(&row.session_dir);
        let failed = |error: io::Error| {
            let what = format!("the records of session {} cannot be closed: {error}", row.spec.id);
            OpError::new(ErrorCode::StorageFailed, what)
        };
        let lock = match dir.try_lock() {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Ok(None),
            // The directory was removed by hand: nothing can hold it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let id = row.spec.id;
        if let Some(session) = self.db(move |store| store.session(id)).await?.and_then(|row| row.ended) {
            return Ok(Some(session));
        }
        let session = match last_told(&dir) {
            Some(snapshot) => snapshot.session,
            None => {
                if row.boot_id == process::boot_id() {
                    let tree = process::recorded(&dir.tree());
                    process::sweep(tree, GRACE, Default::default).await;
                }
                let row = row.clone();
                let closed = tokio::task::spawn_blocking(move || settle(&row, &dir, lock.is_some())).await;
                closed.map_err(io::Error::other).and_then(|closed| closed).map_err(failed)?
            }
        };
        let _ = fs::remove_file(&row.socket);
        let (record, ended) = (session.clone(), row.clone());
        self.db(move |store| {
            // Whoever looks for what is still to be copied looks at live sessions.
            copy(store, &ended, Copied::default())?;
            store.set_ended(id, &record)
        })
        .await?;
        tell(&self.paths.outbox_mark);
        Ok(Some(session))
    }
}

/// Writes down what a killed holder could not: its asks, its receipts, its end.
pub(super) fn settle(row: &SessionRow, dir: &SessionDir, writable: bool) -> io::Result<Session> {
    let events = journal::read(&dir.journal(), None, usize::MAX).unwrap_or_default();
    let now = Timestamp::now();
    let what = "the holder vanished: it was killed, or the machine was restarted";
    let mut ending = Ending {
        cause: EndCause::HolderLost,
        exit_code: None,
        signal: None,
        by: None,
        detail: Some(what.into()),
    };
    let mut session = outline(row, StatusWord::Starting);
    let mut asks: HashMap<AskId, Ask> = HashMap::new();
    let mut receipts: HashMap<ReceiptId, Receipt> = HashMap::new();
    for event in &events {
        match &event.data {
            EventData::Status { report, .. } => {
                session.status = report.status.word();
                session.since = report.since;
                if let SessionStatus::Ended(told) = &report.status {
                    ending = told.clone();
                }
            }
            EventData::AskOpened(ask) => {
                asks.insert(ask.id, ask.clone());
            }
            EventData::AskResolved(ask) => {
                asks.remove(&ask.id);
            }
            EventData::Receipt(receipt) => {
                receipts.insert(receipt.id, receipt.clone());
            }
            EventData::Conversation { conversation_id, .. } => {
                session.conversation_id = Some(*conversation_id)
            }
            EventData::Message { role, text, .. } => {
                session.last_message = Some(crate::domain::LastMessage { role: *role, text: text.clone() });
            }
            EventData::Launched { .. }
            | EventData::ContextFilled { .. }
            | EventData::Verified { .. }
            | EventData::Action { .. }
            | EventData::Gap { .. } => {}
        }
    }
    let from = session.status;
    // What an earlier call of this wrote down, all at one time, was no activity.
    let closed_before = |event: &&Event| from == StatusWord::Ended && event.at >= session.since;
    if let Some(event) = events.iter().rev().find(|event| !closed_before(event)) {
        session.last_activity = event.at;
    }
    if from != StatusWord::Ended {
        session.since = now;
    }
    if from != StatusWord::Ended && writable {
        let (epoch, mut seq) =
            events.last().map_or_else(|| (Epoch::mint(), 0), |event| (event.epoch, event.seq));
        let mut journal = Journal::open(&dir.journal())?;
        let mut append = |data: EventData| {
            seq += 1;
            journal.append(&Event { epoch, seq, session_id: row.spec.id, at: now, data })
        };
        for mut ask in asks.into_values() {
            let detail = Some("the holder vanished".into());
            ask.resolution = Some(Resolution { by: "aegis".into(), how: How::Withdrawn, at: now, detail });
            append(EventData::AskResolved(ask))?;
        }
        for mut receipt in receipts.into_values() {
            let state = match receipt.state {
                ReceiptState::Queued => ReceiptState::Refused,
                ReceiptState::Written => ReceiptState::Uncertain,
                ReceiptState::Submitted => {
                    receipt.outcome = Some(Outcome::SessionEnded);
                    ReceiptState::TurnEnded
                }
                ReceiptState::TurnEnded | ReceiptState::Refused | ReceiptState::Uncertain => continue,
            };
            receipt.reach(state, now, "the holder vanished");
            append(EventData::Receipt(receipt))?;
        }
        let report = StatusReport::new(SessionStatus::Ended(ending.clone()), now, Source::Process);
        append(EventData::Status { report, from, what: what.into(), lag_ms: None })?;
    }
    session.status = StatusWord::Ended;
    session.source = Source::Process;
    session.confidence = Confidence::High;
    session.ending = Some(ending);
    Ok(session)
}
