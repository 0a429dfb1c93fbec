//! Many sessions in one call.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::{Aegis, Caller, CreateSession, SessionCreated};
use crate::domain::{ErrorCode, OpError};

/// The most sessions of one call.
const MOST: usize = 50;

/// How many are started side by side: more than the cores of a small machine, few enough that each starts about as
/// fast as alone.
const AT_ONCE: usize = 8;

/// How long a call may take. A tool call answers within 50 s; what comes between this and the client has the rest.
const ANSWERS_WITHIN: Duration = Duration::from_secs(45);

/// Asks for several sessions.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BatchCreateSessions {
    /// Arguments of create_session for each, but reuse defaults to false.
    #[schemars(length(min = 1, max = 50))]
    pub sessions: Vec<BatchItem>,
}

/// One session of several. Its schema is that of [`CreateSession`] without the descriptions: whoever is shown this one
/// has read that one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct BatchItem(pub CreateSession);

impl JsonSchema for BatchItem {
    fn schema_name() -> Cow<'static, str> {
        "BatchItem".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = CreateSession::json_schema(generator);
        schema.remove("description");
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            for property in properties.values_mut().filter_map(Value::as_object_mut) {
                property.shift_remove("description");
            }
        }
        schema
    }
}

/// An error as it stands among results.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Which kind.
    // As a plain text in the schema: all codes there are would be a quarter of it.
    #[schemars(with = "String")]
    pub code: ErrorCode,
    /// What happened.
    pub message: String,
    /// The next step.
    pub hint: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        let OpError { code, message, hint, details } = error;
        Self { code, message, hint, details: details.map(|details| *details) }
    }
}

/// What became of one session of several: either a session or an error.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchResult {
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionCreated>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// What became of several sessions.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionsCreated {
    /// One for each that was asked for, in the same order.
    pub results: Vec<BatchResult>,
    /// How many sessions there are.
    pub created: usize,
    /// How many there are not.
    pub failed: usize,
}

impl Aegis {
    /// Starts several sessions side by side. Each succeeds or fails by itself. What is not begun after 45 s is not
    /// begun any more; what is begun goes on behind the answer.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for none or too many; for each those of [`Aegis::create_session`], `not_confirmed`.
    pub async fn batch_create_sessions(
        &self,
        caller: &Caller,
        req: BatchCreateSessions,
    ) -> Result<SessionsCreated, OpError> {
        if req.sessions.is_empty() || req.sessions.len() > MOST {
            let what = format!("sessions must have 1 to {MOST} items");
            return Err(OpError::new(ErrorCode::InvalidArgument, what));
        }
        let until = Instant::now() + ANSWERS_WITHIN;
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let results = join_all(req.sessions.into_iter().map(|BatchItem(one)| {
            let (aegis, caller, slots) = (self.clone(), caller.clone(), slots.clone());
            async move {
                let Ok(slot) = timeout_at(until, slots.acquire_owned()).await else {
                    return Err(late("it was not begun in time", "create it in another call"));
                };
                // A task of its own: a creation that is dropped in the middle would leave half a session.
                let begun = tokio::spawn(async move {
                    let _slot = slot;
                    let one = CreateSession { reuse: Some(one.reuse.unwrap_or(false)), ..one };
                    aegis.create_session(&caller, one).await
                });
                match timeout_at(until, begun).await {
                    Ok(Ok(created)) => created,
                    Ok(Err(error)) => {
                        Err(OpError::new(ErrorCode::Internal, format!("its creation broke off: {error}")))
                    }
                    Err(_) => {
                        Err(late("it was begun, and has not come up in time", "list_sessions shows it"))
                    }
                }
            }
        }));
        let results: Vec<BatchResult> = results
            .await
            .into_iter()
            .map(|result| match result {
                Ok(session) => BatchResult { session: Some(session), error: None },
                Err(error) => BatchResult { session: None, error: Some(error.into()) },
            })
            .collect();
        let created = results.iter().filter(|result| result.session.is_some()).count();
        Ok(SessionsCreated { created, failed: results.len() - created, results })
    }
}

fn late(what: &str, hint: &str) -> OpError {
    OpError::new(ErrorCode::NotConfirmed, what).hint(hint)
}
