//! What pipelines do when nothing breaks.

use super::*;
use crate::survival::Steward;

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_hands_its_answers_on_and_leaves_no_process() {
    let rules = json!([
        {"on": "PLAN", "steps": [{"say": "First I look."}, {"tool": {"ask": false, "input": {"command": "ls"}}}, {"say": "The plan\nhas two lines."}]}
    ]);
    let lab = Lab::fake(json!({"rules": rules})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let steps = json!([{"prompt": "PLAN"}, {"prompt": "do: {{stages.step-1.output}}"}, {"prompt": "check"}]);
    let done = ran(&lab, &driver, steps).await;
    assert_eq!((done.status, words(&done)), (PipelineStatus::Completed, vec!["completed"; 3]));
    assert_eq!(output(&done, "step-1"), "The plan\nhas two lines.");
    assert_eq!(output(&done, "step-2"), "You said: do: The plan\nhas two lines.");
    assert_eq!(taken(&lab), once(["PLAN", "do: The plan\nhas two lines.", "check"]));
    let times: Vec<_> =
        done.stages.iter().map(|stage| (stage.state.started_at(), stage.state.ended_at())).collect();
    assert!(times.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{times:?}");
    assert_eq!((live(&driver).await, lab.processes()), (vec![], vec![]));
    // What was said stays readable.
    assert_eq!(crate::fake::said(&driver, &session(&done, "step-3")).await, ["check", "You said: check"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diamond_joins_both_answers() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let steps = json!([
        {"name": "join", "prompt": "{{stages.left.output}} + {{stages.right.output}}", "dependsOn": ["left", "right"]},
        {"name": "top", "prompt": "top", "dependsOn": []},
        {"name": "left", "prompt": "left of {{stages.top.output}}", "dependsOn": ["top"]},
        {"name": "right", "prompt": "right", "dependsOn": ["top"]}
    ]);
    let done = ran(&lab, &driver, steps).await;
    assert_eq!(output(&done, "join"), "You said: You said: left of You said: top + You said: right");
    assert_eq!(taken(&lab).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_stages_run_eight_at_once() {
    let rules = json!([{"on": "WAIT", "steps": [{"wait": {"file": "go"}}, {"say": "Went."}]}]);
    let lab = Lab::fake(json!({"rules": rules})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let wide: Vec<_> = (0..49)
        .map(|n| json!({"name": format!("w{n}"), "prompt": format!("WAIT {n}"), "dependsOn": []}))
        .collect();
    let all: Vec<_> = (0..49).map(|n| format!("w{n}")).collect();
    let steps = [wide, vec![json!({"name": "last", "prompt": "last", "dependsOn": all})]].concat();
    let created = create(&driver, asked(&lab, steps.into())).await.unwrap();
    let id = created.id.to_string();
    let running = |pipeline: &Pipeline| pipeline.stages.iter().filter(|stage| stage.state.at_work()).count();
    until(&driver, &id, "eight running stages", |pipeline| {
        words(pipeline).iter().filter(|word| **word == "running").count() == 8
    })
    .await;
    assert_eq!((live(&driver).await.len(), running(&show(&driver, &id).await)), (8, 8));
    std::fs::write(lab.project.join("go"), "").unwrap();
    let done = come("the pipeline's end", async || {
        let now = show(&driver, &id).await;
        assert!(running(&now) <= 8, "{:?}", words(&now));
        now.status.over().then_some(now)
    })
    .await;
    assert_eq!(words(&done), ["completed"; 50]);
    let prompts = taken(&lab);
    assert_eq!((prompts.len(), prompts.values().sum::<usize>()), (50, 50));
    assert_eq!(live(&driver).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_in_sequence_share_a_session_if_they_may() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let steps = json!([
        {"name": "a", "prompt": "one"}, {"name": "b", "prompt": "two"},
        {"name": "c", "prompt": "three {{stages.b.output}}", "model": "other"}
    ]);
    let mut request = asked(&lab, steps);
    request["reuse"] = true.into();
    let created = create(&driver, request).await.unwrap();
    let done = over(&driver, &created.id.to_string()).await;
    assert_eq!(session(&done, "a"), session(&done, "b"));
    assert_ne!(session(&done, "b"), session(&done, "c"));
    assert_eq!((output(&done, "a"), output(&done, "b")), ("You said: one", "You said: two"));
    assert_eq!(taken(&lab), once(["one", "two", "three You said: two"]));
    assert_eq!(lab.processes(), []);
}

/// One of a failed stage stays idle; who asks for any session there gets another.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_a_pipeline_is_nobody_elses() {
    let rules = json!([{"on": "ENDLESS", "steps": [{"say": "Now."}, {"wait": {"file": "never"}}]}]);
    let lab = Lab::fake(json!({"rules": rules})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let done = ran(&lab, &driver, json!([{"prompt": "ENDLESS", "timeoutMs": 1000}])).await;
    let kept = session(&done, "step-1");
    driver.until(&kept, StatusWord::Idle).await;
    let request = aegis::ops::CreateSession { work_dir: driver.work_dir.clone(), ..Default::default() };
    let created = driver.aegis.create_session(&driver.caller, request).await.unwrap();
    assert!(!created.reused);
    for id in [kept, created.session.id.to_string()] {
        driver.kill(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_asks_stays_running_and_says_so() {
    let tool = json!({"tool": {"input": {"command": "touch made"}, "creates": "made"}});
    let rules = json!([{"on": "MAKE", "steps": [tool, {"say": "Made."}]}]);
    let lab = Lab::fake(json!({"rules": rules})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let steps =
        json!([{"prompt": "before"}, {"prompt": "MAKE"}, {"prompt": "after {{stages.step-2.output}}"}]);
    let created = create(&driver, asked(&lab, steps)).await.unwrap();
    let id = created.id.to_string();
    let asks = until(&driver, &id, "the ask", |pipeline| {
        stage(pipeline, "step-2").session_status == Some(StatusWord::PermissionPrompt)
    })
    .await;
    assert_eq!(
        (words(&asks), asks.status),
        (vec!["completed", "running", "pending"], PipelineStatus::Running)
    );
    driver.approve(&session(&asks, "step-2"), None).await.unwrap();
    assert_eq!(output(&over(&driver, &id).await, "step-3"), "You said: after Made.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_kept_whole_and_told_in_short() {
    let long = "ä".repeat(70_000);
    let rules =
        json!([{"on": "LONG", "steps": [{"say": long}]}, {"on": "READ", "steps": [{"say": "Read."}]}]);
    let lab = Lab::fake(json!({"rules": rules})).build().await;
    let driver = Driver::new(&lab);
    let app = lab.app();
    let _steward = Steward::of(&app);
    let steps = json!([{"name": "a", "prompt": "LONG"}, {"prompt": "READ: {{stages.a.output}}"}]);
    let done = ran(&lab, &driver, steps).await;
    assert_eq!(done.status, PipelineStatus::Completed, "{:?}", words(&done));
    assert!(output(&done, "a") == long && taken(&lab).contains_key(&format!("READ: {long}")));
    let listed = driver.aegis.list_pipelines(&driver.caller, Default::default()).await.unwrap();
    assert_eq!(output(&listed.pipelines[0], "a").chars().count(), 501);
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_are_listed_newest_first_in_pages() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(create(&driver, asked(&lab, json!([{"prompt": "x"}]))).await.unwrap().id);
    }
    made.reverse();
    let list = async |cursor: Option<String>, status| {
        let request = aegis::ops::ListPipelines { limit: Some(2), cursor, status };
        driver.aegis.list_pipelines(&driver.caller, request).await
    };
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = list(cursor, Some(PipelineStatus::Pending)).await.unwrap();
        found.extend(page.pipelines.iter().map(|pipeline| pipeline.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let ordered = |ids: &[aegis::domain::PipelineId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    // Those of one millisecond may stand in any order.
    let (mut left, mut right) = (ordered(&found), ordered(&made));
    assert_eq!(left.len(), 5);
    left.sort();
    right.sort();
    assert_eq!(left, right);
    assert_eq!(list(None, Some(PipelineStatus::Failed)).await.unwrap().pipelines, []);
    assert_eq!(list(Some("x".into()), None).await.unwrap_err().code.as_str(), "invalid_argument");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_is_refused_and_nothing_is_kept() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let code = async |request: Value| create(&driver, request).await.unwrap_err().code.as_str();
    let one = |step: Value| asked(&lab, json!([step]));
    assert_eq!(code(asked(&lab, json!([]))).await, "invalid_pipeline");
    assert_eq!(code(one(json!({"prompt": "x", "dependsOn": ["step-1"]}))).await, "invalid_pipeline");
    assert_eq!(code(one(json!({"prompt": "{{stages.x.output}}"}))).await, "invalid_pipeline");
    assert_eq!(code(one(json!({"prompt": "x", "timeoutMs": 5}))).await, "invalid_pipeline");
    assert_eq!(code(one(json!({"prompt": " "}))).await, "prompt_refused");
    assert_eq!(code(one(json!({"prompt": "x".repeat(3 << 20)}))).await, "prompt_too_large");
    assert_eq!(code(one(json!({"prompt": "x", "workDir": "/no/such"}))).await, "work_dir_refused");
    assert_eq!(code(json!({"name": "n", "steps": [{"prompt": "x"}]})).await, "invalid_argument");
    let mut keyed = one(json!({"prompt": "x"}));
    keyed["idempotencyKey"] = "".into();
    assert_eq!(code(keyed.clone()).await, "invalid_argument");
    let listed = driver.aegis.list_pipelines(&driver.caller, Default::default()).await.unwrap();
    assert_eq!(listed.pipelines, []);

    keyed["idempotencyKey"] = "k".into();
    let first = create(&driver, keyed.clone()).await.unwrap();
    assert_eq!(create(&driver, keyed.clone()).await.unwrap().id, first.id);
    keyed["reuse"] = true.into();
    assert_eq!(code(keyed).await, "key_reused");
    let missing = PipelineRef { pipeline_id: "nowhere".into() };
    let missing = driver.aegis.get_pipeline(&driver.caller, missing).await.unwrap_err();
    assert_eq!(missing.code.as_str(), "no_such_pipeline");
    create(&driver, one(json!({"prompt": "y"}))).await.unwrap();
    let both = PipelineRef { pipeline_id: "ship".into() };
    let both = driver.aegis.get_pipeline(&driver.caller, both).await.unwrap_err();
    assert_eq!(both.code.as_str(), "ambiguous_pipeline");
}
