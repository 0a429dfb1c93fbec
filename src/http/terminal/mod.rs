//! A session's terminal over a WebSocket: its bytes as they come, and keys as they are typed.
//!
//! Who may look is settled first, by the upgrade's bearer token or the first frame; before that nothing tells whether
//! the session exists. A viewer that reads slowly is shown the whole screen later instead of every byte, as every
//! viewer of [`crate::ops::Aegis::attach`] is: it slows neither the session nor the others.

mod text;
mod words;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout, timeout_at};

use super::door::HttpDoor;
use super::stream::Frames;
use crate::access::{Identity, Needs, Permission};
use crate::domain::{ErrorCode, SessionId, StatusWord};
use crate::ops::{AttachInput, Attachment, Caller, CapturePane, SessionRef};
use text::Text;
use words::{End, Said, Told, clamped};

/// The longest frame that is taken, in bytes: a large paste.
pub(super) const LONGEST: usize = 256 * 1024;

/// How long the first frame with the token may take.
const AUTH_TIME: Duration = Duration::from_secs(5);

/// How often the peer is asked for a sign of life, and how old the last one may be then: the network gets five seconds.
const PING_EVERY: Duration = Duration::from_secs(30);
const ALIVE_WITHIN: Duration = Duration::from_secs(35);

/// How long a peer may take nothing while something is to be told.
const SEND_TIME: Duration = Duration::from_secs(30);

/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// How much output goes into one frame, in bytes.
const AT_ONCE: usize = 64 * 1024;

/// One viewer.
pub(super) struct Viewer {
    pub(super) door: HttpDoor,
    pub(super) session: SessionId,
    pub(super) readonly: bool,
    /// Where the connection comes from.
    pub(super) from: IpAddr,
}

impl Viewer {
    /// Serves the connection to its end. Without an identity the first frame must bring the token.
    pub(super) async fn serve(self, mut socket: WebSocket, identity: Option<Identity>) {
        let closing = self.door.closing.clone();
        let show = async {
            let identity = match identity {
                Some(identity) => identity,
                None => self.authenticate(&mut socket).await?,
            };
            let standing = self.door.access.standing(&identity);
            tokio::select! {
                ended = self.show(&mut socket, &identity) => ended,
                () = standing.lost() => Err(End::KeyEnded),
            }
        };
        let end = tokio::select! {
            ended = show => ended.unwrap_or_else(|end| end),
            () = closing.cancelled() => End::Closing,
        };
        let farewell = async {
            if let Some(message) = end.message() {
                let _ = socket.send(Told::Error { message }.message()).await;
            }
            let _ = socket.send(Message::Close(Some(end.frame()))).await;
            // A socket that is closed with something unread takes what was sent along.
            while let Some(Ok(_)) = socket.recv().await {}
        };
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// Waits for the token.
    async fn authenticate(&self, socket: &mut WebSocket) -> Result<Identity, End> {
        let deadline = Instant::now() + AUTH_TIME;
        loop {
            let said = timeout_at(deadline, socket.recv()).await.map_err(|_| End::AuthTimeout)?;
            match read(said)? {
                Heard::Said(Said::Auth { token }) => {
                    let identity = self
                        .door
                        .access
                        .admit(Some(token.reveal()), self.from)
                        .map_err(|_| End::Unauthorized)?
                        .0;
                    tell(socket, &Told::Status { status: "authenticated" }).await?;
                    return Ok(identity);
                }
                Heard::Alive => {}
                Heard::Said(_) | Heard::Unreadable => {
                    let message = r#"Not authenticated — send { type: "auth", token: "..." } first"#;
                    tell(socket, &Told::Error { message }).await?;
                }
            }
        }
    }

    /// Shows the terminal until somebody ends it.
    async fn show(&self, socket: &mut WebSocket, identity: &Identity) -> Result<End, End> {
        let caller = Caller::keyed("http", Arc::new(identity.clone()));
        let allowed = identity.may(Needs::Permission(Permission::Send));
        let watch = self.readonly || !allowed;
        let id = self.session.to_string();
        let missing = |error: &crate::domain::OpError| match error.code {
            ErrorCode::NoSuchSession => End::NoSession,
            ErrorCode::SessionEnded => End::SessionEnded,
            _ => End::Lost,
        };
        // The session keeps its size until the viewer tells one.
        let pane = CapturePane { session_id: id.clone(), ..CapturePane::default() };
        let size = self.door.aegis.capture_pane(&caller, pane).await.map_err(|error| missing(&error))?;
        let mut statuses = self.door.hub.follow(self.session).await.map_err(|error| missing(&error))?;
        let attached = self.door.aegis.attach(&caller, &id, (size.cols, size.rows), watch).await;
        let Attachment { mut output, input } = attached.map_err(|error| missing(&error))?;
        let mut text = Text::default();
        let mut joined = false;
        let mut heard = Instant::now();
        let mut pings = interval_at(heard + PING_EVERY, PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                bytes = output.recv() => {
                    let Some(mut bytes) = bytes else {
                        return Ok(self.last_word(socket, &caller).await);
                    };
                    if joined {
                        while bytes.len() < AT_ONCE && let Ok(more) = output.try_recv() {
                            bytes.extend(more);
                        }
                        tell(socket, &Told::Stream { data: &text.push(&bytes) }).await?;
                    } else {
                        joined = true;
                        tell(socket, &Told::Pane { content: &text.push(&bytes) }).await?;
                        self.tell_status(socket, &caller).await?;
                    }
                }
                status = next_status(&mut statuses) => match status {
                    Some(Some(status)) => tell(socket, &Told::Status { status: status.as_str() }).await?,
                    // Something was missed.
                    Some(None) => drop(self.tell_status(socket, &caller).await?),
                    None => return Ok(self.last_word(socket, &caller).await),
                },
                said = socket.recv() => {
                    let told = match read(said)? {
                        Heard::Alive => None,
                        Heard::Unreadable => Some("Invalid message"),
                        Heard::Said(Said::Auth { .. }) => Some("Already authenticated"),
                        Heard::Said(Said::Input { .. }) if self.readonly => {
                            Some("Forbidden — read-only connection cannot send input")
                        }
                        Heard::Said(Said::Input { .. }) if !allowed => Some("Forbidden: missing send permission"),
                        // A viewer that only looks has no size.
                        Heard::Said(Said::Resize { .. }) if watch => None,
                        Heard::Said(said) => {
                            let typed = match said {
                                Said::Input { text } => AttachInput::Keys(text.into_bytes()),
                                Said::Resize { cols, rows } => {
                                    let (cols, rows) = clamped(cols, rows);
                                    AttachInput::Resize(cols, rows)
                                }
                                Said::Auth { .. } => continue,
                            };
                            let full = input.try_send(typed).is_err();
                            full.then_some("The session takes no keys just now; these were not typed")
                        }
                    };
                    heard = Instant::now();
                    if let Some(message) = told {
                        tell(socket, &Told::Error { message }).await?;
                    }
                }
                _ = pings.tick() => {
                    if heard.elapsed() > ALIVE_WITHIN {
                        return Ok(End::Silent);
                    }
                    send(socket, Message::Ping(Vec::new().into())).await?;
                }
            }
        }
    }

    /// Tells the status as it is now.
    async fn tell_status(&self, socket: &mut WebSocket, caller: &Caller) -> Result<StatusWord, End> {
        let request = SessionRef { session_id: self.session.to_string() };
        let detail = self.door.aegis.get_status(caller, request).await.map_err(|_| End::Lost)?;
        tell(socket, &Told::Status { status: detail.session.status.as_str() }).await?;
        Ok(detail.session.status)
    }

    /// The output has ended: with the session, or because its holder does not answer.
    async fn last_word(&self, socket: &mut WebSocket, caller: &Caller) -> End {
        match self.tell_status(socket, caller).await {
            Ok(StatusWord::Ended) => End::SessionEnded,
            Ok(_) => End::Lost,
            Err(end) => end,
        }
    }
}

/// The next status of the session; an empty one if something was missed, none after the last.
async fn next_status(frames: &mut Frames) -> Option<Option<StatusWord>> {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match frames.recv().await {
            Ok(frame) if frame.status.is_some() => return Some(frame.status),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return Some(None),
            Err(RecvError::Closed) => return None,
        }
    }
}

/// What came from the peer.
enum Heard {
    Said(Said),
    Unreadable,
    /// A ping or a pong.
    Alive,
}

fn read(said: Option<Result<Message, axum::Error>>) -> Result<Heard, End> {
    match said {
        Some(Ok(Message::Text(text))) => {
            Ok(serde_json::from_str(text.as_str()).map_or(Heard::Unreadable, Heard::Said))
        }
        Some(Ok(Message::Binary(_))) => Ok(Heard::Unreadable),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Heard::Alive),
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Left),
    }
}

async fn tell(socket: &mut WebSocket, told: &Told<'_>) -> Result<(), End> {
    send(socket, told.message()).await
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(SEND_TIME, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Left),
        Err(_) => Err(End::Silent),
    }
}
