//! Asks as forms for the person in front of the host.
//!
//! Only where the server was started for it and the host can do it. Whoever answers first, here or on any other surface,
//! has answered; a form that is still open then is taken back. A person who declines or closes a form has not decided:
//! the ask stays open. Nothing waits for a host that never answers.

mod form;

use std::collections::{HashMap, HashSet};

use rmcp::RoleServer;
use rmcp::model::{
    ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::{Ask, AskId, EventData, OpError, SessionId};
use crate::ops::{Aegis, AnswerAsk, Caller, ListSessions, News, SessionRef};
use form::Form;

/// How many forms may be open in one host. More would bury a person; the others follow as these are done.
const FORMS: usize = 32;

/// How often a form that came back incomplete is shown again.
const TRIES: usize = 3;

/// How answers that were given in a form are told from others.
const SURFACE: &str = "elicitation";

/// The forms of one connection. They go with it.
pub(super) struct Asks {
    aegis: Aegis,
    caller: Caller,
    peer: Peer<RoleServer>,
    /// The open asks that were put to the person, and how to take their forms back.
    put: HashMap<AskId, (SessionId, CancellationToken)>,
    forms: JoinSet<()>,
    /// Whether some asks wait until fewer forms are open.
    behind: bool,
}

impl Asks {
    /// Prepares to put asks to the person; none where the host has no forms.
    pub(super) fn new(aegis: Aegis, caller: &Caller, peer: Peer<RoleServer>) -> Option<Self> {
        let can = peer.peer_info()?.capabilities.elicitation.clone()?;
        // Older hosts say only that they can, and mean forms.
        let forms = can.form.is_some() || can.url.is_none();
        let caller = Caller { surface: SURFACE.into(), ..caller.clone() };
        forms.then(|| Self { aegis, caller, peer, put: HashMap::new(), forms: JoinSet::new(), behind: false })
    }

    /// Looks at all open asks: puts those that are new, and takes back those that are settled.
    pub(super) async fn look(&mut self) {
        self.behind = false;
        let all = ListSessions { limit: Some(200), ..ListSessions::default() };
        let sessions = match self.aegis.list_sessions(&self.caller, all).await {
            Ok(list) => list.sessions,
            Err(error) => return tracing::warn!(%error, "the open asks could not be read"),
        };
        let open: HashSet<_> =
            sessions.iter().flat_map(|session| &session.open_asks).map(|ask| ask.id).collect();
        self.withdraw(|id, _| !open.contains(&id));
        for session in sessions {
            for ask in session.open_asks {
                self.put(session.id, ask);
            }
        }
    }

    /// Takes in what happened.
    pub(super) async fn hear(&mut self, news: &News) {
        match news {
            News::Came(session) => {
                for ask in session.open_asks.clone() {
                    self.put(session.id, ask);
                }
            }
            News::Ended(session) => self.withdraw(|_, of| of == session.id),
            News::Missed => self.look().await,
            News::Event(event) => match &event.data {
                EventData::AskOpened(ask) => self.put(event.session_id, ask.clone()),
                EventData::AskResolved(ask) => self.withdraw(|id, _| id == ask.id),
                EventData::Gap { .. } => self.look().await,
                EventData::Launched { .. }
                | EventData::Status { .. }
                | EventData::Receipt(_)
                | EventData::Conversation { .. }
                | EventData::Message { .. }
                | EventData::ContextFilled { .. }
                | EventData::Verified { .. }
                | EventData::Action { .. } => {}
            },
        }
    }

    /// Waits until a form is done, and goes on with the asks that waited for it. Nothing is lost if the wait is given up.
    pub(super) async fn tend(&mut self) {
        if self.forms.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
        if self.behind {
            self.look().await;
        }
    }

    fn withdraw(&mut self, settled: impl Fn(AskId, SessionId) -> bool) {
        self.put.retain(|id, (session, withdrawn)| {
            let settled = settled(*id, *session);
            if settled {
                withdrawn.cancel();
            }
            !settled
        });
    }

    fn put(&mut self, session: SessionId, ask: Ask) {
        if self.put.contains_key(&ask.id) {
            return;
        }
        if self.forms.len() >= FORMS {
            self.behind = true;
            return;
        }
        let withdrawn = CancellationToken::new();
        self.put.insert(ask.id, (session, withdrawn.clone()));
        let form =
            One { aegis: self.aegis.clone(), caller: self.caller.clone(), peer: self.peer.clone(), session };
        self.forms.spawn(async move {
            let id = ask.id;
            if let Err(error) = form.put(ask, withdrawn).await {
                // Most often somebody was quicker.
                tracing::debug!(%error, ask = %id, "a form answered nothing");
            }
        });
    }
}

/// One form.
struct One {
    aegis: Aegis,
    caller: Caller,
    peer: Peer<RoleServer>,
    session: SessionId,
}

impl One {
    /// Puts one ask to the person and passes the answer on.
    async fn put(self, ask: Ask, withdrawn: CancellationToken) -> Result<(), OpError> {
        if !self.aegis.may_answer(&self.caller, self.session).await? {
            return Ok(());
        }
        let of = SessionRef { session_id: self.session.to_string() };
        let session = self.aegis.get_status(&self.caller, of).await?.session;
        let form = Form::of(&session, &ask);
        for _ in 0..TRIES {
            let Some(result) = self.show(&form, &withdrawn).await else { return Ok(()) };
            // Whoever declines or closes the form has decided nothing.
            if result.action != ElicitationAction::Accept {
                return Ok(());
            }
            if let Some(answer) = form.answer(&result.content.unwrap_or_default()) {
                let answer = AnswerAsk { session_id: self.session, ask_id: ask.id, answer };
                return self.aegis.answer_ask(&self.caller, answer).await.map(drop);
            }
        }
        Ok(())
    }

    /// Shows the form until it is filled in; none if it was taken back, or the host cannot show it.
    async fn show(&self, form: &Form, withdrawn: &CancellationToken) -> Option<ElicitResult> {
        let requested_schema = serde_json::from_value(form.schema.clone()).ok()?;
        let params = ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: form.message.clone(),
            requested_schema,
        };
        let request = ServerRequest::ElicitRequest(ElicitRequest::new(params));
        let options = PeerRequestOptions::no_options();
        let mut shown = self.peer.send_request_with_option(request, options).await.ok()?;
        tokio::select! {
            biased;
            answered = &mut shown.rx => match answered.ok()?.ok()? {
                ClientResult::ElicitResult(result) => Some(result),
                _ => None,
            },
            () = withdrawn.cancelled() => {
                let _ = shown.cancel(Some("it was answered elsewhere".into())).await;
                None
            }
        }
    }
}
