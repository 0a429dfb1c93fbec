//! Hook events that come from elsewhere than `aegis hook`.

use std::time::Duration;

use serde_json::Value;

use super::Engine;
use super::link::refused;
use crate::claude::hook::slim;
use crate::claude::settings::decides;
use crate::domain::{ErrorCode, OpError, Secret, SessionId};
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::{HolderClient, HolderError};
use crate::wire::{HookReply, RefusalCode, Request};

impl Engine {
    /// Hands an event to the session's holder and gives back what Claude Code is to be told; nothing for no opinion.
    /// Waits as long as a decision may take; whoever stops waiting withdraws the question.
    ///
    /// # Errors
    ///
    /// `forbidden` for a wrong secret and for a session that is not there or has ended; `holder_unreachable`.
    pub async fn hook(
        &self,
        id: SessionId,
        secret: Secret,
        event: String,
        payload: Value,
    ) -> Result<String, OpError> {
        let unknown = || OpError::new(ErrorCode::Forbidden, "no such session, or not its secret");
        let row = self.db(move |store| store.session(id)).await?.filter(|row| row.ended.is_none());
        let row = row.ok_or_else(unknown)?;
        let wait = match decides(&event) {
            true => Duration::from_millis(self.config().hook_ask_timeout_ms),
            false => ANSWERS_WITHIN,
        };
        let request =
            Request::Hook { secret: secret.reveal().to_owned(), event, payload: slim(payload), called: None };
        // A connection of its own: the holder takes its end for that of the hook.
        let asked = async {
            let (client, _pushes) = HolderClient::connect(&row.socket, ANSWERS_WITHIN).await?;
            client.ask::<HookReply>(request, wait).await
        };
        match asked.await {
            Ok(HookReply { stdout }) => Ok(stdout),
            Err(HolderError::Refused(refusal)) if refusal.code == RefusalCode::Forbidden => Err(unknown()),
            Err(HolderError::Refused(refusal)) => Err(refused(refusal)),
            // Nobody decided: the dialog stays open in the terminal.
            Err(HolderError::Silent(after)) if after == wait && wait > ANSWERS_WITHIN => Ok(String::new()),
            Err(HolderError::Unreachable(_)) => Err(unknown()),
            Err(error) => Err(OpError::new(ErrorCode::HolderUnreachable, error.to_string())),
        }
    }
}
