//! `aegis hook <Event>`: what Claude Code calls.
//!
//! Hands the event to the session's holder and, where a decision may be due, waits for it. Whenever anything is
//! wrong it prints nothing and succeeds: Claude Code then goes on as if there were no hook, and a permission's own
//! dialog stays in the terminal. Only where a policy might have refused a call that Claude Code would not ask about it
//! says so, and the dialog opens. Never a silent allow, never a silent deny.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use interprocess::local_socket::traits::Stream as _;
use serde_json::Value;

use super::client::monotonic_ms;
use crate::claude::hook::{Before, before_tool, slim};
use crate::claude::settings::{BEFORE_TOOLS, decides};
use crate::wire::{
    Call, FrameError, Hello, HookReply, Outcome, PROTOCOL, Reply, Request, decode, read_frame_blocking,
    socket, write_frame_blocking,
};

/// How long the holder may take to note an event that needs no decision. It takes microseconds; a stopped holder
/// must not stop Claude Code.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why an event did not reach the holder.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The event could not be read.
    #[error("the event could not be read: {0}")]
    Event(#[from] serde_json::Error),
    /// The holder could not be reached.
    #[error("the holder could not be reached: {0}")]
    Connect(#[from] io::Error),
    /// The holder did not answer.
    #[error("the holder did not answer: {0}")]
    Frame(#[from] FrameError),
}

/// Reads the event's payload from `stdin`, hands it over, and gives back what to print.
///
/// # Errors
///
/// [`HookError`]; the caller logs it at most.
pub fn run(event: &str, socket: &Path, secret: String, stdin: impl Read) -> Result<String, HookError> {
    match hand_over(event, socket, secret, stdin) {
        Err(error) if event == BEFORE_TOOLS => {
            tracing::debug!(%error, "the policy could not be asked");
            Ok(before_tool(Before::Ask, "Aegis could not be reached for its permission policy"))
        }
        result => result,
    }
}

fn hand_over(event: &str, socket: &Path, secret: String, mut stdin: impl Read) -> Result<String, HookError> {
    let called = Some(monotonic_ms());
    let mut text = Vec::new();
    stdin.read_to_end(&mut text)?;
    let payload: Value = serde_json::from_slice(&text)?;
    let mut stream = socket::connect_blocking(socket)?;
    if !decides(event) {
        stream.set_recv_timeout(Some(NOTICE_TIMEOUT))?;
    }
    stream.set_send_timeout(Some(NOTICE_TIMEOUT))?;
    let hello = Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").into(),
        session_id: None,
        epoch: None,
    };
    write_frame_blocking(&mut stream, &hello)?;
    let request = Request::Hook { secret, event: event.to_owned(), payload: slim(payload), called };
    write_frame_blocking(&mut stream, &Call { call: 1, until: None, request })?;
    let _hello: Hello = decode(&read_frame_blocking(&mut stream)?)?;
    let reply: Reply = decode(&read_frame_blocking(&mut stream)?)?;
    Ok(match reply.outcome {
        Outcome::Done(value) => serde_json::from_str::<HookReply>(value.get())?.stdout,
        Outcome::Failed(refusal) => {
            tracing::debug!(%refusal, "the holder refused the event");
            String::new()
        }
    })
}
