//! How answers and faults travel.
//!
//! [`Json`] and [`ToolFault`] are the two arms of every tool's result. `Json` is named so because the tool macro
//! takes the output schema from a result type of that name, and only if it is spelled out.

use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock};
use serde::Serialize;

use super::say::Say;
use crate::domain::{ErrorCode, OpError};

/// A success: structured content that fits the tool's output schema, and a short text twin.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize + Say> IntoCallToolResult for Json<T> {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        let value = match serde_json::to_value(&self.0) {
            Ok(value) => value,
            Err(error) => {
                let error = OpError::new(ErrorCode::Internal, format!("the answer cannot be told: {error}"));
                return ToolFault(error).into_call_tool_result();
            }
        };
        let mut result = CallToolResult::success(vec![ContentBlock::text(self.0.say())]);
        result.structured_content = Some(value);
        Ok(result.into())
    }
}

/// A failure: a tool error whose text is one compact JSON object, `{code, message, hint, details?}`.
///
/// It carries no structured content: some clients hold that against the output schema even on errors, and would
/// show the model their own complaint instead.
pub(super) struct ToolFault(OpError);

impl ToolFault {
    /// The fault of a call that its caller took back.
    pub(super) fn withdrawn() -> Self {
        let error = OpError::new(ErrorCode::NotConfirmed, "the call was cancelled before it came out");
        Self(error.hint("call again"))
    }
}

impl From<OpError> for ToolFault {
    fn from(error: OpError) -> Self {
        Self(error)
    }
}

impl IntoCallToolResult for ToolFault {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        Ok(CallToolResult::error(vec![ContentBlock::text(self.0.to_json().to_string())]).into())
    }
}
