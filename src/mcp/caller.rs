//! Who calls over HTTP. On stdio it is the user of this machine.

use axum::http::request::Parts;
use rmcp::model::Extensions;

use super::door::McpDoor;
use crate::ops::Caller;

impl McpDoor {
    /// The door as whoever sent this request may use it.
    pub(super) fn on_behalf(&self, extensions: &Extensions) -> Self {
        let caller = extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Caller>());
        match caller {
            Some(caller) => {
                let caller = Caller { surface: self.caller.surface.clone(), ..caller.clone() };
                Self { caller, ..self.clone() }
            }
            None => self.clone(),
        }
    }
}
