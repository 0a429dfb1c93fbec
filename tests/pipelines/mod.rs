mod commands;
mod kills;
mod stages;
mod troubles;

use std::collections::BTreeMap;

use aegis::domain::{
    FailureKind, OpError, Pipeline, PipelineStatus, SessionId, Stage, StageState, StatusWord,
};
use aegis::ops::{CreatePipeline, PipelineRef};
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::processes::come;
use crate::support::tasks::Driver;

/// What the tool takes, with the laboratory's directory for all steps.
fn asked(lab: &Lab, steps: Value) -> Value {
    json!({"name": "ship", "workDir": lab.work_dir(), "steps": steps})
}

async fn create(driver: &Driver, request: Value) -> Result<Pipeline, OpError> {
    let request: CreatePipeline = serde_json::from_value(request).unwrap();
    driver.aegis.create_pipeline(&driver.caller, request).await
}

async fn show(driver: &Driver, id: &str) -> Pipeline {
    driver.aegis.get_pipeline(&driver.caller, PipelineRef { pipeline_id: id.into() }).await.unwrap()
}

/// Waits until the pipeline is as wanted.
async fn until(driver: &Driver, id: &str, what: &str, wanted: impl Fn(&Pipeline) -> bool) -> Pipeline {
    come(what, async || Some(show(driver, id).await).filter(&wanted)).await
}

async fn over(driver: &Driver, id: &str) -> Pipeline {
    until(driver, id, "the pipeline's end", |pipeline| pipeline.status.over()).await
}

/// Creates a pipeline and waits for its end.
async fn ran(lab: &Lab, driver: &Driver, steps: Value) -> Pipeline {
    let created = create(driver, asked(lab, steps)).await.unwrap();
    over(driver, &created.id.to_string()).await
}

fn words(pipeline: &Pipeline) -> Vec<&'static str> {
    pipeline.stages.iter().map(|stage| stage.state.as_str()).collect()
}

fn stage<'a>(pipeline: &'a Pipeline, name: &str) -> &'a Stage {
    pipeline.stages.iter().find(|stage| stage.name == name).unwrap()
}

fn session(pipeline: &Pipeline, name: &str) -> String {
    stage(pipeline, name).state.session_id().unwrap().to_string()
}

/// What a completed stage answered.
fn output<'a>(pipeline: &'a Pipeline, name: &str) -> &'a str {
    match &stage(pipeline, name).state {
        StageState::Completed { output, .. } => output,
        other => panic!("{name}: {other:?}"),
    }
}

fn failure(pipeline: &Pipeline, name: &str) -> FailureKind {
    match &stage(pipeline, name).state {
        StageState::Failed { error, .. } => error.kind,
        other => panic!("{name}: {other:?}"),
    }
}

/// Prompts that Claude Code took, each with how often.
fn taken(lab: &Lab) -> BTreeMap<String, usize> {
    let mut taken = BTreeMap::new();
    for prompt in crate::support::records::prompts(lab) {
        *taken.entry(prompt).or_insert(0) += 1;
    }
    taken
}

fn once<const N: usize>(prompts: [&str; N]) -> BTreeMap<String, usize> {
    prompts.map(|prompt| (prompt.to_owned(), 1)).into()
}

/// The sessions that still live.
async fn live(driver: &Driver) -> Vec<SessionId> {
    let listed = driver.aegis.list_sessions(&driver.caller, Default::default()).await.unwrap();
    listed.sessions.into_iter().map(|session| session.id).collect()
}
