//! The URIs of our resources.

use std::str::FromStr;

use crate::domain::{ErrorCode, OpError};

/// Longer than any URI of ours with every character of the longest name escaped, in bytes.
const LONGEST: usize = 4096;

/// What a URI names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mcp) enum Uri {
    /// The live sessions.
    Sessions,
    /// This server.
    Health,
    /// Something of one session.
    Session {
        /// Its id, a prefix of it, or its name.
        reference: String,
        /// What of it.
        place: Place,
    },
}

/// What of a session is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mcp) enum Place {
    /// The end of its conversation.
    Transcript,
    /// Its screen.
    Pane,
}

impl FromStr for Uri {
    type Err = OpError;

    fn from_str(text: &str) -> Result<Self, OpError> {
        let unknown = || {
            let shown = crate::mcp::args::brief(text);
            OpError::new(ErrorCode::InvalidArgument, format!("no resource `{shown}`")).hint(
                "there are aegis://sessions, aegis://health, aegis://sessions/{id}/transcript and \
                 aegis://sessions/{id}/pane",
            )
        };
        if text.len() > LONGEST {
            return Err(unknown());
        }
        let path = text.strip_prefix("aegis://").ok_or_else(unknown)?;
        // Some clients end a URI that has no path with a slash.
        let parts: Vec<_> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        match parts.as_slice() {
            ["sessions"] => Ok(Self::Sessions),
            ["health"] => Ok(Self::Health),
            ["sessions", id, place] => {
                let place = match *place {
                    "transcript" => Place::Transcript,
                    "pane" => Place::Pane,
                    _ => return Err(unknown()),
                };
                let reference = decode(id).filter(|reference| !reference.trim().is_empty());
                Ok(Self::Session { reference: reference.ok_or_else(unknown)?, place })
            }
            _ => Err(unknown()),
        }
    }
}

/// Undoes percent-encoding; `None` if it is broken, or what it hides is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(rest.next())? * 16 + digit(rest.next())?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn session(reference: &str, place: Place) -> Option<Uri> {
        Some(Uri::Session { reference: reference.into(), place })
    }

    #[rstest]
    #[case("aegis://sessions", Some(Uri::Sessions))]
    #[case("aegis://sessions/", Some(Uri::Sessions))]
    #[case("aegis://health", Some(Uri::Health))]
    #[case("aegis://sessions/abc123/transcript", session("abc123", Place::Transcript))]
    #[case("aegis://sessions/my%20w%C3%B6rker%2F1/pane", session("my wörker/1", Place::Pane))]
    #[case("aegis://sessions/brave otter/pane", session("brave otter", Place::Pane))]
    #[case("aegis://sessions/%/pane", None)]
    #[case("aegis://sessions/%f/pane", None)]
    #[case("aegis://sessions/%+1/pane", None)]
    #[case("aegis://sessions/%ff/pane", None)]
    #[case("aegis://sessions//pane", None)]
    #[case("aegis://sessions/%20/pane", None)]
    #[case("aegis://sessions/a/b/pane", None)]
    #[case("aegis://sessions/a/journal", None)]
    #[case("aegis://sessions/a", None)]
    #[case("aegis://", None)]
    #[case("file:///etc/passwd", None)]
    #[case("", None)]
    fn a_uri_names_one_thing_or_nothing(#[case] text: &str, #[case] expected: Option<Uri>) {
        assert_eq!(text.parse::<Uri>().ok(), expected);
    }

    #[test]
    fn a_long_uri_is_not_read() {
        let long = format!("aegis://sessions/{}/pane", "a".repeat(LONGEST));
        assert!(long.parse::<Uri>().unwrap_err().message.len() < 500);
    }
}
