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
use crate::access::Permission;
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
    /// `forbidden`; `invalid_argument` for none or too many; for each those of [`Aegis::create_session`], `not_confirmed`.
    pub async fn batch_create_sessions(
        &self,
        caller: &Caller,
        req: BatchCreateSessions,
    ) -> Result<SessionsCreated, OpError> {
        caller.may(Permission::Create.into())?;
        if req.sessions.is_empty() || req.sessions.len() > MOST {
            let what = format!("sessions must have 1 to {MOST} items");
            return Err(OpError::new(ErrorCode::InvalidArgument, what));
        }
        let results = side_by_side(req.sessions, Instant::now() + ANSWERS_WITHIN, |BatchItem(one)| {
            let (aegis, caller) = (self.clone(), caller.clone());
            let one = CreateSession { reuse: Some(one.reuse.unwrap_or(false)), ..one };
            async move { aegis.create_session(&caller, one).await }
        });
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

/// Makes something of each item, so many at once, and gives what became of them in the order of the items, no later
/// than `until`.
async fn side_by_side<I, T, F>(
    items: Vec<I>,
    until: Instant,
    make: impl Fn(I) -> F,
) -> Vec<Result<T, OpError>>
where
    F: Future<Output = Result<T, OpError>> + Send + 'static,
    T: Send + 'static,
{
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let late = |what, hint: &str| Err(OpError::new(ErrorCode::NotConfirmed, what).hint(hint));
    join_all(items.into_iter().map(|item| {
        let (made, slots) = (make(item), slots.clone());
        async move {
            let Ok(Ok(slot)) = timeout_at(until, slots.acquire_owned()).await else {
                return late("it was not begun in time", "create it in another call");
            };
            // A task of its own: what is dropped in the middle would leave half a session.
            let begun = tokio::spawn(async move {
                let _slot = slot;
                made.await
            });
            match timeout_at(until, begun).await {
                Ok(Ok(result)) => result,
                Ok(Err(error)) => Err(OpError::new(ErrorCode::Internal, format!("it broke off: {error}"))),
                Err(_) => {
                    late("it was begun, and has not come up in time", "list_sessions shows whether it did")
                }
            }
        }
    }))
    .await
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn what_hangs_holds_nobody_up_for_longer_than_it_may() {
        let until = Instant::now() + Duration::from_millis(200);
        let results = side_by_side((0..20).collect(), until, |n: usize| async move {
            if n >= 2 {
                pending::<()>().await;
            }
            Ok(n)
        });
        let results = results.await;
        assert_eq!(results[..2], [Ok(0), Ok(1)]);
        let said = |result: &Result<usize, OpError>| result.as_ref().unwrap_err().message.clone();
        assert!(results[2..10].iter().all(|result| said(result).starts_with("it was begun")), "{results:?}");
        assert!(results[10..].iter().all(|result| said(result).starts_with("it was not")), "{results:?}");
    }

    #[tokio::test]
    async fn so_many_are_at_work_at_once_and_no_more() {
        let (at_work, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let together = Arc::new(Barrier::new(AT_ONCE));
        let items = (0..AT_ONCE * 6).collect();
        let results = side_by_side(items, Instant::now() + ANSWERS_WITHIN, |n: usize| {
            let (at_work, most, together) = (at_work.clone(), most.clone(), together.clone());
            async move {
                most.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                together.wait().await;
                at_work.fetch_sub(1, Ordering::SeqCst);
                Ok(n)
            }
        });
        assert_eq!(results.await, (0..AT_ONCE * 6).map(Ok).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
    }
}
