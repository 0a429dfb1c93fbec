//! What the store does for templates.

use super::StoreError;
use crate::domain::{Template, TemplateChange, TemplateId, Timestamp};

/// Templates. Their variables' values are secrets, which are nowhere but in the store.
///
/// # Errors
///
/// As for [`super::Store`]; what else a method can fail with stands at it.
pub trait TemplateStore: Send + Sync {
    /// Adds a template. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// [`StoreError::TemplateExists`] if another has the name.
    fn insert_template(&self, template: &Template) -> Result<(), StoreError>;

    /// Finds a template by exact id, else by exact name.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn template(&self, reference: &str) -> Result<Option<Template>, StoreError>;

    /// Gives at most `limit` templates, last changed first: those after `before`, the time and id of the last one of
    /// the page before.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn templates(
        &self,
        before: Option<(Timestamp, TemplateId)>,
        limit: usize,
    ) -> Result<Vec<Template>, StoreError>;

    /// Changes a template, with nobody else's change in between, and gives it as it is then; none if there is none.
    /// Survives a loss of power.
    ///
    /// # Errors
    ///
    /// [`StoreError::TemplateExists`] if another has the name that it gets.
    fn update_template(
        &self,
        id: TemplateId,
        change: &TemplateChange,
        now: Timestamp,
    ) -> Result<Option<Template>, StoreError>;

    /// Removes a template; returns whether there was one. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn delete_template(&self, id: TemplateId) -> Result<bool, StoreError>;
}
