//! What a call brings: its body, its query, the session in its path.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::door::HttpDoor;
use super::refusal::Refusal;
use crate::domain::{PipelineId, SessionId, TemplateId};

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// A JSON body. None at all counts as an empty object, whatever the content type says.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<HttpDoor> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, door: &HttpDoor) -> Result<Self, Refusal> {
        let bytes = read(request, door.settings.max_body_bytes).await?;
        let text: &[u8] = if bytes.trim_ascii().is_empty() { b"{}" } else { &bytes };
        let mut reader = serde_json::Deserializer::from_slice(text);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path: Vec<Value> = error.path().iter().filter_map(segment).collect();
            bad_body(error.inner(), path)
        })?;
        reader.end().map_err(|error| bad_body(&error, Vec::new()))?;
        Ok(Self(value))
    }
}

/// Reads a body whole, up to a size and within a time.
pub(super) async fn read(request: Request, most: usize) -> Result<Bytes, Refusal> {
    let too_large = || {
        let what = format!("the body could not be read, or is larger than {most} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", what)
            .hint("write long texts to a file and name it in the prompt")
    };
    // What says so itself is refused before it is sent.
    let told = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if told.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let reading = axum::body::to_bytes(request.into_body(), most);
    match tokio::time::timeout(BODY_TIME, reading).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_too_slow",
            format!("the body took more than {} seconds", BODY_TIME.as_secs()),
        )
        .hint("send it again")),
    }
}

fn segment(segment: &serde_path_to_error::Segment) -> Option<Value> {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => Some(json!(index)),
        Segment::Map { key } => Some(json!(key)),
        Segment::Enum { variant } => Some(json!(variant)),
        Segment::Unknown => None,
    }
}

fn bad_body(error: &serde_json::Error, path: Vec<Value>) -> Refusal {
    if error.is_data() {
        let message = error.to_string();
        // The place in the text says less than the path, which is beside.
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what).to_owned();
        let code = if message.starts_with("unknown field") { "unrecognized_keys" } else { "invalid_type" };
        let at: Vec<_> =
            path.iter().map(|part| part.as_str().map_or(part.to_string(), str::to_owned)).collect();
        let place = if at.is_empty() { String::new() } else { format!(" in {}", at.join(".")) };
        Refusal::invalid(format!("Invalid request body: {message}{place}"))
            .details(json!([{ "code": code, "path": path, "message": message }]))
            .hint("/v1/openapi.json describes every body")
    } else {
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body is not JSON: {error}"))
            .hint("send a JSON object, or no body")
    }
}

/// The query's parameters. Unknown ones are ignored, as clients send some that only other programs know.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        serde_urlencoded::from_str(parts.uri.query().unwrap_or_default()).map(Self).map_err(|error| {
            Refusal::invalid(format!("Invalid query params: {error}"))
                .details(json!([{ "code": "invalid_type", "path": [], "message": error.to_string() }]))
                .hint("/v1/openapi.json describes every parameter")
        })
    }
}

/// The id in the path.
pub(super) struct Id<T>(pub(super) T);

/// The one word in the path that is no id of ours.
pub(super) struct Word(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Word {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let word = params.iter().flatten().next().map(|(_, value)| value.to_owned());
        word.map(Self).ok_or_else(|| Refusal::invalid("the path cannot be read"))
    }
}

/// What paths name by an id.
pub(super) trait Named: std::str::FromStr {
    /// What it is, as a person is told.
    const WHAT: &'static str;
}

impl Named for SessionId {
    const WHAT: &'static str = "session";
}

impl Named for PipelineId {
    const WHAT: &'static str = "pipeline";
}

impl Named for TemplateId {
    const WHAT: &'static str = "template";
}

impl<T: Named, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let text = params.iter().flatten().find(|(name, _)| *name == "id").map(|(_, value)| value);
        // The one spelling with hyphens; the parser knows others.
        text.filter(|text| text.len() == 36).and_then(|text| text.parse().ok()).map(Self).ok_or_else(|| {
            let list = match T::WHAT {
                "session" => "GET /v1/sessions tells the ids",
                "pipeline" => "GET /v1/pipelines tells the ids",
                _ => "GET /v1/templates tells the ids",
            };
            Refusal::invalid(format!("Invalid {} ID — must be a UUID", T::WHAT)).hint(list)
        })
    }
}
