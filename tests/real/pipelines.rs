//! A pipeline whose stages the real Claude Code runs.

use aegis::domain::{PipelineStatus, StageState};
use aegis::ops::{CreatePipeline, PipelineRef};
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::tasks::Driver;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn two_stages_hand_an_answer_on(
    #[values("2.1.197", "2.1.330")] version: &str,
    #[values(true, false)] reuse: bool,
) {
    let call = Reply::tool("Bash", json!({"command": "ls", "description": "Look"}));
    let script = Script::new()
        .on("PLAN", [call, Reply::text("First: look.\nThen: act.")])
        .on("ACT ON", [Reply::text("Acted.")]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let request = json!({
        "name": "ship",
        "workDir": lab.work_dir(),
        "reuse": reuse,
        "steps": [{"name": "plan", "prompt": "PLAN"}, {"name": "act", "prompt": "ACT ON {{stages.plan.output}}"}]
    });
    let request: CreatePipeline = serde_json::from_value(request).unwrap();
    let created = driver.aegis.create_pipeline(&driver.caller, request).await.unwrap();
    let request = PipelineRef { pipeline_id: created.id.to_string() };
    let mut asked = false;
    let done = driver.aegis.run_pipeline(&driver.caller, request, |_| asked = true).await.unwrap();
    assert!(asked);
    assert_eq!(done.status, PipelineStatus::Completed, "{done:#?}");
    let outputs: Vec<_> = done
        .stages
        .iter()
        .map(|stage| match &stage.state {
            StageState::Completed { output, .. } => output.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(outputs, ["First: look.\nThen: act.", "Acted."]);
    let prompts: Vec<_> =
        lab.api.requests().iter().filter(|r| r.is_main()).filter_map(|r| r.prompt()).collect();
    let told = |text: &str| prompts.iter().filter(|prompt| *prompt == text).count();
    assert_eq!(told("ACT ON First: look.\nThen: act."), 1, "{prompts:#?}");
    let sessions: Vec<_> = done.stages.iter().map(|stage| stage.state.session_id()).collect();
    assert_eq!(sessions[0] == sessions[1], reuse);
    assert_eq!(lab.processes(), []);
}
