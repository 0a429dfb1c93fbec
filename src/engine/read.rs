//! Reading: conversation, screen, evidence; from the holder while it lives, from its files afterwards.

use std::sync::{Arc, PoisonError};
use std::time::Duration;
use std::{fs, io};

use super::Engine;
use super::link::{Observed, holder_id, outline};
use crate::domain::{
    ErrorCode, EventData, Evidence, MessagePage, MessageQuery, OpError, Session, StatusWord,
};
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::process::ProcessId;
use crate::holder::{Archive, SessionDir, journal};
use crate::store::SessionRow;
use crate::wire::{Pane, Request, Snapshot};

/// How long a holder that is ending may take to let go of its lock after its last word.
const LETS_GO: Duration = Duration::from_secs(2);

impl Engine {
    /// Reads a session's conversation.
    ///
    /// # Errors
    ///
    /// Those of `get_transcript`.
    pub async fn messages(&self, reference: &str, query: MessageQuery) -> Result<MessagePage, OpError> {
        let row = self.row(reference).await?;
        if row.ended.is_none() {
            match self.ask(&row, Request::Messages(query.clone()), ANSWERS_WITHIN).await {
                Err(error) if error.code == ErrorCode::SessionEnded => {}
                other => return other,
            }
        }
        let dir = SessionDir::new(&row.session_dir);
        let id = row.spec.id;
        let known = self.archive.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = known.filter(|(of, _)| *of == id).map(|(_, archive)| archive);
        let read = tokio::task::spawn_blocking(move || {
            let archive = match known.filter(|archive| archive.is_current(&dir)) {
                Some(archive) => archive,
                None => Arc::new(Archive::open(&dir)?),
            };
            Ok((archive.page(&query)?, archive))
        });
        let (page, archive) =
            read.await.map_err(io::Error::other).and_then(|read| read).map_err(|error| {
                OpError::new(ErrorCode::StorageFailed, format!("the conversation cannot be read: {error}"))
            })?;
        // Whoever reads pages reads more of them.
        *self.archive.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, archive));
        Ok(page)
    }

    /// Reads a session's screen.
    ///
    /// # Errors
    ///
    /// Those of `capture_pane`.
    pub async fn pane(&self, reference: &str, ansi: bool, scrollback: usize) -> Result<Pane, OpError> {
        let row = self.row(reference).await?;
        self.ask(&row, Request::Pane { ansi, scrollback }, ANSWERS_WITHIN).await
    }

    /// Tells what a session's status rests on.
    ///
    /// # Errors
    ///
    /// As for every call that names a session.
    pub async fn explain(&self, reference: &str) -> Result<(Session, Vec<Evidence>), OpError> {
        let row = self.row(reference).await?;
        match self.observe(&row, ANSWERS_WITHIN).await? {
            Observed::Live(snapshot) => {
                let evidence = self.ask(&row, Request::Explain, ANSWERS_WITHIN).await?;
                Ok((snapshot.session, evidence))
            }
            Observed::Ended(session) => Ok((*session, self.past_evidence(&row))),
            Observed::Silent => Ok((outline(&row, StatusWord::Unknown), self.past_evidence(&row))),
            Observed::Launching => Ok((outline(&row, StatusWord::Starting), Vec::new())),
        }
    }

    /// What the journal tells of a session's status.
    fn past_evidence(&self, row: &SessionRow) -> Vec<Evidence> {
        let path = SessionDir::new(&row.session_dir).journal();
        let events = journal::read(&path, None, usize::MAX).unwrap_or_default();
        let told = events.into_iter().filter_map(|event| match event.data {
            EventData::Status { report, from, what, .. } => {
                let to = report.status.word().as_str();
                let what = format!("{} → {to}: {what}", from.as_str());
                Some(Evidence { at: event.at, source: report.source, what, accepted: Some(true) })
            }
            _ => None,
        });
        told.collect()
    }

    /// The last state that an ended session's holder wrote down.
    pub(super) fn last_snapshot(&self, row: &SessionRow) -> Option<Snapshot> {
        serde_json::from_slice(&fs::read(SessionDir::new(&row.session_dir).last()).ok()?).ok()
    }

    /// Closes the records of a session that has just ended, once its holder has let go and is gone. `None` if it
    /// does not let go.
    pub(super) async fn closed(&self, row: &SessionRow) -> Result<Option<Session>, OpError> {
        self.unlink(row.spec.id);
        let until = tokio::time::Instant::now() + LETS_GO;
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        let holder = holder_id(row);
        let mut session = None;
        while tokio::time::Instant::now() < until {
            pause.tick().await;
            if session.is_none() {
                session = self.close(row).await?;
            }
            if session.is_some() && !holder.is_some_and(ProcessId::alive) {
                break;
            }
        }
        Ok(session)
    }
}
