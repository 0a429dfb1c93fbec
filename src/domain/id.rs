//! Ids as types, so that one cannot stand where another belongs.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Declares a UUID newtype that keeps its doc comment.
macro_rules! id_type {
    ($(#[$doc:meta])* pub struct $name:ident;) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(#[schemars(with = "String")] Uuid);

        impl $name {
            /// Mints a new random id (UUID version 4).
            #[must_use]
            pub fn mint() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id_type! {
    /// Names one Aegis session, from creation to the end of its records.
    pub struct SessionId;
}

id_type! {
    /// Names Claude Code's own conversation, which `/clear`, a resume or a fork may change.
    pub struct ConversationId;
}

id_type! {
    /// Names one ask: a permission, plan, question, trust or dialog that waits for an answer.
    pub struct AskId;
}

id_type! {
    /// Names one receipt: what became of a prompt.
    pub struct ReceiptId;
}

id_type! {
    /// Names one pipeline, for ever: finished ones are kept.
    pub struct PipelineId;
}

id_type! {
    /// Names one template.
    pub struct TemplateId;
}

id_type! {
    /// Names one delivery of a notice to a channel, through every repeat.
    pub struct DeliveryId;
}

id_type! {
    /// Names one life of a holder; sequence numbers count within it.
    pub struct Epoch;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_json() {
        let id = SessionId::mint();
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        assert_eq!(serde_json::from_str::<SessionId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }
}
