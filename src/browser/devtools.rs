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
    /// The page's main frame, once there is one.
    frame: Option<String>,
    /// What the frame asked for last, where redirects have led it.
    document: Option<String>,
    /// Events that came while something else was waited for.
    events: VecDeque<Value>,
}

impl Devtools {
    pub(super) fn new(input: PipeReader, output: PipeWriter) -> io::Result<Self> {
        let input = BufReader::new(Receiver::from_owned_fd(input.into())?);
        let output = Sender::from_owned_fd(output.into())?;
        Ok(Self {
            input,
            output,
            next: 0,
            session: None,
            frame: None,
            document: None,
            events: VecDeque::new(),
        })
    }

    /// Makes all further calls ones of this page. A page's main frame is named as the page is.
    pub(super) fn enter(&mut self, session: &str, page: &str) {
        self.session = Some(session.to_owned());
        self.frame = Some(page.to_owned());
    }

    /// The address that the page asked for last, which redirects may have made another than it was sent to. Known once
    /// `Network` is enabled.
    pub(super) fn document(&self) -> Option<&str> {
        self.document.as_deref()
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
            if !self.asks(&message) {
                self.events.push_back(message);
            }
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
            self.asks(&message);
        }
    }

    /// Notes what the page asks for. Returns whether the message is about the network.
    fn asks(&mut self, message: &Value) -> bool {
        let params = &message["params"];
        if message["method"] == "Network.requestWillBeSent"
            && params["type"] == "Document"
            && params["frameId"].as_str() == self.frame.as_deref()
        {
            self.document = params["request"]["url"].as_str().map(str::to_owned);
        }
        message["method"].as_str().is_some_and(|method| method.starts_with("Network."))
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
