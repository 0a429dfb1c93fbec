//! The page of sessions that was told last. Whoever looks often is told the same bytes again while nothing has changed.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;

use crate::domain::Session;

/// One page, rendered.
#[derive(Default)]
pub(super) struct Listed(Mutex<Option<Page>>);

struct Page {
    /// All sessions that the page was made of. They are held, so another one cannot have the place of any.
    sessions: Vec<Arc<Session>>,
    page: usize,
    limit: usize,
    body: Bytes,
}

impl Listed {
    /// Gives the page again, or makes it.
    pub(super) fn page(
        &self,
        sessions: Vec<Arc<Session>>,
        (page, limit): (usize, usize),
        render: impl FnOnce(&[Arc<Session>]) -> Bytes,
    ) -> Bytes {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &&Page| {
            (known.page, known.limit, known.sessions.len()) == (page, limit, sessions.len())
                && known.sessions.iter().zip(&sessions).all(|(one, other)| Arc::ptr_eq(one, other))
        };
        if let Some(known) = last.as_ref().filter(same) {
            return known.body.clone();
        }
        let body = render(&sessions);
        *last = Some(Page { sessions, page, limit, body: body.clone() });
        body
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::SessionId;

    fn session() -> Session {
        let at = "2026-01-01T00:00:00.000Z";
        let session = json!({
            "id": SessionId::mint(), "name": "one", "status": "idle", "since": at, "source": "hook",
            "confidence": "high", "workDir": "/", "permissionMode": "default", "createdAt": at, "lastActivity": at,
            "openAsks": [],
        });
        serde_json::from_value(session).unwrap()
    }

    #[test]
    fn a_page_is_made_once_for_the_same_sessions() {
        let listed = Listed::default();
        let (one, other) = (Arc::new(session()), Arc::new(session()));
        let mut made = 0;
        let mut page = |sessions: &[&Arc<Session>], which| {
            let sessions: Vec<_> = sessions.iter().map(|session| Arc::clone(session)).collect();
            listed.page(sessions, which, |_| {
                made += 1;
                Bytes::new()
            });
            made
        };
        assert_eq!(page(&[&one], (1, 20)), 1);
        assert_eq!(page(&[&one], (1, 20)), 1);
        assert_eq!(page(&[&one, &other], (1, 20)), 2);
        assert_eq!(page(&[&other, &one], (1, 20)), 3);
        assert_eq!(page(&[&other, &one], (2, 20)), 4);
    }
}
