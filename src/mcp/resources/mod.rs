//! Resources: what a host may read, mention and follow without calling a tool.
//!
//! Two stand by themselves, two are templates over a session. Reading one is one call into [`crate::ops`]; what is
//! read is bounded, and says where it was cut. [`super::notices`] tells when one has changed.

mod uri;

use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};
use serde::Serialize;

use super::door::McpDoor;
use crate::domain::{ErrorCode, MessagePage, OpError, Session};
use crate::ops::{CapturePane, GetTranscript, ListSessions, ServerHealthRequest};
pub(super) use uri::{Place, Uri};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

/// The most of one resource, in characters. Claude Code takes results of up to about 100,000.
const LONGEST: usize = 100_000;

/// The most of a transcript's texts, in characters: with ids, times and names around two hundred messages, the whole
/// stays below [`LONGEST`] unless much in it has to be escaped.
const TEXTS: u32 = 60_000;

/// The most messages of a transcript.
const MESSAGES: u32 = 200;

/// The most sessions of the list.
const SESSIONS: u32 = 200;

/// The resources that stand by themselves.
pub(super) fn list() -> Vec<Resource> {
    vec![
        Resource::new("aegis://sessions", "sessions")
            .with_title("Live sessions")
            .with_description("The live Claude Code sessions, newest first: status, directory, open asks.")
            .with_mime_type(JSON),
        Resource::new("aegis://health", "health")
            .with_title("Server health")
            .with_description("How Aegis is: version, sessions by status, Claude Code, steward, store.")
            .with_mime_type(JSON),
    ]
}

/// The resources of each session.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new("aegis://sessions/{id}/transcript", "transcript")
            .with_title("A session's transcript")
            .with_description(
                "The newest messages of a session's conversation, also after it ended. The id may be a unique prefix \
                 or the session's name.",
            )
            .with_mime_type(JSON),
        ResourceTemplate::new("aegis://sessions/{id}/pane", "pane")
            .with_title("A session's screen")
            .with_description("What a live session's terminal shows.")
            .with_mime_type(TEXT),
    ]
}

/// The list of sessions, as a resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    sessions: Vec<Session>,
    /// What is missing, and where to find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<&'static str>,
}

/// A transcript's end, as a resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Transcript {
    session_id: String,
    #[serde(flatten)]
    page: MessagePage,
    /// What is missing, and where to find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<&'static str>,
}

impl McpDoor {
    /// Reads the resource that `text` names.
    pub(super) async fn read(&self, text: &str, modern: bool) -> Result<ReadResourceResponse, ErrorData> {
        let uri: Uri = text.parse().map_err(|error| fault(&error, text))?;
        let (kind, content) = self.content(&uri).await.map_err(|error| fault(&error, text))?;
        let contents = ResourceContents::text(content, text).with_mime_type(kind);
        let result = ReadResourceResult::new(vec![contents]);
        // It may be another in the next moment, and it belongs to this user; older clients know no such words.
        Ok(if modern { result.with_ttl_ms(0).with_cache_scope(CacheScope::Private) } else { result }.into())
    }

    async fn content(&self, uri: &Uri) -> Result<(&'static str, String), OpError> {
        let caller = &self.caller;
        Ok(match uri {
            Uri::Sessions => {
                let all = ListSessions { limit: Some(SESSIONS), ..ListSessions::default() };
                let list = self.aegis.list_sessions(caller, all).await?;
                (JSON, listing(list.sessions, list.next_cursor.is_some())?)
            }
            Uri::Health => {
                (JSON, json(&self.aegis.server_health(caller, ServerHealthRequest::default()).await?)?)
            }
            Uri::Session { reference, place: Place::Transcript } => {
                let id = self.aegis.find(caller, reference).await?.to_string();
                let newest = GetTranscript {
                    session_id: id.clone(),
                    limit: Some(MESSAGES),
                    max_chars: Some(TEXTS),
                    ..GetTranscript::default()
                };
                let page = self.aegis.get_transcript(caller, newest).await?;
                let cut = page.has_more || page.messages.iter().any(|message| message.truncated);
                let cut = cut.then_some("only the end is here; get_transcript reads the rest");
                (JSON, json(&Transcript { session_id: id, page, cut })?)
            }
            Uri::Session { reference, place: Place::Pane } => {
                let req = CapturePane { session_id: reference.clone(), ..CapturePane::default() };
                (TEXT, self.aegis.capture_pane(caller, req).await?.pane)
            }
        })
    }
}

/// Writes the list so that it stays below [`LONGEST`]: without what asks want to run, then without the oldest.
fn listing(sessions: Vec<Session>, more: bool) -> Result<String, OpError> {
    let mut listing = Listing { sessions, cut: more.then_some("there are more; list_sessions shows them") };
    let mut written = json(&listing)?;
    if written.len() > LONGEST {
        listing.cut = Some("the inputs of open asks are left out; get_status shows them");
        listing
            .sessions
            .iter_mut()
            .flat_map(|session| &mut session.open_asks)
            .for_each(|ask| ask.input = None);
        written = json(&listing)?;
    }
    while written.len() > LONGEST && !listing.sessions.is_empty() {
        listing.cut = Some("inputs of open asks and older sessions are left out; list_sessions shows them");
        listing.sessions.truncate(listing.sessions.len() * 3 / 4);
        written = json(&listing)?;
    }
    Ok(written)
}

fn json(value: &impl Serialize) -> Result<String, OpError> {
    serde_json::to_string(value)
        .map_err(|error| OpError::new(ErrorCode::Internal, format!("the resource cannot be told: {error}")))
}

/// Why a resource cannot be read, as the protocol tells it: not found for what is not there, with our own code beside.
pub(super) fn fault(error: &OpError, uri: &str) -> ErrorData {
    let mut data = error.to_json();
    data["uri"] = super::args::brief(uri).into();
    let message = error.message.clone();
    match error.code {
        ErrorCode::NoSuchSession
        | ErrorCode::AmbiguousSession
        | ErrorCode::SessionEnded
        | ErrorCode::InvalidArgument => ErrorData::resource_not_found(message, Some(data)),
        _ => ErrorData::internal_error(message, Some(data)),
    }
}
