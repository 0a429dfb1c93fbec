//! `aegis create`: starts a session and leaves it.

use clap::Args;

use super::args::{Format, absolute, pair, permission_mode, text_or_stdin, variables};
use super::{Cx, Exit, text};
use crate::domain::{Decision, OpError, PermissionMode, PolicyRule};
use crate::ops::{CreateSession, SessionCreated};

/// What the session is to be.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// The directory to work in; without it the template's, or this one if there is no template
    pub dir: Option<String>,
    /// The first prompt; `-` reads it from stdin
    #[arg(long, short)]
    pub prompt: Option<String>,
    /// Start a new session even if an idle one fits
    #[arg(long)]
    pub no_reuse: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: Settings,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// A new session's settings, for `create` and `run`.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Session")]
pub struct Settings {
    /// A name to call it by, unique among live sessions
    #[arg(long, short)]
    pub name: Option<String>,
    /// Claude Code's permission mode
    #[arg(long, value_name = "MODE", value_parser = permission_mode())]
    pub permission_mode: Option<PermissionMode>,
    /// The model, by Claude Code's name for it
    #[arg(long)]
    pub model: Option<String>,
    /// Continue the conversation of this session, or this conversation of Claude Code; a live one is forked
    #[arg(long, value_name = "ID")]
    pub resume: Option<String>,
    /// Text to add to the system prompt
    #[arg(long, value_name = "TEXT")]
    pub append_system_prompt: Option<String>,
    /// Work in a new git worktree of this name
    #[arg(long, value_name = "NAME")]
    pub worktree: Option<String>,
    /// A rule that lets calls run unasked, as in 'Bash(git *)'; may be repeated. Rules of --deny and --ask come first
    #[arg(long, value_name = "RULE")]
    pub allow: Vec<String>,
    /// A rule that refuses calls, as in 'Bash(rm *)' or WebFetch; may be repeated
    #[arg(long, value_name = "RULE")]
    pub deny: Vec<String>,
    /// A rule that makes somebody be asked; may be repeated
    #[arg(long, value_name = "RULE")]
    pub ask: Vec<String>,
    /// Another directory that Claude may work in; may be repeated
    #[arg(long = "add-dir", value_name = "DIR")]
    pub add_dirs: Vec<String>,
    /// A variable to add to the environment; may be repeated
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,
    /// Make it from this template, by id or name; what is given here wins
    #[arg(long, value_name = "TEMPLATE")]
    pub template: Option<String>,
    /// A value for a variable of the template's prompt; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair, requires = "template")]
    pub variables: Vec<(String, String)>,
    /// A key of `aegis state` whose value goes before the prompt; may be repeated
    #[arg(long, value_name = "KEY")]
    pub memory: Vec<String>,
    /// Repeating a call with the same key gives the session of the first call
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

impl Settings {
    /// Builds the request.
    pub(super) fn request(
        self,
        dir: Option<&str>,
        prompt: Option<String>,
        reuse: bool,
    ) -> Result<CreateSession, OpError> {
        let add_dirs: Vec<String> =
            self.add_dirs.iter().map(|dir| absolute(dir)).collect::<Result<_, _>>()?;
        let by = |rules: &[String], decision| -> Vec<PolicyRule> {
            rules.iter().map(|rule| PolicyRule::read(rule, decision)).collect()
        };
        let policy =
            [by(&self.deny, Decision::Deny), by(&self.ask, Decision::Ask), by(&self.allow, Decision::Allow)]
                .concat();
        // A template has its own.
        let dir = dir.or(self.template.is_none().then_some("."));
        Ok(CreateSession {
            stall_threshold_ms: None,
            permission_policy: (!policy.is_empty()).then_some(policy),
            work_dir: dir.map(absolute).transpose()?.unwrap_or_default(),
            name: self.name,
            prompt,
            permission_mode: self.permission_mode,
            model: self.model,
            resume_session_id: self.resume,
            append_system_prompt: self.append_system_prompt,
            worktree: self.worktree,
            add_dirs: (!add_dirs.is_empty()).then_some(add_dirs),
            env: variables(self.env),
            template_id: self.template,
            template_variables: variables(self.variables),
            memory_keys: (!self.memory.is_empty()).then_some(self.memory),
            reuse: Some(reuse),
            idempotency_key: self.key,
        })
    }
}

pub(super) async fn run(cx: &Cx, args: CreateArgs) -> Result<Exit, OpError> {
    let prompt = args.prompt.map(text_or_stdin).transpose()?;
    let request = args.settings.request(args.dir.as_deref(), prompt, !args.no_reuse)?;
    let created = cx.aegis.create_session(&cx.caller, request).await?;
    cx.out.give(&created, render)?;
    Ok(Exit::Done)
}

fn render(created: &SessionCreated) -> String {
    let session = &created.session;
    let mut pairs = vec![
        ("session", session.id.to_string()),
        ("name", text::prose(&session.name)),
        ("status", session.status.as_str().into()),
        ("directory", text::prose(&session.work_dir)),
    ];
    if created.reused {
        pairs.push(("reused", "an idle session with these settings was taken".into()));
    }
    if let Some(receipt) = &created.receipt {
        pairs.push(("prompt", text::receipt(receipt)));
    }
    text::fields(&pairs)
}
