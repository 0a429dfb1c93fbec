//! What stands around every call: a bound on calls in flight, and an answer even when the tool panics.
//!
//! The MCP library runs one task per request and has neither.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::CallToolResponse;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::reply::ToolFault;
use crate::domain::{ErrorCode, OpError};

/// The one tool that does nothing for most of its life.
pub(super) const WAIT: &str = "wait_for_session";

/// Calls in flight. Far more than any host sends at once, few enough that a runaway one cannot exhaust files or
/// memory.
const CALLS: usize = 64;

/// Waits in flight. They are counted apart, so that sessions that are waited for can still be answered.
const WAITS: usize = 256;

type Answer = Result<CallToolResponse, ErrorData>;

/// The slots of calls in flight.
pub(super) struct Slots {
    calls: Semaphore,
    waits: Semaphore,
}

impl Default for Slots {
    fn default() -> Self {
        Self { calls: Semaphore::new(CALLS), waits: Semaphore::new(WAITS) }
    }
}

impl Slots {
    /// Runs `call` once there is a slot for it; gives up the place in the queue when `cancelled` or `closing` fires.
    /// A call that has begun runs to its end.
    pub(super) async fn run(
        &self,
        tool: &str,
        call: impl Future<Output = Answer> + Send,
        cancelled: &CancellationToken,
        closing: &CancellationToken,
    ) -> Answer {
        let slots = if tool == WAIT { &self.waits } else { &self.calls };
        let slot = tokio::select! {
            biased;
            slot = slots.acquire() => slot,
            () = cancelled.cancelled() => return given_up(),
            () = closing.cancelled() => return given_up(),
        };
        let Ok(_slot) = slot else { return given_up() };
        survive(tool, call).await.unwrap_or_else(|error| ToolFault::from(error).into_call_tool_result())
    }

    /// Does what a request other than a tool call asks for, once there is a slot for it, and no longer than the client
    /// wants it.
    pub(super) async fn ask<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, ErrorData>> + Send,
        cancelled: &CancellationToken,
    ) -> Result<T, ErrorData> {
        let work = async {
            let _slot = self.calls.acquire().await;
            let failed = |error: OpError| {
                let data = error.to_json();
                ErrorData::internal_error(error.message, Some(data))
            };
            survive(what, work).await.unwrap_or_else(|error| Err(failed(error)))
        };
        tokio::select! {
            biased;
            done = work => done,
            () = cancelled.cancelled() => Err(ErrorData::internal_error("the request was cancelled", None)),
        }
    }
}

/// Gives what `work` gives, or an error if it panics.
async fn survive<T>(what: &str, work: impl Future<Output = T> + Send) -> Result<T, OpError> {
    (CatchPanic { inner: Box::pin(work) }).await.map_err(|panic| {
        tracing::error!(what, panic = said(panic.as_ref()), "a request panicked");
        OpError::new(ErrorCode::Internal, format!("{what} failed unexpectedly"))
    })
}

/// The answer to a call that was withdrawn before it began; the client no longer listens for it.
fn given_up() -> Answer {
    ToolFault::withdrawn().into_call_tool_result()
}

fn said(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// A future that turns a panic of the one inside into a value.
struct CatchPanic<'a, T> {
    inner: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
}

impl<T> Future for CatchPanic<'_, T> {
    type Output = Result<T, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Safe to assert: after a panic the future inside is never polled again.
        match catch_unwind(AssertUnwindSafe(|| self.inner.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}
