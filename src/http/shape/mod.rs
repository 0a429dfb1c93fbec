//! What clients read, where it is not what [`crate::ops`] gives.

mod receipt;
mod session;

pub(super) use receipt::{Done, PromptDelivery, Sent};
pub(super) use session::{Created, Page, SessionDetailInfo, SessionInfo, SessionPage};

use schemars::JsonSchema;
use serde::Serialize;

/// Done, and nothing else to tell.
#[derive(Serialize, JsonSchema)]
pub(super) struct Ok {
    ok: bool,
}

impl Ok {
    pub(super) const DONE: Self = Self { ok: true };
}
