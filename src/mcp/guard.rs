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
        match (CatchPanic { inner: Box::pin(call) }).await {
            Ok(answer) => answer,
            Err(panic) => {
                tracing::error!(tool, panic = said(panic.as_ref()), "a tool panicked");
                ToolFault::from(OpError::new(ErrorCode::Internal, format!("{tool} failed unexpectedly")))
                    .into_call_tool_result()
            }
        }
    }
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
