//! Who calls, as handlers see it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::refusal::Refusal;
use crate::access::Identity;
use crate::domain::{ErrorCode, OpError};
use crate::ops::Caller;

/// The caller, put there by [`super::guard`].
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) caller: Caller,
    pub(super) identity: Arc<Identity>,
    /// Where it calls from.
    pub(super) from: IpAddr,
    /// The header `Idempotency-Key`.
    pub(super) idempotency_key: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| OpError::new(ErrorCode::Internal, "a route without its guard").into())
    }
}
