//! `aegis pipeline`: prompts that wait for each other and hand their answers on.

use std::collections::HashMap;

use clap::{Args, Subcommand};

use super::args::{Format, absolute, permission_mode, pipeline_status, text_or_stdin};
use super::text::pipeline as words;
use super::{Cx, Exit, text};
use crate::domain::{ErrorCode, OpError, PermissionMode, Pipeline, PipelineStatus, Timestamp};
use crate::ops::{CreatePipeline, ListPipelines, PipelineList, PipelineRef, PipelineStep, StewardPlace};

/// What to do with pipelines.
#[derive(Clone, Debug, Subcommand)]
pub enum PipelineCommand {
    /// Store a pipeline; a server runs it, or this command with --wait
    Create(Box<PipelineCreateArgs>),
    /// List pipelines, newest first
    List(PipelineListArgs),
    /// Show a pipeline with its stages and their answers
    Show(PipelineShowArgs),
    /// Cancel a pipeline: what runs of it is stopped, the rest never begins
    Cancel(PipelineTarget),
}

impl PipelineCommand {
    /// How the answer is written.
    pub(super) fn format(&self) -> Format {
        match self {
            Self::Create(args) => args.format,
            Self::List(args) => args.format,
            Self::Show(args) => args.target.format,
            Self::Cancel(target) => target.format,
        }
    }
}

/// What the pipeline is to be.
#[derive(Clone, Debug, Args)]
pub struct PipelineCreateArgs {
    /// A JSON file with what the tool create_pipeline takes; `-` reads it from stdin
    #[arg(required_unless_present = "steps", conflicts_with = "steps")]
    pub file: Option<String>,
    /// The prompt of a step; may be repeated. Steps are in sequence, and are named step-1, step-2, …
    #[arg(long = "step", short, value_name = "PROMPT")]
    pub steps: Vec<String>,
    /// What to call it
    #[arg(long, short)]
    pub name: Option<String>,
    /// The directory of steps that name none
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    pub dir: String,
    /// Claude Code's permission mode, for steps that name none
    #[arg(long, value_name = "MODE", value_parser = permission_mode())]
    pub permission_mode: Option<PermissionMode>,
    /// A step goes on in the session of the one before if directory and settings are the same
    #[arg(long)]
    pub reuse: bool,
    /// Repeating a call with the same key gives the pipeline of the first call
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Run it here if no server does, and wait until it is over
    #[arg(long, short)]
    pub wait: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Which pipelines to list.
#[derive(Clone, Debug, Args)]
pub struct PipelineListArgs {
    /// Only pipelines in this status
    #[arg(long, value_parser = pipeline_status())]
    pub status: Option<PipelineStatus>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub limit: Option<u32>,
    /// Go on where the page before ended
    #[arg(long)]
    pub cursor: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Which pipeline to show.
#[derive(Clone, Debug, Args)]
pub struct PipelineShowArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: PipelineTarget,
    /// Run it here if no server does, and wait until it is over
    #[arg(long, short)]
    pub wait: bool,
}

/// Names one pipeline.
#[derive(Clone, Debug, Args)]
pub struct PipelineTarget {
    /// The pipeline: its id, a unique prefix of at least 6 characters, or its name if no other has it
    #[arg(value_name = "PIPELINE")]
    pub pipeline: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

pub(super) async fn run(cx: &Cx, command: PipelineCommand) -> Result<Exit, OpError> {
    match command {
        PipelineCommand::Create(args) => create(cx, *args).await,
        PipelineCommand::List(args) => list(cx, args).await,
        PipelineCommand::Show(args) => show(cx, args).await,
        PipelineCommand::Cancel(target) => {
            let request = PipelineRef { pipeline_id: target.pipeline };
            let pipeline = cx.aegis.cancel_pipeline(&cx.caller, request).await?;
            cx.out.give(&pipeline, render)?;
            Ok(Exit::Done)
        }
    }
}

async fn create(cx: &Cx, args: PipelineCreateArgs) -> Result<Exit, OpError> {
    let wait = args.wait;
    let pipeline = cx.aegis.create_pipeline(&cx.caller, request(args)?).await?;
    if wait {
        return finish(cx, pipeline.id.to_string()).await;
    }
    cx.out.give(&pipeline, render)?;
    if cx.aegis.steward() == StewardPlace::None {
        let id = text::short(pipeline.id);
        cx.out.note(&format!("no server runs: it waits for one, or for `aegis pipeline show {id} --wait`"));
    }
    Ok(Exit::Done)
}

fn request(args: PipelineCreateArgs) -> Result<CreatePipeline, OpError> {
    let mut request = match args.file {
        Some(file) => read(file)?,
        None => CreatePipeline { name: "pipeline".into(), ..CreatePipeline::default() },
    };
    request
        .steps
        .extend(args.steps.into_iter().map(|prompt| PipelineStep { prompt, ..PipelineStep::default() }));
    for dir in request.steps.iter_mut().filter_map(|step| step.work_dir.as_mut()) {
        *dir = absolute(dir)?;
    }
    request.work_dir = Some(absolute(request.work_dir.as_deref().unwrap_or(&args.dir))?);
    request.name = args.name.unwrap_or(request.name);
    let mode = args.permission_mode.map(|mode| mode.as_str().to_owned());
    request.permission_mode = mode.or(request.permission_mode);
    request.reuse = Some(args.reuse || request.reuse.unwrap_or(false));
    request.idempotency_key = args.key.or(request.idempotency_key);
    Ok(request)
}

fn read(file: String) -> Result<CreatePipeline, OpError> {
    let refused = |why: String| OpError::new(ErrorCode::InvalidArgument, format!("`{file}`: {why}"));
    let json = if file == "-" {
        text_or_stdin(file.clone())?
    } else {
        std::fs::read_to_string(&file).map_err(|error| refused(error.to_string()))?
    };
    serde_json::from_str(&json).map_err(|error| refused(error.to_string()))
}

async fn list(cx: &Cx, args: PipelineListArgs) -> Result<Exit, OpError> {
    let request = ListPipelines { status: args.status, limit: args.limit, cursor: args.cursor };
    let page = cx.aegis.list_pipelines(&cx.caller, request).await?;
    cx.out.give(&page, |page: &PipelineList| words::rows(&page.pipelines, Timestamp::now()))?;
    if let (Some(cursor), false) = (&page.next_cursor, cx.out.json) {
        cx.out.note(&format!("there are more: aegis pipeline list --cursor {cursor}"));
    }
    Ok(Exit::Done)
}

async fn show(cx: &Cx, args: PipelineShowArgs) -> Result<Exit, OpError> {
    let reference = args.target.pipeline;
    if args.wait {
        return finish(cx, reference).await;
    }
    let pipeline = cx.aegis.get_pipeline(&cx.caller, PipelineRef { pipeline_id: reference }).await?;
    cx.out.give(&pipeline, render)?;
    Ok(Exit::Done)
}

/// Waits for the end, telling on stderr what happens.
async fn finish(cx: &Cx, reference: String) -> Result<Exit, OpError> {
    let mut told: HashMap<String, String> = HashMap::new();
    let tell = |pipeline: &Pipeline| {
        for stage in &pipeline.stages {
            let line = words::progress(stage);
            if told.insert(stage.name.clone(), line.clone()).is_none_or(|before| before != line)
                && !cx.out.json
            {
                cx.out.note(&format!("· {}: {line}", stage.name));
            }
        }
    };
    let request = PipelineRef { pipeline_id: reference };
    let pipeline = cx.aegis.run_pipeline(&cx.caller, request, tell).await?;
    cx.out.give(&pipeline, render)?;
    Ok(exit(pipeline.status))
}

fn render(pipeline: &Pipeline) -> String {
    words::detail(pipeline, Timestamp::now())
}

fn exit(status: PipelineStatus) -> Exit {
    match status {
        PipelineStatus::Failed => Exit::TurnFailed,
        PipelineStatus::Cancelled => Exit::SessionEnded,
        PipelineStatus::Pending
        | PipelineStatus::Running
        | PipelineStatus::Cancelling
        | PipelineStatus::Completed => Exit::Done,
    }
}
