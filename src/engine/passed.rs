//! What the system lets a program be started with: texts that become its arguments and variables.

use std::collections::BTreeMap;

use super::NewSession;
use crate::claude::launch::never;
use crate::domain::{ErrorCode, OpError};

/// The longest argument or variable with its name, in bytes: Linux takes 32 pages of 4096 with the zero byte at the end
/// (`MAX_ARG_STRLEN` in `include/uapi/linux/binfmts.h`).
const LONGEST: usize = 32 * 4096 - 1;

/// Checks the texts of a session that become arguments and variables of Claude Code.
///
/// # Errors
///
/// `invalid_argument`.
pub(super) fn check_passed(new: &NewSession) -> Result<(), OpError> {
    let texts = [("model", &new.model), ("appendSystemPrompt", &new.append_system_prompt)];
    for (what, text) in texts {
        if let Some(text) = text {
            check(what, text, 0)?;
        }
    }
    check_env(&new.env)
}

/// Checks the variables that a caller adds.
///
/// # Errors
///
/// `invalid_argument`. What a variable holds is not told: it may be a secret.
pub(super) fn check_env(env: &BTreeMap<String, String>) -> Result<(), OpError> {
    for (name, value) in env {
        if name.is_empty() || name.contains(['=', '\0']) || never(name) {
            return Err(OpError::new(
                ErrorCode::InvalidArgument,
                format!("the variable `{name}` cannot be set"),
            ));
        }
        check(&format!("the variable `{name}`"), value, name.len() + 1)?;
    }
    Ok(())
}

fn check(what: &str, text: &str, beside: usize) -> Result<(), OpError> {
    let wrong = if text.contains('\0') {
        "holds a NUL character, which no program can be given".to_owned()
    } else if text.len() + beside > LONGEST {
        format!(
            "is longer than {} bytes, the most that a program can be given",
            LONGEST - beside.min(LONGEST)
        )
    } else {
        return Ok(());
    };
    Err(OpError::new(ErrorCode::InvalidArgument, format!("{what} {wrong}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(model: &str, prompt: &str, value: &str) -> NewSession {
        NewSession {
            model: Some(model.into()),
            append_system_prompt: Some(prompt.into()),
            env: BTreeMap::from([("NAME".to_owned(), value.to_owned())]),
            ..NewSession::default()
        }
    }

    #[test]
    fn what_the_system_would_not_take_is_refused_by_name() {
        let fits = "x".repeat(LONGEST);
        assert!(check_passed(&new("opus", &fits, &fits[5..])).is_ok());
        for (session, what) in [
            (new("o\0", "", ""), "model"),
            (new("o", "a\0b", ""), "appendSystemPrompt"),
            (new("o", "", "s3cret\0"), "the variable `NAME`"),
            (new("o", &"x".repeat(LONGEST + 1), ""), "appendSystemPrompt"),
            (new("o", "", &fits[4..]), "the variable `NAME`"),
        ] {
            let refused = check_passed(&session).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidArgument);
            assert!(refused.message.starts_with(what) && !refused.message.contains("s3cret"), "{refused:?}");
        }
    }
}
