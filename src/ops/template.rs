//! Templates: what sessions are made from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aegis, Caller};
use crate::access::Permission;
use crate::domain::{
    MemoryKey, OpError, PermissionMode, SecretEnv, Template, TemplateChange, TemplateField, TemplateId,
    Timestamp, variables,
};

/// Asks for a new template.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateTemplate {
    /// Its name, unique among templates.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// What it is for.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub description: Option<String>,
    /// The first prompt, with `{{variables}}`.
    #[serde(default)]
    #[schemars(length(max = 100_000))]
    pub prompt: Option<String>,
    /// Absolute path of the directory to work in.
    #[serde(default)]
    pub work_dir: Option<String>,
    /// Claude Code's permission mode.
    #[serde(default)]
    pub permission_mode: Option<PermissionMode>,
    /// Claude Code's name of the model.
    #[serde(default)]
    pub model: Option<String>,
    /// Environment variables to add; their values are never told again.
    #[serde(default)]
    pub env: Option<SecretEnv>,
    /// Memory keys whose values go before the prompt.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub memory_keys: Option<Vec<String>>,
}

/// Asks for a change of a template; what is not given stays.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateTemplate {
    /// Its id or name.
    pub template_id: String,
    /// Another name.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    pub name: Option<String>,
    /// Another description.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub description: Option<String>,
    /// Another prompt.
    #[serde(default)]
    #[schemars(length(max = 100_000))]
    pub prompt: Option<String>,
    /// Another directory.
    #[serde(default)]
    pub work_dir: Option<String>,
    /// Another permission mode.
    #[serde(default)]
    pub permission_mode: Option<PermissionMode>,
    /// Another model.
    #[serde(default)]
    pub model: Option<String>,
    /// Environment variables in place of all that there were.
    #[serde(default)]
    pub env: Option<SecretEnv>,
    /// Memory keys in place of all that there were.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub memory_keys: Option<Vec<String>>,
    /// Parts to take out first.
    #[serde(default)]
    pub clear: Option<Vec<TemplateField>>,
}

/// Names one template.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateRef {
    /// Its id or name.
    pub template_id: String,
}

/// Asks for templates, last changed first.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListTemplates {
    /// Default 50.
    #[serde(default)]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// nextCursor of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A template as it is told: of its environment only the names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateView {
    /// Its id.
    pub id: TemplateId,
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The first prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The variables of the prompt, in its order.
    pub variables: Vec<String>,
    /// The directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_dir: Option<String>,
    /// The permission mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<PermissionMode>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The names of the environment variables.
    pub env_names: Vec<String>,
    /// The memory keys.
    pub memory_keys: Vec<MemoryKey>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A page of templates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateList {
    /// Last changed first.
    pub templates: Vec<TemplateView>,
    /// Present if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl From<Template> for TemplateView {
    fn from(template: Template) -> Self {
        let prompt = template.prompt.as_deref().unwrap_or_default();
        Self {
            variables: variables(prompt).into_iter().map(String::from).collect(),
            env_names: template.env.names(),
            id: template.id,
            name: template.name,
            description: template.description,
            prompt: template.prompt,
            work_dir: template.work_dir,
            permission_mode: template.permission_mode,
            model: template.model,
            memory_keys: template.memory_keys,
            created_at: template.created_at,
            updated_at: template.updated_at,
        }
    }
}

impl Aegis {
    /// Makes a template.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `work_dir_refused`, `prompt_refused`, `name_taken`, `storage_failed`.
    pub async fn create_template(
        &self,
        caller: &Caller,
        req: CreateTemplate,
    ) -> Result<TemplateView, OpError> {
        let act = self.begin(caller, "create_template", Permission::Send).await?;
        act.what(format!("template {}", req.name));
        let done = self.made(req).await;
        act.end(done).await
    }

    async fn made(&self, req: CreateTemplate) -> Result<TemplateView, OpError> {
        let settings = TemplateChange {
            name: None,
            description: req.description,
            prompt: req.prompt,
            work_dir: req.work_dir,
            permission_mode: req.permission_mode,
            model: req.model,
            env: req.env,
            memory_keys: req.memory_keys.as_deref().map(MemoryKey::read_all).transpose()?,
            clear: Vec::new(),
        };
        Ok(self.engine.create_template(req.name, settings).await?.into())
    }

    /// Tells a template.
    ///
    /// # Errors
    ///
    /// `no_such_template`, `storage_failed`.
    pub async fn get_template(&self, _: &Caller, req: TemplateRef) -> Result<TemplateView, OpError> {
        Ok(self.engine.template(&req.template_id).await?.into())
    }

    /// Lists templates, last changed first.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `storage_failed`.
    pub async fn list_templates(&self, _: &Caller, req: ListTemplates) -> Result<TemplateList, OpError> {
        let limit = super::page_limit(req.limit)?;
        let (templates, next_cursor) = self.engine.templates(req.cursor.as_deref(), limit).await?;
        Ok(TemplateList { templates: templates.into_iter().map(TemplateView::from).collect(), next_cursor })
    }

    /// Changes a template. Sessions that were made from it are left as they are.
    ///
    /// # Errors
    ///
    /// As [`Aegis::create_template`], and `no_such_template`.
    pub async fn update_template(
        &self,
        caller: &Caller,
        req: UpdateTemplate,
    ) -> Result<TemplateView, OpError> {
        let act = self.begin(caller, "update_template", Permission::Send).await?;
        act.what(format!("template {}", req.template_id));
        let done = self.changed(req).await;
        act.end(done).await
    }

    async fn changed(&self, req: UpdateTemplate) -> Result<TemplateView, OpError> {
        let change = TemplateChange {
            name: req.name,
            description: req.description,
            prompt: req.prompt,
            work_dir: req.work_dir,
            permission_mode: req.permission_mode,
            model: req.model,
            env: req.env,
            memory_keys: req.memory_keys.as_deref().map(MemoryKey::read_all).transpose()?,
            clear: req.clear.unwrap_or_default(),
        };
        Ok(self.engine.update_template(&req.template_id, change).await?.into())
    }

    /// Removes a template and tells it as it was. Sessions that were made from it are left as they are.
    ///
    /// # Errors
    ///
    /// `no_such_template`, `storage_failed`.
    pub async fn delete_template(&self, caller: &Caller, req: TemplateRef) -> Result<TemplateView, OpError> {
        let act = self.begin(caller, "delete_template", Permission::Send).await?;
        act.what(format!("template {}", req.template_id));
        let done = self.engine.delete_template(&req.template_id).await.map(TemplateView::from);
        act.end(done).await
    }
}
