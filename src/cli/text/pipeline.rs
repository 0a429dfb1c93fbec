//! Pipelines in words.

use super::{ago, clip, fields, prose, short, strict, table};
use crate::domain::{Pipeline, Stage, StageState, StatusWord, Timestamp};

/// Pipelines as a table.
pub(crate) fn rows(pipelines: &[Pipeline], now: Timestamp) -> String {
    if pipelines.is_empty() {
        return "no pipelines\n".into();
    }
    let head = ["ID", "NAME", "STATUS", "CREATED", "STAGES"].map(String::from).to_vec();
    let row = |pipeline: &Pipeline| {
        let stages: Vec<_> = pipeline
            .stages
            .iter()
            .map(|stage| format!("{} {}", prose(&stage.name), stage.state.as_str()))
            .collect();
        vec![
            short(pipeline.id),
            clip(&pipeline.name, 24),
            pipeline.status.as_str().into(),
            ago(now, pipeline.created_at),
            clip(&stages.join(", "), 80),
        ]
    };
    table(&std::iter::once(head).chain(pipelines.iter().map(row)).collect::<Vec<_>>())
}

/// A pipeline with its stages, and what they answered.
pub(crate) fn detail(pipeline: &Pipeline, now: Timestamp) -> String {
    let mut pairs = vec![
        ("pipeline", pipeline.id.to_string()),
        ("name", prose(&pipeline.name)),
        ("status", pipeline.status.as_str().into()),
        ("created", format!("{} ({} ago)", pipeline.created_at, ago(now, pipeline.created_at))),
    ];
    if let Some(ended) = pipeline.ended_at {
        pairs.push(("ended", ended.to_string()));
    }
    if let Some(by) = &pipeline.cancelled_by {
        pairs.push(("cancelled by", prose(by)));
    }
    let mut text = fields(&pairs);
    for stage in &pipeline.stages {
        text.push_str(&format!("\n{}: {}\n", prose(&stage.name), progress(stage)));
        if let StageState::Completed { output, .. } = &stage.state {
            text.extend(strict(output).lines().map(|line| format!("  {line}\n")));
        }
    }
    text
}

/// How far a stage is, in a line.
pub(crate) fn progress(stage: &Stage) -> String {
    let word = stage.state.as_str();
    let session = stage.state.session_id().map(|id| format!(" in session {}", short(id))).unwrap_or_default();
    match &stage.state {
        StageState::Pending if stage.depends_on.is_empty() => word.into(),
        StageState::Pending => format!("{word}, after {}", prose(&stage.depends_on.join(", "))),
        StageState::Running { session_id, .. } => match stage.session_status {
            Some(StatusWord::PermissionPrompt | StatusWord::Asking) => {
                format!("{word}{session}, which waits for an answer: aegis show {}", short(session_id))
            }
            _ => format!("{word}{session}"),
        },
        StageState::Failed { error, .. } => format!("{word}{session}: {}", clip(&error.message, 200)),
        StageState::Skipped { because, .. } => format!("{word}, since {} failed", prose(because)),
        StageState::Starting { .. } | StageState::Completed { .. } | StageState::Cancelled { .. } => {
            format!("{word}{session}")
        }
    }
}
