//! Pipelines: stages that wait for each other.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::domain::{PipelineId, PipelineStatus};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Body, Id, Query};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::http::shape::PipelineInfo;
use crate::ops::{CreatePipeline, ListPipelines, PipelineRef, PipelineStep};

/// Where the next page begins: a bare array has no room for it.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/pipelines", create)
            .says("Stores a pipeline and runs it.")
            .needs(Permission::Create)
            .body::<NewPipeline>()
            .gives::<PipelineInfo>(201)
            .keyed(),
        Route::get("/v1/pipelines", list)
            .says(
                "Lists pipelines as a bare array, newest first; finished ones too. `X-Next-Cursor` leads on.",
            )
            .query::<ListQuery>()
            .gives::<Vec<PipelineInfo>>(200),
        Route::get("/v1/pipelines/{id}", get).says("Tells a pipeline whole.").gives::<PipelineInfo>(200),
        Route::delete("/v1/pipelines/{id}", cancel)
            .says("Cancels a pipeline: what runs is stopped, and its sessions end. It stays on record.")
            .needs(Permission::Kill)
            .gives::<Cancelled>(200),
    ]
}

/// A new pipeline.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPipeline {
    /// Its name; `pipeline` unless given.
    #[serde(default)]
    name: Option<String>,
    /// 1 to 50 stages, in sequence unless any names what it depends on.
    #[serde(default, alias = "steps")]
    #[schemars(length(min = 1, max = 50))]
    stages: Vec<NewStage>,
    /// The directory of stages that name none.
    #[serde(default)]
    work_dir: Option<String>,
    /// The permission mode of stages that name none.
    #[serde(default)]
    permission_mode: Option<String>,
    /// An older spelling: true is `bypassPermissions`, false is `default`.
    #[serde(default)]
    auto_approve: Option<bool>,
    /// Whether stages in sequence share a session.
    #[serde(default)]
    reuse: Option<bool>,
    /// The same key gives the same pipeline. The header `Idempotency-Key` says the same.
    #[serde(default)]
    idempotency_key: Option<String>,
}

/// One stage. Fields that are not known are ignored, as older clients expect.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NewStage {
    /// Its name; `stage-1`, `stage-2` and so on unless given. What is no letter, digit, `-` or `_` becomes `-`.
    #[serde(default, alias = "id")]
    name: Option<String>,
    /// The prompt; `{{stages.NAME.output}}` stands for another stage's answer.
    prompt: String,
    /// The directory.
    #[serde(default)]
    work_dir: Option<String>,
    /// The stages that must be completed before it.
    #[serde(default, alias = "dependencies")]
    depends_on: Option<Vec<String>>,
    /// The permission mode.
    #[serde(default)]
    permission_mode: Option<String>,
    /// An older spelling: true is `bypassPermissions`, false is `default`.
    #[serde(default)]
    auto_approve: Option<bool>,
    /// The model.
    #[serde(default)]
    model: Option<String>,
    /// How long it may take, in milliseconds: from 1000 to a week.
    #[serde(default, alias = "stageTimeoutMs")]
    timeout_ms: Option<u64>,
}

fn mode(mode: Option<String>, auto_approve: Option<bool>) -> Option<String> {
    mode.or_else(|| Some(if auto_approve? { "bypassPermissions" } else { "default" }.into()))
}

/// A name as references can hold it.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    name.trim().chars().map(|c| if fits(c) { c } else { '-' }).collect()
}

impl NewPipeline {
    fn request(self, key: Option<String>) -> Result<CreatePipeline, Refusal> {
        if let (None, Some(at)) =
            (&self.work_dir, self.stages.iter().position(|stage| stage.work_dir.is_none()))
        {
            let what =
                format!("Invalid request body: neither the pipeline nor stage {} names a workDir", at + 1);
            return Err(Refusal::invalid(what).hint("give workDir once, or for each stage"));
        }
        let step = |(at, stage): (usize, NewStage)| PipelineStep {
            prompt: stage.prompt,
            name: Some(match stage.name {
                Some(name) if !name.trim().is_empty() => plain(&name),
                _ => format!("stage-{}", at + 1),
            }),
            work_dir: stage.work_dir,
            depends_on: stage.depends_on.map(|all| all.iter().map(|name| plain(name)).collect()),
            permission_mode: mode(stage.permission_mode, stage.auto_approve),
            model: stage.model,
            timeout_ms: stage.timeout_ms,
        };
        Ok(CreatePipeline {
            name: self.name.unwrap_or_else(|| "pipeline".into()),
            steps: self.stages.into_iter().enumerate().map(step).collect(),
            work_dir: self.work_dir,
            permission_mode: mode(self.permission_mode, self.auto_approve),
            reuse: self.reuse,
            idempotency_key: self.idempotency_key.or(key),
        })
    }
}

async fn create(
    State(door): State<HttpDoor>,
    call: Call,
    Body(new): Body<NewPipeline>,
) -> Reply<(StatusCode, Json<PipelineInfo>)> {
    let request = new.request(call.idempotency_key.clone())?;
    let made = door.aegis.create_pipeline(&call.caller, request).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Which pipelines.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct ListQuery {
    /// Only those in this status.
    status: Option<PipelineStatus>,
    /// At most so many; 100 unless given.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `X-Next-Cursor` of the page before.
    cursor: Option<String>,
}

async fn list(
    State(door): State<HttpDoor>,
    call: Call,
    Query(query): Query<ListQuery>,
) -> Reply<(HeaderMap, Json<Vec<PipelineInfo>>)> {
    let request =
        ListPipelines { status: query.status, limit: Some(query.limit.unwrap_or(100)), cursor: query.cursor };
    let page = door.aegis.list_pipelines(&call.caller, request).await?;
    let mut headers = HeaderMap::new();
    if let Some(next) = page.next_cursor.and_then(|cursor| HeaderValue::from_str(&cursor).ok()) {
        headers.insert(NEXT_CURSOR, next);
    }
    Ok((headers, Json(page.pipelines.into_iter().map(PipelineInfo::from).collect())))
}

fn named(id: PipelineId) -> PipelineRef {
    PipelineRef { pipeline_id: id.to_string() }
}

async fn get(State(door): State<HttpDoor>, call: Call, Id(id): Id<PipelineId>) -> Reply<Json<PipelineInfo>> {
    Ok(Json(door.aegis.get_pipeline(&call.caller, named(id)).await?.into()))
}

/// A pipeline that was cancelled, or was over before.
#[derive(Serialize, JsonSchema)]
struct Cancelled {
    ok: bool,
    pipeline: PipelineInfo,
}

async fn cancel(State(door): State<HttpDoor>, call: Call, Id(id): Id<PipelineId>) -> Reply<Json<Cancelled>> {
    let pipeline = door.aegis.cancel_pipeline(&call.caller, named(id)).await?;
    Ok(Json(Cancelled { ok: true, pipeline: pipeline.into() }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::stages(json!({"name": "p", "permissionMode": "plan", "stages": [
        {"name": "Write tests", "prompt": "a", "workDir": "/w"},
        {"name": "ship", "prompt": "b", "workDir": "/w", "dependsOn": ["Write tests"]}]}))]
    #[case::steps(json!({"workDir": "/w", "steps": [
        {"id": "Write tests", "prompt": "a"}, {"id": "ship", "prompt": "b", "dependencies": ["Write tests"]}]}))]
    fn every_spelling_of_a_pipeline_is_understood(#[case] body: Value) {
        let request = serde_json::from_value::<NewPipeline>(body).unwrap().request(None).unwrap();
        let names: Vec<_> = request.steps.iter().map(|step| step.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["Write-tests", "ship"]);
        assert_eq!(request.steps[1].depends_on.as_deref(), Some(&["Write-tests".to_owned()][..]));
    }

    #[test]
    fn stages_without_names_are_counted_and_need_a_directory() {
        let body = json!({"stages": [{"prompt": "a", "workDir": "/w"}, {"prompt": "b", "workDir": "/w"}]});
        let request = serde_json::from_value::<NewPipeline>(body).unwrap().request(None).unwrap();
        assert_eq!(request.name, "pipeline");
        assert_eq!(request.steps[1].name.as_deref(), Some("stage-2"));
        let nowhere = json!({"stages": [{"prompt": "a"}]});
        assert!(serde_json::from_value::<NewPipeline>(nowhere).unwrap().request(None).is_err());
    }
}
