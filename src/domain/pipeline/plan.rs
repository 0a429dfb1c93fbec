//! From what a caller asks for to a pipeline that can be run, or the reason why it cannot.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Pipeline, PipelineStatus, Stage, StageState, reference};
use crate::domain::id::{PipelineId, SessionId};
use crate::domain::session::PermissionMode;
use crate::domain::time::Timestamp;

/// The most stages of a pipeline.
const MOST_STAGES: usize = 50;

/// How long a name may be, in characters.
const LONGEST_NAME: usize = 64;

/// The shortest a stage may be given, in milliseconds: after a takeover a turn that is over is noticed within that.
const SHORTEST_TIMEOUT_MS: u64 = 1000;

/// The longest a stage may be given, in milliseconds: a week, which no turn of use takes.
const LONGEST_TIMEOUT_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// What a pipeline is to be.
#[derive(Clone, Debug)]
pub struct PipelineSpec {
    /// Its id.
    pub id: PipelineId,
    /// Its name.
    pub name: String,
    /// Whether stages in sequence share a session.
    pub reuse: bool,
    /// The session from inside which it is created.
    pub parent_id: Option<SessionId>,
    /// The key that it belongs to, by id.
    pub owner_key: Option<String>,
    /// When it is created.
    pub created_at: Timestamp,
    /// Its steps. If none says what it depends on, each depends on the one before.
    pub steps: Vec<StepSpec>,
}

/// What a stage is to be.
#[derive(Clone, Debug)]
pub struct StepSpec {
    /// Its name; `step-N` otherwise, counted from 1.
    pub name: Option<String>,
    /// Its prompt.
    pub prompt: String,
    /// The directory it works in.
    pub work_dir: String,
    /// The stages it waits for.
    pub depends_on: Option<Vec<String>>,
    /// Its permission mode.
    pub permission_mode: PermissionMode,
    /// Its model.
    pub model: Option<String>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: Option<u64>,
}

/// Why a pipeline cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There are no stages, or too many.
    #[error("a pipeline has 1 to {MOST_STAGES} steps, not {count}")]
    Count {
        /// How many.
        count: usize,
    },
    /// The pipeline's name is blank, too long, or not plain text.
    #[error("the name of a pipeline has 1 to {LONGEST_NAME} characters, none of them a control character")]
    PipelineName,
    /// A stage's name cannot be referred to.
    #[error(
        "`{name}` cannot name a step: 1 to {LONGEST_NAME} letters, digits, `-` and `_`, as references hold them"
    )]
    StageName {
        /// The name.
        name: String,
    },
    /// Two stages have one name.
    #[error("two steps are named `{name}`")]
    SameName {
        /// The name.
        name: String,
    },
    /// A stage depends on one that there is not.
    #[error("step `{stage}` depends on `{on}`, and there is no such step")]
    UnknownDependency {
        /// The stage.
        stage: String,
        /// What it depends on.
        on: String,
    },
    /// Stages wait for each other.
    #[error("steps wait for each other: {}", .path.join(" → "))]
    Cycle {
        /// The stages, each depending on the next; the last is the first again.
        path: Vec<String>,
    },
    /// A prompt refers to something else than a stage's answer.
    #[error("step `{stage}`: `{{{{{reference}}}}}` is no reference; write `{{{{stages.NAME.output}}}}`")]
    Malformed {
        /// The stage.
        stage: String,
        /// What stands in the braces.
        reference: String,
    },
    /// A prompt refers to a stage that there is not.
    #[error("step `{stage}` wants the output of `{of}`, and there is no such step")]
    UnknownReference {
        /// The stage.
        stage: String,
        /// What it refers to.
        of: String,
    },
    /// A prompt refers to a stage that may not be over by then.
    #[error("step `{stage}` wants the output of `{of}` without depending on it")]
    NotAnAncestor {
        /// The stage.
        stage: String,
        /// What it refers to.
        of: String,
    },
    /// A stage may take next to no time, or longer than anything takes.
    #[error("step `{stage}`: timeoutMs is from {SHORTEST_TIMEOUT_MS} to {LONGEST_TIMEOUT_MS}")]
    Timeout {
        /// The stage.
        stage: String,
    },
}

impl Pipeline {
    /// Makes a pipeline of which no stage has begun.
    ///
    /// # Errors
    ///
    /// Any [`PlanError`]: it could not be run to its end.
    pub fn plan(spec: PipelineSpec) -> Result<Self, PlanError> {
        let count = spec.steps.len();
        if count == 0 || count > MOST_STAGES {
            return Err(PlanError::Count { count });
        }
        let length = spec.name.chars().count();
        if spec.name.trim().is_empty() || length > LONGEST_NAME || spec.name.chars().any(char::is_control) {
            return Err(PlanError::PipelineName);
        }
        let stages = stages(spec.steps)?;
        check_dependencies(&stages)?;
        check_references(&stages)?;
        Ok(Self {
            id: spec.id,
            name: spec.name,
            status: PipelineStatus::Pending,
            created_at: spec.created_at,
            ended_at: None,
            reuse: spec.reuse,
            parent_id: spec.parent_id,
            owner_key: spec.owner_key,
            cancelled_by: None,
            stages,
        })
    }
}

fn stages(steps: Vec<StepSpec>) -> Result<Vec<Stage>, PlanError> {
    let in_sequence = steps.iter().all(|step| step.depends_on.is_none());
    let mut stages: Vec<Stage> = Vec::with_capacity(steps.len());
    for (at, step) in steps.into_iter().enumerate() {
        let name = step.name.unwrap_or_else(|| format!("step-{}", at + 1));
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.chars().count() > LONGEST_NAME || !name.chars().all(plain) {
            return Err(PlanError::StageName { name });
        }
        if stages.iter().any(|stage| stage.name == name) {
            return Err(PlanError::SameName { name });
        }
        if step.timeout_ms.is_some_and(|limit| !(SHORTEST_TIMEOUT_MS..=LONGEST_TIMEOUT_MS).contains(&limit)) {
            return Err(PlanError::Timeout { stage: name });
        }
        let before = stages.last().filter(|_| in_sequence).map(|stage| stage.name.clone());
        let named: BTreeSet<String> = step.depends_on.unwrap_or_default().into_iter().chain(before).collect();
        stages.push(Stage {
            name,
            depends_on: named.into_iter().collect(),
            prompt: step.prompt,
            work_dir: step.work_dir,
            permission_mode: step.permission_mode,
            model: step.model,
            timeout_ms: step.timeout_ms,
            state: StageState::Pending,
            session_status: None,
        });
    }
    Ok(stages)
}

fn check_dependencies(stages: &[Stage]) -> Result<(), PlanError> {
    let named: HashMap<&str, &Stage> = stages.iter().map(|stage| (stage.name.as_str(), stage)).collect();
    for stage in stages {
        if let Some(on) = stage.depends_on.iter().find(|on| !named.contains_key(on.as_str())) {
            return Err(PlanError::UnknownDependency { stage: stage.name.clone(), on: on.clone() });
        }
    }
    let mut sound = HashSet::new();
    stages.iter().try_for_each(|stage| follow(stage, &named, &mut Vec::new(), &mut sound))
}

/// Follows what a stage depends on; `path` leads to it, and from those in `sound` no way leads back.
fn follow<'a>(
    stage: &'a Stage,
    named: &HashMap<&str, &'a Stage>,
    path: &mut Vec<&'a str>,
    sound: &mut HashSet<&'a str>,
) -> Result<(), PlanError> {
    if sound.contains(stage.name.as_str()) {
        return Ok(());
    }
    if let Some(start) = path.iter().position(|on| *on == stage.name) {
        let round = path.iter().copied().skip(start).chain([stage.name.as_str()]);
        return Err(PlanError::Cycle { path: round.map(str::to_owned).collect() });
    }
    path.push(&stage.name);
    for next in stage.depends_on.iter().filter_map(|on| named.get(on.as_str())) {
        follow(next, named, path, sound)?;
    }
    path.pop();
    sound.insert(&stage.name);
    Ok(())
}

fn check_references(stages: &[Stage]) -> Result<(), PlanError> {
    for stage in stages {
        let names = reference::names(&stage.prompt).map_err(|reference| PlanError::Malformed {
            stage: stage.name.clone(),
            reference: reference.trim().to_owned(),
        })?;
        let ancestors = ancestors(stage, stages);
        if let Some(of) = names.into_iter().find(|of| !ancestors.contains(of)) {
            let (known, stage) = (stages.iter().any(|stage| stage.name == of), stage.name.clone());
            let of = of.to_owned();
            return Err(if known {
                PlanError::NotAnAncestor { stage, of }
            } else {
                PlanError::UnknownReference { stage, of }
            });
        }
    }
    Ok(())
}

/// All stages that must be completed before this one.
fn ancestors<'a>(stage: &'a Stage, stages: &'a [Stage]) -> HashSet<&'a str> {
    let mut found = HashSet::new();
    let mut open: Vec<&Stage> = vec![stage];
    while let Some(next) = open.pop() {
        for on in &next.depends_on {
            if found.insert(on.as_str()) {
                open.extend(stages.iter().filter(|stage| stage.name == *on));
            }
        }
    }
    found
}
