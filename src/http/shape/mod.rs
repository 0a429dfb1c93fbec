//! What clients read, where it is not what [`crate::ops`] gives.

mod health;
mod message;
mod pipeline;
mod receipt;
mod session;
mod spread;

pub(super) use health::HealthInfo;
pub(super) use message::MessageInfo;
pub(super) use pipeline::PipelineInfo;
pub(super) use receipt::{Done, PromptDelivery, Sent};
pub(super) use session::{Created, Page, SessionDetailInfo, SessionInfo, SessionPage};
pub(super) use spread::Spread;

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
