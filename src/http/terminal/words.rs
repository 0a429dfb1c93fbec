//! What is said on a terminal's WebSocket, in both directions.

use axum::extract::ws::{CloseFrame, Message};
use serde::{Deserialize, Serialize};

use crate::domain::Secret;

/// What a viewer says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Said {
    /// Who it is.
    Auth { token: Secret },
    /// Keys, as they are: nothing is added.
    Input { text: String },
    /// The size of its window.
    Resize {
        #[serde(default = "cols")]
        cols: i64,
        #[serde(default = "rows")]
        rows: i64,
    },
}

fn cols() -> i64 {
    80
}

fn rows() -> i64 {
    24
}

/// Keeps a window's size within what a terminal can be.
pub(super) fn clamped(cols: i64, rows: i64) -> (u16, u16) {
    let within = |value: i64, least: i64, most: i64| u16::try_from(value.clamp(least, most)).unwrap_or(80);
    (within(cols, 10, 500), within(rows, 5, 200))
}

/// What a viewer is told.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Told<'a> {
    /// The whole screen, with the sequences that draw it.
    Pane { content: &'a str },
    /// What the session printed since.
    Stream { data: &'a str },
    /// The session's status, or `authenticated`.
    Status { status: &'a str },
    /// What went wrong; fatal if the connection is closed after it.
    Error { message: &'a str },
}

impl Told<'_> {
    pub(super) fn message(&self) -> Message {
        Message::Text(serde_json::to_string(self).unwrap_or_default().into())
    }
}

/// Why a connection ends. The codes are those of RFC 6455, and from 4400 on HTTP's with 4000 added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    SessionEnded,
    Closing,
    /// The holder is gone, or does not answer.
    Lost,
    Unauthorized,
    /// The key that opened it was removed or has ended, or the token is another now.
    KeyEnded,
    AuthTimeout,
    NoSession,
    /// The peer shows no sign of life, or reads nothing.
    Silent,
    /// The peer has left.
    Left,
}

impl End {
    /// What is told before the close; none where the close says all.
    pub(super) fn message(self) -> Option<&'static str> {
        match self {
            Self::SessionEnded | Self::Closing | Self::Silent | Self::Left => None,
            Self::Lost => Some("The session does not answer"),
            Self::Unauthorized => Some("Unauthorized — invalid API key"),
            Self::KeyEnded => Some("Unauthorized — the key or token no longer counts"),
            Self::AuthTimeout => Some("Auth timeout — no auth message received"),
            Self::NoSession => Some("Session not found"),
        }
    }

    pub(super) fn frame(self) -> CloseFrame {
        let (code, reason) = match self {
            Self::SessionEnded => (1000, "the session has ended"),
            Self::Left => (1000, "you have left"),
            Self::Closing => (1001, "the server ends; the session goes on"),
            Self::Lost => (1011, "the session does not answer"),
            Self::Unauthorized => (4401, "the token is nobody's"),
            Self::KeyEnded => (4401, "the key or token no longer counts"),
            Self::AuthTimeout => (4408, "no token was sent in time"),
            Self::NoSession => (4404, "there is no such session"),
            Self::Silent => (4408, "no sign of life"),
        };
        CloseFrame { code, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"type":"input","text":"\u001b[A"}"#, true)]
    #[case(r#"{"type":"resize"}"#, true)]
    #[case(r#"{"type":"resize","cols":100,"rows":30}"#, true)]
    #[case(r#"{"type":"input","text":"a","more":1}"#, false)]
    #[case(r#"{"type":"input"}"#, false)]
    #[case(r#"{"type":"other"}"#, false)]
    #[case(r#"{"text":"a"}"#, false)]
    #[case("[]", false)]
    #[case("", false)]
    fn frames_are_read_strictly(#[case] text: &str, #[case] readable: bool) {
        assert_eq!(serde_json::from_str::<Said>(text).is_ok(), readable);
    }

    #[test]
    fn sizes_stay_within_bounds() {
        assert_eq!(clamped(100, 30), (100, 30));
        assert_eq!(clamped(-1, 0), (10, 5));
        assert_eq!(clamped(i64::MAX, i64::MAX), (500, 200));
    }
}
