//! What tests do again and again with a session.

use std::time::{Duration, Instant};

use aegis::domain::{Ask, Message, OpError, Receipt, Role, Session, StatusWord};
use aegis::engine::{AttachInput, Attachment};
use aegis::ops::{
    Aegis, ApprovePermission, Caller, CreateSession, GetTranscript, KillSession, RejectPermission,
    SendMessage, SessionCreated, SessionDetail, SessionLatency, SessionMetrics, SessionRef, SessionSummary,
    WaitForSession,
};

use super::Lab;

/// Longer than anything takes on a busy machine; only a failing test waits it out.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One server's view of a laboratory.
#[derive(Clone)]
pub struct Driver {
    pub aegis: Aegis,
    pub caller: Caller,
    pub work_dir: String,
}

impl Driver {
    pub fn new(lab: &Lab) -> Self {
        let (aegis, caller) = lab.aegis();
        Self { aegis, caller, work_dir: lab.work_dir() }
    }

    pub async fn create(&self, prompt: Option<&str>) -> SessionCreated {
        let req = CreateSession {
            work_dir: self.work_dir.clone(),
            prompt: prompt.map(str::to_owned),
            reuse: Some(false),
            ..CreateSession::default()
        };
        self.aegis.create_session(&self.caller, req).await.unwrap()
    }

    /// Starts a session and waits until it is idle.
    pub async fn idle(&self) -> String {
        let id = self.create(None).await.session.id.to_string();
        self.until(&id, StatusWord::Idle).await;
        id
    }

    /// Waits until the session is in this status; ends the test, with all that is known, if it never is.
    pub async fn until(&self, id: &str, wanted: StatusWord) -> Session {
        self.until_any(id, &[wanted]).await
    }

    pub async fn until_any(&self, id: &str, wanted: &[StatusWord]) -> Session {
        let deadline = Instant::now() + PATIENCE;
        let mut cursor = None;
        while Instant::now() < deadline {
            let req = WaitForSession {
                session_ids: Some(vec![id.into()]),
                until: Some(wanted.to_vec()),
                timeout_ms: Some(5000),
                cursor: cursor.take(),
            };
            let waited = self.aegis.wait_for_session(&self.caller, req).await.unwrap();
            if let Some(woke) = waited.woke.into_iter().find(|woke| wanted.contains(&woke.session.status)) {
                return woke.session;
            }
            cursor = Some(waited.cursor);
        }
        let detail = self.show(id).await;
        let req = aegis::ops::CapturePane { session_id: id.into(), ..Default::default() };
        let pane = self.aegis.capture_pane(&self.caller, req).await.map(|pane| pane.pane).unwrap_or_default();
        let evidence: Vec<_> = detail
            .evidence
            .iter()
            .map(|e| format!("{} {:?} {} {:?}", e.at, e.source, e.what, e.accepted))
            .collect();
        panic!(
            "waited for {wanted:?}, but the session is {:?}\nasks: {:#?}\nreceipts: {:#?}\nevidence: {evidence:#?}\n{pane}",
            detail.session.status, detail.session.open_asks, detail.receipts
        );
    }

    pub async fn show(&self, id: &str) -> SessionDetail {
        self.aegis.get_status(&self.caller, SessionRef { session_id: id.into() }).await.unwrap()
    }

    pub async fn metrics(&self, id: &str) -> SessionMetrics {
        self.aegis.get_session_metrics(&self.caller, SessionRef { session_id: id.into() }).await.unwrap()
    }

    pub async fn summary(&self, id: &str) -> SessionSummary {
        self.aegis.get_session_summary(&self.caller, SessionRef { session_id: id.into() }).await.unwrap()
    }

    pub async fn latency(&self, id: &str) -> SessionLatency {
        self.aegis.get_session_latency(&self.caller, SessionRef { session_id: id.into() }).await.unwrap()
    }

    pub async fn send(&self, id: &str, text: &str) -> Result<Receipt, OpError> {
        let req = SendMessage { session_id: id.into(), text: Some(text.into()), ..SendMessage::default() };
        self.aegis.send_message(&self.caller, req).await
    }

    /// Waits until the screen shows this text.
    pub async fn screen(&self, id: &str, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let req = aegis::ops::CapturePane { session_id: id.into(), ..Default::default() };
            let pane = self.aegis.capture_pane(&self.caller, req).await.unwrap().pane;
            if pane.contains(wanted) {
                return;
            }
            assert!(Instant::now() < deadline, "the screen never showed `{wanted}`:\n{pane}");
            tokio::task::yield_now().await;
        }
    }

    /// Presses a key as a person does: again when nothing comes of it. Claude Code swallows keys in a dialog's first
    /// 0.2 s (2.1.330).
    pub async fn press(&self, terminal: &Attachment, key: &[u8], id: &str, open_asks: usize) {
        let left = || async { self.show(id).await.session.open_asks.len() };
        for _ in 0..5 {
            terminal.input.send(AttachInput::Keys(key.to_vec())).await.unwrap();
            let again = Instant::now() + Duration::from_secs(3);
            while Instant::now() < again {
                if left().await == open_asks {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }
        panic!("{} asks are open, not {open_asks}", left().await);
    }

    /// The only open ask.
    pub async fn ask(&self, id: &str) -> Ask {
        let session = self.until_any(id, &[StatusWord::PermissionPrompt, StatusWord::Asking]).await;
        assert_eq!(session.open_asks.len(), 1, "{:#?}", session.open_asks);
        session.open_asks.into_iter().next().unwrap()
    }

    pub async fn approve(&self, id: &str, ask: Option<String>) -> Result<Ask, OpError> {
        let req = ApprovePermission { session_id: id.into(), ask_id: ask, ..ApprovePermission::default() };
        self.aegis.approve_permission(&self.caller, req).await
    }

    pub async fn reject(&self, id: &str, reason: &str) -> Result<Ask, OpError> {
        let req = RejectPermission { session_id: id.into(), reason: Some(reason.into()), ask_id: None };
        self.aegis.reject_permission(&self.caller, req).await
    }

    pub async fn messages(&self, id: &str, role: Option<Role>) -> Vec<Message> {
        let req = GetTranscript {
            session_id: id.into(),
            role,
            limit: Some(200),
            max_chars: Some(1_000_000),
            ..GetTranscript::default()
        };
        self.aegis.get_transcript(&self.caller, req).await.unwrap().messages
    }

    pub async fn kill(&self, id: &str) -> Session {
        let req = KillSession { session_id: id.into(), force: None };
        self.aegis.kill_session(&self.caller, req).await.unwrap()
    }
}
