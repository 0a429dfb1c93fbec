//! Completion: sessions by the beginning of their name or id, wherever a template or a prompt takes one.

use rmcp::ErrorData;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference};

use super::args::brief;
use super::door::McpDoor;
use super::{prompts, resources};
use crate::domain::{ErrorCode, OpError};
use crate::ops::ListSessions;

impl McpDoor {
    /// Completes one argument. What takes no session has no completions.
    ///
    /// # Errors
    ///
    /// Invalid params for an unknown template, prompt or argument.
    pub(super) async fn completion(
        &self,
        request: &CompleteRequestParams,
    ) -> Result<CompleteResult, ErrorData> {
        let argument = request.argument.name.as_str();
        if !takes_session(&request.r#ref, argument).map_err(refused)? {
            return Ok(CompleteResult::default());
        }
        let all = ListSessions { limit: Some(200), ..ListSessions::default() };
        let list = self.aegis.list_sessions(&self.caller, all).await.map_err(refused)?;
        let begun = request.argument.value.trim();
        let names = list.sessions.iter().map(|session| session.name.clone());
        let ids = list.sessions.iter().map(|session| session.id.to_string());
        // Names first: they are what a person has in mind.
        let mut values: Vec<_> = names.chain(ids).filter(|value| value.starts_with(begun)).collect();
        let total = u32::try_from(values.len()).ok();
        let more = values.len() > CompletionInfo::MAX_VALUES || list.next_cursor.is_some();
        values.truncate(CompletionInfo::MAX_VALUES);
        let completion =
            CompletionInfo::with_pagination(values, total.filter(|_| list.next_cursor.is_none()), more)
                .map_err(|error| ErrorData::internal_error(error, None))?;
        Ok(CompleteResult::new(completion))
    }
}

/// Whether the argument names a session.
fn takes_session(of: &Reference, argument: &str) -> Result<bool, OpError> {
    let unknown = |what: String| OpError::new(ErrorCode::InvalidArgument, what);
    match of {
        Reference::Resource(template) => {
            let known = resources::templates().iter().any(|known| known.uri_template == template.uri);
            match (known, argument) {
                (true, "id") => Ok(true),
                (true, _) => Err(unknown(format!("`{}` is no argument of the template", brief(argument)))
                    .hint("the templates take id")),
                (false, _) => Err(unknown(format!("no resource template `{}`", brief(&template.uri)))
                    .hint("resources/templates/list shows them")),
            }
        }
        Reference::Prompt(prompt) => prompts::takes_session(&prompt.name, argument),
        // The protocol may come to know more kinds.
        _ => Err(unknown("this kind of reference has no completions".into())),
    }
}

fn refused(error: OpError) -> ErrorData {
    let data = error.to_json();
    match error.code {
        ErrorCode::InvalidArgument => ErrorData::invalid_params(error.message, Some(data)),
        _ => ErrorData::internal_error(error.message, Some(data)),
    }
}
