//! What a new session is to be, once its template and its memory are read.
//!
//! A caller's own arguments win over the template's. The prompt is filled first and the memory put before it, so that
//! nothing out of the memory is ever taken for a variable.

use super::{Engine, NewSession};
use crate::domain::{ErrorCode, OpError, Template, before_prompt, fill};

impl Engine {
    /// Reads the template and the memory that the request names, and gives the request without them.
    ///
    /// # Errors
    ///
    /// `no_such_template`, `missing_variable`, `no_such_key`, `prompt_refused`, `prompt_too_large`,
    /// `invalid_argument`, `storage_failed`.
    pub(super) async fn prepared(&self, new: &NewSession) -> Result<NewSession, OpError> {
        let mut new = new.clone();
        match new.template.take() {
            Some(reference) => {
                let template = self.template(&reference).await?;
                under_template(&mut new, template)?;
            }
            None if !new.variables.is_empty() => return Err(no_place("no template is named")),
            None => {}
        }
        if new.work_dir.is_empty() {
            return Err(OpError::new(
                ErrorCode::InvalidArgument,
                "neither the call nor a template names a workDir",
            )
            .hint("give the absolute path of the directory to work in"));
        }
        if let Some(text) = &new.prompt {
            self.check_prompt(text)?;
        }
        let keys = new.memory_keys.take().unwrap_or_default();
        if keys.is_empty() {
            return Ok(new);
        }
        let Some(prompt) = &new.prompt else {
            return Err(OpError::new(ErrorCode::InvalidArgument, "memoryKeys are given without a prompt")
                .hint("give a prompt; the values are put before it"));
        };
        let entries = self.recall_all(&keys).await?;
        let text = before_prompt(&entries, prompt);
        self.check_prompt(&text).map_err(|error| {
            let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
            let what = format!("with the values of {} before the prompt: {}", keys.join(", "), error.message);
            OpError::new(error.code, what).hint("leave keys out, or set them to other values with state_set")
        })?;
        new.prompt = Some(text);
        Ok(new)
    }
}

/// Puts the template's settings where the request has none.
fn under_template(new: &mut NewSession, template: Template) -> Result<(), OpError> {
    let variables = std::mem::take(&mut new.variables);
    match (&new.prompt, template.prompt) {
        (Some(_), _) if !variables.is_empty() => {
            return Err(no_place("the call's prompt takes the place of the template's"));
        }
        (None, None) if !variables.is_empty() => return Err(no_place("the template has no prompt")),
        (None, Some(prompt)) => new.prompt = Some(fill(&prompt, &variables)?),
        (Some(_), _) | (None, None) => {}
    }
    if new.work_dir.is_empty() {
        new.work_dir = template.work_dir.unwrap_or_default();
    }
    new.permission_mode = new.permission_mode.or(template.permission_mode);
    new.model = new.model.take().or(template.model);
    for (name, value) in template.env.0 {
        new.env.entry(name).or_insert(value);
    }
    new.memory_keys.get_or_insert(template.memory_keys);
    Ok(())
}

fn no_place(why: &str) -> OpError {
    OpError::new(ErrorCode::InvalidArgument, format!("templateVariables have no place: {why}"))
        .hint("leave templateVariables out")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::testing::engine;
    use super::*;
    use crate::domain::{MemoryKey, PermissionMode, SecretEnv, TemplateChange};

    fn text(text: &str) -> Option<String> {
        Some(text.into())
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn key(text: &str) -> MemoryKey {
        text.parse().unwrap()
    }

    /// An engine with a template `review` and a few texts in its memory.
    async fn prepared_engine() -> Engine {
        let engine = engine();
        let settings = TemplateChange {
            prompt: text("Review {{file}}."),
            work_dir: text("/tmp"),
            permission_mode: Some(PermissionMode::Plan),
            model: text("opus"),
            env: Some(SecretEnv(map(&[("A", "1"), ("B", "2")]))),
            memory_keys: Some(vec![key("team/rules")]),
            ..TemplateChange::default()
        };
        engine.create_template("review".into(), settings).await.unwrap();
        for (name, value) in [("team/rules", "Be {{kind}}."), ("team/bell", "\u{7}")] {
            engine.remember(key(name), value.into(), None, "cli".into()).await.unwrap();
        }
        engine
    }

    #[tokio::test]
    async fn a_template_and_the_memory_make_the_session() {
        let engine = prepared_engine().await;
        let new = NewSession {
            template: text("review"),
            variables: map(&[("file", "{{file}}")]),
            ..NewSession::default()
        };
        let made = engine.prepared(&new).await.unwrap();
        let expected =
            "[Memory context]\n--- team/rules\nBe {{kind}}.\n--- end of memory context\n\nReview {{file}}.";
        assert_eq!(made.prompt.as_deref(), Some(expected));
        assert_eq!((made.work_dir.as_str(), made.model.as_deref()), ("/tmp", Some("opus")));
        assert_eq!(
            (made.permission_mode, made.env),
            (Some(PermissionMode::Plan), map(&[("A", "1"), ("B", "2")]))
        );
    }

    #[tokio::test]
    async fn the_calls_own_arguments_win() {
        let engine = prepared_engine().await;
        let new = NewSession {
            work_dir: "/srv".into(),
            prompt: text("Something else."),
            permission_mode: Some(PermissionMode::Default),
            model: text("haiku"),
            env: map(&[("B", "mine")]),
            memory_keys: Some(Vec::new()),
            template: text("review"),
            ..NewSession::default()
        };
        let made = engine.prepared(&new).await.unwrap();
        assert_eq!(made.prompt, new.prompt);
        assert_eq!(
            (&made.work_dir, &made.model, made.permission_mode),
            (&new.work_dir, &new.model, new.permission_mode)
        );
        assert_eq!(made.env, map(&[("A", "1"), ("B", "mine")]));
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_and_named() {
        let engine = prepared_engine().await;
        let new = |template, prompt, variables, keys: &[&str]| NewSession {
            work_dir: "/tmp".into(),
            template,
            prompt,
            variables,
            memory_keys: Some(keys.iter().map(|name| key(name)).collect()),
            ..NewSession::default()
        };
        let (none, file) = (BTreeMap::new, || map(&[("file", "x")]));
        let cases = [
            (new(text("revue"), None, none(), &[]), "no_such_template", "did you mean `review`?"),
            (new(text("review"), None, none(), &[]), "missing_variable", "`file`"),
            (
                new(text("review"), None, map(&[("file", "x"), ("flie", "y")]), &[]),
                "invalid_argument",
                "did you mean `file`?",
            ),
            (new(text("review"), text("own"), file(), &[]), "invalid_argument", "takes the place"),
            (new(None, text("own"), file(), &[]), "invalid_argument", "no template is named"),
            (new(None, None, none(), &["team/rules"]), "invalid_argument", "without a prompt"),
            (new(None, text("own"), none(), &["team/ruels"]), "no_such_key", "did you mean `team/rules`?"),
            (new(None, text("own"), none(), &["team/bell"]), "prompt_refused", "`team/bell`"),
            (new(None, text(" "), none(), &["team/rules"]), "prompt_refused", "blank"),
        ];
        for (new, code, said) in cases {
            let error = engine.prepared(&new).await.unwrap_err();
            assert_eq!(error.code.as_str(), code, "{error:?}");
            assert!(format!("{} {}", error.message, error.hint).contains(said), "{said}: {error:?}");
        }
        let error = engine.prepared(&NewSession::default()).await.unwrap_err();
        assert!(error.message.contains("workDir"), "{error}");
    }
}
