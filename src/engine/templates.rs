//! Templates: what sessions are made from.

use super::Engine;
use super::find::read_cursor;
use super::names::{check_name, work_dir};
use super::passed::check_env;
use crate::domain::{
    ErrorCode, OpError, SecretEnv, Template, TemplateChange, TemplateId, Timestamp, nearest,
};

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;
/// The longest description, in characters.
const LONGEST_DESCRIPTION: usize = 500;
/// The longest prompt, in characters: what is longer belongs in a file that the prompt names.
const LONGEST_PROMPT: usize = 100_000;
/// How many templates are looked through for the one that was meant.
const LOOKED_THROUGH: usize = 200;

impl Engine {
    /// Makes a template with a name and settings.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `work_dir_refused`, `name_taken`, `storage_failed`.
    pub async fn create_template(&self, name: String, settings: TemplateChange) -> Result<Template, OpError> {
        let settings = TemplateChange { name: Some(name.clone()), ..settings };
        self.check(&settings)?;
        let now = Timestamp::now();
        let mut template = Template::new(TemplateId::mint(), name, now);
        template.change(&settings, now);
        let made = template.clone();
        self.db(move |store| store.insert_template(&template)).await?;
        Ok(made)
    }

    /// Finds a template by id or name.
    ///
    /// # Errors
    ///
    /// `no_such_template`, `storage_failed`.
    pub async fn template(&self, reference: &str) -> Result<Template, OpError> {
        let wanted = reference.trim().to_owned();
        let asked = wanted.clone();
        if let Some(found) = self.db(move |store| store.template(&asked)).await? {
            return Ok(found);
        }
        let known = self.db(|store| store.templates(None, LOOKED_THROUGH)).await?;
        let near = nearest(&wanted, known.iter().map(|template| template.name.as_str()));
        Err(no_such_template(&wanted).did_you_mean(near))
    }

    /// Gives a page of templates, last changed first, and the cursor of the next.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for a bad cursor, `storage_failed`.
    pub async fn templates(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Template>, Option<String>), OpError> {
        let before = cursor.map(read_cursor).transpose()?;
        let mut templates = self.db(move |store| store.templates(before, limit + 1)).await?;
        let more = templates.len() > limit;
        templates.truncate(limit);
        let next =
            templates.last().filter(|_| more).map(|last| format!("{}_{}", last.updated_at.millis(), last.id));
        Ok((templates, next))
    }

    /// Changes a template.
    ///
    /// # Errors
    ///
    /// `no_such_template`, and those of [`Engine::create_template`].
    pub async fn update_template(
        &self,
        reference: &str,
        change: TemplateChange,
    ) -> Result<Template, OpError> {
        self.check(&change)?;
        let id = self.template(reference).await?.id;
        let changed = self.db(move |store| store.update_template(id, &change, Timestamp::now()));
        changed.await?.ok_or_else(|| no_such_template(reference))
    }

    /// Removes a template and gives it as it was; sessions that were made from it are left as they are.
    ///
    /// # Errors
    ///
    /// `no_such_template`, `storage_failed`.
    pub async fn delete_template(&self, reference: &str) -> Result<Template, OpError> {
        let template = self.template(reference).await?;
        let id = template.id;
        match self.db(move |store| store.delete_template(id)).await? {
            true => Ok(template),
            false => Err(no_such_template(reference)),
        }
    }

    /// Checks all that a change sets, so that a bad template fails when it is made and not when it is used.
    fn check(&self, change: &TemplateChange) -> Result<(), OpError> {
        if let Some(name) = &change.name {
            check_name(name, LONGEST_NAME)?;
        }
        check_length("description", change.description.as_deref(), LONGEST_DESCRIPTION)?;
        check_length("prompt", change.prompt.as_deref(), LONGEST_PROMPT)?;
        if let Some(prompt) = &change.prompt {
            self.check_prompt(prompt)?;
        }
        if let Some(dir) = &change.work_dir {
            work_dir(dir, &self.config(), &self.paths.state_dir)?;
        }
        match &change.env {
            Some(SecretEnv(env)) => check_env(env),
            None => Ok(()),
        }
    }
}

fn check_length(what: &str, text: Option<&str>, most: usize) -> Result<(), OpError> {
    match text.map(|text| text.chars().count()) {
        Some(chars) if chars > most => Err(OpError::new(
            ErrorCode::InvalidArgument,
            format!("the {what} has {chars} characters; at most {most} are kept"),
        )),
        _ => Ok(()),
    }
}

fn no_such_template(reference: &str) -> OpError {
    OpError::new(ErrorCode::NoSuchTemplate, format!("no template `{reference}`"))
}
