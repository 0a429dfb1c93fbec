//! The Chrome DevTools Protocol over a pipe: JSON messages, each ended by a NUL byte
//! (`--remote-debugging-pipe` in `content/browser/devtools/devtools_pipe_handler.cc`).

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe::{Receiver, Sender};

/// The longest message that is read, in bytes: the largest picture, as base64.
const LONGEST: usize = 256 * 1024 * 1024;

/// Why the browser could not be steered.
#[derive(Debug, thiserror::Error)]
pub(super) enum DevtoolsError {
    #[error("it closed the connection")]
    Closed,
    #[error("the pipe broke: {0}")]
    Broken(#[from] io::Error),
    #[error("what it said cannot be read")]
    Unreadable,
    #[error("{method}: {message}")]
    Failed { method: &'static str, message: String },
}

/// The connection.
pub(super) struct Devtools {
    input: BufReader<Receiver>,
    output: Sender,
    next: u64,
    /// The page that calls are for, once there is one.
    session: Option<String>,
    /// Events that came while something else was waited for.
    events: VecDeque<Value>,
}

impl Devtools {
    pub(super) fn new(input: PipeReader, output: PipeWriter) -> io::Result<Self> {
        let input = BufReader::new(Receiver::from_owned_fd(input.into())?);
        let output = Sender::from_owned_fd(output.into())?;
        Ok(Self { input, output, next: 0, session: None, events: VecDeque::new() })
    }

    /// Makes all further calls ones of this page.
    pub(super) fn enter(&mut self, session: &str) {
        self.session = Some(session.to_owned());
    }

    /// Calls a method and gives its result.
    pub(super) async fn call(&mut self, method: &'static str, params: Value) -> Result<Value, DevtoolsError> {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.clone().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.output.write_all(&bytes).await?;
        loop {
            let mut message = self.read().await?;
            if message["id"] == self.next {
                if let Some(error) = message.get("error") {
                    let message = error["message"].as_str().unwrap_or("no reason told").to_owned();
                    return Err(DevtoolsError::Failed { method, message });
                }
                return Ok(message["result"].take());
            }
            self.events.push_back(message);
        }
    }

    /// Waits for an event, which may have come already.
    pub(super) async fn event(&mut self, method: &str) -> Result<(), DevtoolsError> {
        loop {
            let message = match self.events.pop_front() {
                Some(message) => message,
                None => self.read().await?,
            };
            if message["method"] == method {
                return Ok(());
            }
        }
    }

    async fn read(&mut self) -> Result<Value, DevtoolsError> {
        let mut bytes = Vec::new();
        let input = &mut self.input;
        tokio::io::AsyncReadExt::take(input, LONGEST as u64).read_until(0, &mut bytes).await?;
        match bytes.pop() {
            Some(0) => serde_json::from_slice(&bytes).map_err(|_| DevtoolsError::Unreadable),
            Some(_) => Err(DevtoolsError::Unreadable),
            None => Err(DevtoolsError::Closed),
        }
    }
}
