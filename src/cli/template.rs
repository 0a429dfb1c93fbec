//! `aegis template`: what sessions are made from.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use super::args::{Format, Page, absolute, pair, permission_mode, text_or_stdin, variables};
use super::{Cx, Exit, text};
use crate::domain::{OpError, PermissionMode, SecretEnv, TemplateField, Timestamp};
use crate::ops::{CreateTemplate, ListTemplates, TemplateList, TemplateRef, TemplateView, UpdateTemplate};

/// What to do with templates.
#[derive(Clone, Debug, Args)]
pub struct TemplateArgs {
    /// What to do
    #[command(subcommand)]
    pub command: TemplateCommand,
}

/// What to do with templates.
#[derive(Clone, Debug, Subcommand)]
pub enum TemplateCommand {
    /// Make a template
    Create(CreateTemplateArgs),
    /// List templates, last changed first
    #[command(visible_alias = "ls")]
    List(ListTemplatesArgs),
    /// Show a template; of its environment only the names
    Show(TemplateTarget),
    /// Change a template; what is not given stays
    Update(UpdateTemplateArgs),
    /// Delete a template; sessions that were made from it are left as they are
    Delete(TemplateTarget),
}

/// What to make.
#[derive(Clone, Debug, Args)]
pub struct CreateTemplateArgs {
    /// Its name, unique among templates
    pub name: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: TemplateSettings,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// What to change.
#[derive(Clone, Debug, Args)]
pub struct UpdateTemplateArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: TemplateTarget,
    /// Another name
    #[arg(long, short)]
    pub name: Option<String>,
    /// A part to take out; may be repeated
    #[arg(long, value_name = "PART", value_parser = part())]
    pub clear: Vec<TemplateField>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: TemplateSettings,
}

/// What a template holds.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Template")]
pub struct TemplateSettings {
    /// The first prompt, with {{variables}}; `-` reads it from stdin
    #[arg(long, short)]
    pub prompt: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// The directory to work in
    #[arg(long, short, value_name = "DIR")]
    pub dir: Option<String>,
    /// Claude Code's permission mode
    #[arg(long, value_name = "MODE", value_parser = permission_mode())]
    pub permission_mode: Option<PermissionMode>,
    /// The model, by Claude Code's name for it
    #[arg(long)]
    pub model: Option<String>,
    /// A variable to add to the environment; may be repeated, and replaces all that there were
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,
    /// A key whose value goes before the prompt; may be repeated, and replaces all that there were
    #[arg(long, value_name = "KEY")]
    pub memory: Vec<String>,
}

/// Which template.
#[derive(Clone, Debug, Args)]
pub struct TemplateTarget {
    /// The template: its id or name
    #[arg(value_name = "TEMPLATE")]
    pub template: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Which templates to list.
#[derive(Clone, Debug, Args)]
pub struct ListTemplatesArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub page: Page,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Reads a part that can be taken out.
fn part() -> impl TypedValueParser<Value = TemplateField> {
    PossibleValuesParser::new(TemplateField::ALL.map(TemplateField::as_str)).try_map(|word| {
        TemplateField::ALL.into_iter().find(|field| field.as_str() == word).ok_or("not a part")
    })
}

impl TemplateCommand {
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Create(args) => args.format.json,
            Self::List(args) => args.format.json,
            Self::Show(target) | Self::Delete(target) => target.format.json,
            Self::Update(args) => args.target.format.json,
        }
    }
}

pub(super) async fn run(cx: &Cx, args: TemplateArgs) -> Result<Exit, OpError> {
    let (aegis, caller) = (&cx.aegis, &cx.caller);
    match args.command {
        TemplateCommand::Create(CreateTemplateArgs { name, settings, .. }) => {
            let request = CreateTemplate {
                name,
                description: settings.description,
                prompt: settings.prompt.map(text_or_stdin).transpose()?,
                work_dir: settings.dir.as_deref().map(absolute).transpose()?,
                permission_mode: settings.permission_mode,
                model: settings.model,
                env: variables(settings.env).map(SecretEnv),
                memory_keys: some(settings.memory),
            };
            cx.out.give(&aegis.create_template(caller, request).await?, render)?;
        }
        TemplateCommand::List(args) => {
            let request = ListTemplates { limit: args.page.limit, cursor: args.page.cursor };
            let list = aegis.list_templates(caller, request).await?;
            cx.out.give(&list, |list| rows(list, Timestamp::now()))?;
            if let (Some(cursor), false) = (&list.next_cursor, cx.out.json) {
                cx.out.note(&format!("there are more: aegis template list --cursor {cursor}"));
            }
        }
        TemplateCommand::Show(target) => {
            let request = TemplateRef { template_id: target.template };
            cx.out.give(&aegis.get_template(caller, request).await?, render)?;
        }
        TemplateCommand::Update(UpdateTemplateArgs { target, name, clear, settings }) => {
            let request = UpdateTemplate {
                template_id: target.template,
                name,
                description: settings.description,
                prompt: settings.prompt.map(text_or_stdin).transpose()?,
                work_dir: settings.dir.as_deref().map(absolute).transpose()?,
                permission_mode: settings.permission_mode,
                model: settings.model,
                env: variables(settings.env).map(SecretEnv),
                memory_keys: some(settings.memory),
                clear: some(clear),
            };
            cx.out.give(&aegis.update_template(caller, request).await?, render)?;
        }
        TemplateCommand::Delete(target) => {
            let request = TemplateRef { template_id: target.template };
            let deleted = aegis.delete_template(caller, request).await?;
            cx.out.give(&deleted, |template| format!("{} is deleted", text::prose(&template.name)))?;
        }
    }
    Ok(Exit::Done)
}

/// A list as the operations take it: an empty one is absent.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn render(template: &TemplateView) -> String {
    let mut pairs = vec![("template", template.id.to_string()), ("name", text::prose(&template.name))];
    let mut add = |name, value: Option<String>| pairs.extend(value.map(|value| (name, text::prose(&value))));
    add("for", template.description.clone());
    add("directory", template.work_dir.clone());
    add("mode", template.permission_mode.map(|mode| mode.as_str().into()));
    add("model", template.model.clone());
    let keys: Vec<_> = template.memory_keys.iter().map(ToString::to_string).collect();
    for (name, list) in [("variables", &template.variables), ("env", &template.env_names), ("memory", &keys)]
    {
        add(name, (!list.is_empty()).then(|| list.join(", ")));
    }
    let mut shown = text::fields(&pairs);
    if let Some(prompt) = &template.prompt {
        shown.push('\n');
        shown.push_str(&text::prose(prompt));
    }
    shown
}

fn rows(list: &TemplateList, now: Timestamp) -> String {
    if list.templates.is_empty() {
        return "no templates\n".into();
    }
    let about = |template: &TemplateView| template.description.clone().or_else(|| template.prompt.clone());
    let row = |template: &TemplateView| {
        vec![
            text::prose(&template.name),
            text::short(template.id),
            text::ago(now, template.updated_at),
            text::clip(&about(template).unwrap_or_default(), 60),
        ]
    };
    text::table(&list.templates.iter().map(row).collect::<Vec<_>>())
}
