//! How a failure is told: one envelope for every route and for the router itself.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::domain::{ErrorCode, OpError};

/// A failure on its way out. [`super::guard`] writes it, since only that knows the request's id.
#[derive(Clone, Debug)]
pub(super) struct Refusal(Box<Told>);

#[derive(Clone, Debug)]
struct Told {
    status: StatusCode,
    reason: &'static str,
    message: String,
    hint: String,
    details: Option<Value>,
    /// The family's name, where clients know a finer one than the status gives.
    family: Option<&'static str>,
    /// Fields beside the envelope's own.
    beside: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

pub(super) type Reply<T> = Result<T, Refusal>;

/// The envelope, for the description.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Error")]
pub(super) struct Envelope {
    /// The family, by status: `VALIDATION_ERROR`, `UNAUTHORIZED`, `FORBIDDEN`, `NOT_FOUND`, `CONFLICT`,
    /// `RATE_LIMITED` and so on.
    code: String,
    /// Exactly what it is, as every door of Aegis spells it: `no_such_session`, `already_resolved` and so on.
    reason: String,
    /// What happened, for a person.
    error: String,
    /// The same.
    message: String,
    /// The next step.
    hint: String,
    /// The request's id, which is in the header `X-Request-Id` too.
    request_id: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

impl Refusal {
    /// Refuses for a reason that only this door has.
    pub(super) fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Told {
            status,
            reason,
            message: message.into(),
            hint: String::new(),
            details: None,
            family: None,
            beside: Map::new(),
            headers: Vec::new(),
        }))
    }

    /// Answers with another status than the reason usually has.
    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// Names the next step.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        self
    }

    /// Names the family, where clients know a finer one than the status gives.
    pub(super) fn family(mut self, family: &'static str) -> Self {
        self.0.family = Some(family);
        self
    }

    /// Adds what it is about.
    pub(super) fn details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// Refuses what a request brings.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        OpError::new(ErrorCode::InvalidArgument, message).into()
    }

    /// Adds fields beside the envelope's own; those keep their meaning.
    pub(super) fn beside(mut self, fields: Map<String, Value>) -> Self {
        self.0.beside = fields;
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Writes the envelope.
    pub(super) fn render(&self, request_id: &str) -> Response {
        let mut body = self.0.beside.clone();
        let own = json!({
            "code": self.0.family.unwrap_or_else(|| family(self.0.status)),
            "reason": self.0.reason,
            "error": self.0.message,
            "message": self.0.message,
            "hint": self.0.hint,
            "requestId": request_id,
        });
        if let Value::Object(own) = own {
            body.extend(own);
        }
        if let Some(details) = &self.0.details {
            body.insert("details".into(), details.clone());
        }
        let mut response = Response::new(Body::from(Value::Object(body).to_string()));
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        for (name, value) in &self.0.headers {
            headers.insert(name.clone(), value.clone());
        }
        response
    }
}

impl From<OpError> for Refusal {
    fn from(error: OpError) -> Self {
        let (status, family) = status(error.code);
        let mut refusal = Self::new(status, error.code.as_str(), error.message).hint(error.hint);
        refusal.0.family = family;
        refusal.0.details = error.details.map(|details| *details);
        refusal
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.status;
        response.extensions_mut().insert(self);
        response
    }
}

/// The name of a status' family.
fn family(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "VALIDATION_ERROR",
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        405 => "METHOD_NOT_ALLOWED",
        408 => "REQUEST_TIMEOUT",
        409 => "CONFLICT",
        413 => "PAYLOAD_TOO_LARGE",
        415 => "UNSUPPORTED_MEDIA_TYPE",
        422 => "UNPROCESSABLE",
        429 => "RATE_LIMITED",
        501 => "NOT_IMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "TIMEOUT",
        _ => "INTERNAL_ERROR",
    }
}

/// The status of an operation's failure, and the family where the status does not say it.
fn status(code: ErrorCode) -> (StatusCode, Option<&'static str>) {
    use ErrorCode as E;
    match code {
        E::WorkDirRefused => (StatusCode::BAD_REQUEST, Some("INVALID_WORKDIR")),
        E::ClaudeUnsupported => (StatusCode::UNPROCESSABLE_ENTITY, Some("CC_VERSION_TOO_OLD")),
        E::InvalidArgument
        | E::PromptRefused
        | E::InvalidAnswer
        | E::InvalidPipeline
        | E::MissingVariable => (StatusCode::BAD_REQUEST, None),
        E::PolicyRefused | E::OwnSession | E::Forbidden => (StatusCode::FORBIDDEN, None),
        E::NoSuchSession
        | E::NoSuchAsk
        | E::NoSuchConversation
        | E::NoSuchPipeline
        | E::NoSuchKey
        | E::NoSuchTemplate
        | E::NoSuchChannel => (StatusCode::NOT_FOUND, None),
        E::AmbiguousSession
        | E::NameTaken
        | E::SessionBlocked
        | E::SessionBusy
        | E::SessionEnded
        | E::DraftPresent
        | E::NothingToApprove
        | E::AmbiguousAsk
        | E::AlreadyResolved
        | E::InputChanged
        | E::AmbiguousPipeline
        | E::KeyReused => (StatusCode::CONFLICT, None),
        E::PromptTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None),
        E::Unsupported => (StatusCode::NOT_IMPLEMENTED, None),
        E::ClaudeNotFound | E::StorageFailed => (StatusCode::SERVICE_UNAVAILABLE, None),
        E::HolderUnreachable | E::NotConfirmed => (StatusCode::GATEWAY_TIMEOUT, None),
        E::LaunchFailed | E::Internal => (StatusCode::INTERNAL_SERVER_ERROR, None),
    }
}
