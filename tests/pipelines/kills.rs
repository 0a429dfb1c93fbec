//! Whoever runs a pipeline is killed between any two of its steps, and another server finishes it: no stage runs twice,
//! none is lost, and no process is left.

use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::support::faults::Faults;
use crate::support::server::{NoAnswer, Server};

/// The steps of the tables: a line that shares a session, and a stage beside it that joins.
fn steps() -> Value {
    json!([
        {"name": "a", "prompt": "first", "dependsOn": []},
        {"name": "b", "prompt": "then {{stages.a.output}}", "dependsOn": ["a"]},
        {"name": "side", "prompt": "beside", "dependsOn": []},
        {"name": "end", "prompt": "{{stages.b.output}}, {{stages.side.output}}", "dependsOn": ["b", "side"]}
    ])
}

#[rstest]
#[case::stored("pipeline.created")]
#[case::a_stage_written_down("pipeline.stage.starting")]
#[case::its_session_stored("server.create.row")]
#[case::its_session_held("server.create.holder")]
#[case::its_prompt_given("pipeline.stage.created")]
#[case::its_session_written_down("pipeline.stage.running")]
#[case::its_turn_over("pipeline.stage.turn_ended")]
#[case::its_answer_read("pipeline.stage.output")]
#[case::its_answer_written_down("pipeline.stage.done")]
#[case::sent_into_a_shared_session("server.send")]
#[case::given_to_a_shared_session("server.sent")]
#[case::a_session_ended("pipeline.session.ended")]
#[case::all_over("pipeline.closing")]
#[case::closed("pipeline.done")]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_steward_loses_nothing_and_repeats_nothing(#[case] point: &str) {
    let (lab, faults) = Faults::in_lab(Lab::fake(json!({})).build().await);
    let server = Server::start(&lab).await;
    faults.kill_at(point);
    let mut request = asked(&lab, steps());
    request["reuse"] = true.into();
    request["idempotencyKey"] = "once".into();
    match server.try_call("create_pipeline", request.clone()).await {
        Ok(_) | Err(NoAnswer::Died) => {}
        Err(failed) => panic!("{failed:?}"),
    }
    assert_eq!(faults.killed(point).await, server.pid);
    server.gone().await;
    let next = Server::start(&lab).await;
    let id = next.call("create_pipeline", request).await["id"].as_str().unwrap().to_owned();
    let driver = Driver::new(&lab);
    let done = over(&driver, &id).await;
    assert_eq!((done.status, words(&done)), (PipelineStatus::Completed, vec!["completed"; 4]), "{done:#?}");
    let end = "You said: then You said: first, You said: beside";
    assert_eq!(taken(&lab), once(["first", "then You said: first", "beside", end]));
    assert_eq!(session(&done, "a"), session(&done, "b"));
    assert_eq!((live(&driver).await, lab.session_dirs().len()), (vec![], 3));
}

/// A server that runs already takes over, one that is asked need not be the steward.
#[tokio::test(flavor = "multi_thread")]
async fn another_server_takes_over() {
    let rules = json!([{"on": "WAIT", "steps": [{"wait": {"file": "go"}}, {"say": "Went."}]}]);
    let lab = Lab::fake(json!({"rules": rules})).build().await;
    let mut servers = vec![Server::start(&lab).await, Server::start(&lab).await];
    let steward = come("a steward", async || {
        for (at, server) in servers.iter().enumerate() {
            if server.call("server_health", json!({})).await["steward"] == "here" {
                return Some(at);
            }
        }
        None
    })
    .await;
    let steward = servers.remove(steward);
    let steps = json!([{"prompt": "one"}, {"prompt": "WAIT"}, {"prompt": "three {{stages.step-2.output}}"}]);
    let id = servers[0].call("create_pipeline", asked(&lab, steps)).await["id"].as_str().unwrap().to_owned();
    let driver = Driver::new(&lab);
    until(&driver, &id, "the turn", |pipeline| {
        pipeline.stages[1].session_status == Some(StatusWord::Working)
    })
    .await;
    steward.kill().await;
    std::fs::write(lab.project.join("go"), "").unwrap();
    assert_eq!(output(&over(&driver, &id).await, "step-3"), "You said: three Went.");
    assert_eq!(taken(&lab), once(["one", "WAIT", "three Went."]));
}

/// One steward after the other is killed at some moment or other.
#[tokio::test(flavor = "multi_thread")]
async fn many_killed_stewards_lose_nothing_and_repeat_nothing() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let wide =
        (0..6).map(|n| json!({"name": format!("w{n}"), "prompt": format!("wide {n}"), "dependsOn": []}));
    let line = (0..6).map(|n| {
        let before = if n == 0 { "w0".to_owned() } else { format!("l{}", n - 1) };
        json!({"name": format!("l{n}"), "prompt": format!("line {n}"), "dependsOn": [before]})
    });
    let mut request = asked(&lab, wide.chain(line).collect());
    request["reuse"] = true.into();
    let id = create(&driver, request).await.unwrap().id.to_string();
    let mut kills = 0;
    for moment in [40, 150, 90, 260, 15, 400, 120, 60, 330, 200].into_iter().cycle() {
        let server = Server::start(&lab).await;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        server.kill().await;
        kills += 1;
        if show(&driver, &id).await.status.over() {
            break;
        }
        assert!(kills < 300, "{:#?}", show(&driver, &id).await);
    }
    let done = show(&driver, &id).await;
    assert_eq!(words(&done), ["completed"; 12], "{done:#?}");
    let expected = (0..6).flat_map(|n| [(format!("wide {n}"), 1), (format!("line {n}"), 1)]);
    assert_eq!(taken(&lab), expected.collect());
    assert_eq!(live(&driver).await, []);
    eprintln!("{kills} stewards were killed");
}

/// The same while a stage fails, and while a pipeline is cancelled.
#[rstest]
#[case::a_failure_written_down("pipeline.stage.failed", "BREAK")]
#[case::a_stop_written_down("pipeline.stage.cancelled", "ENDLESS")]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_steward_ends_what_went_wrong(#[case] point: &str, #[case] prompt: &str) {
    let rules = json!([
        {"on": "BREAK", "steps": [{"error": {"kind": "overloaded", "text": "529"}}]},
        {"on": "ENDLESS", "steps": [{"say": "Now."}, {"wait": {"file": "never"}}]}
    ]);
    let (lab, faults) = Faults::in_lab(Lab::fake(json!({"rules": rules})).build().await);
    let server = Server::start(&lab).await;
    faults.kill_at(point);
    let steps = json!([{"prompt": prompt}, {"prompt": "never"}]);
    let id = server.call("create_pipeline", asked(&lab, steps)).await["id"].as_str().unwrap().to_owned();
    let driver = Driver::new(&lab);
    if prompt == "ENDLESS" {
        until(&driver, &id, "the turn", |pipeline| {
            pipeline.stages[0].session_status == Some(StatusWord::Working)
        })
        .await;
        let cancel = PipelineRef { pipeline_id: id.clone() };
        driver.aegis.cancel_pipeline(&driver.caller, cancel).await.unwrap();
    }
    assert_eq!(faults.killed(point).await, server.pid);
    let _next = Server::start(&lab).await;
    let done = over(&driver, &id).await;
    let expected = if prompt == "ENDLESS" { ["cancelled", "cancelled"] } else { ["failed", "skipped"] };
    assert_eq!(words(&done), expected);
    // A turn that fails does so before its prompt has landed there.
    come("the prompt, once", async || (taken(&lab) == once([prompt])).then_some(())).await;
    for session in live(&driver).await {
        driver.kill(&session.to_string()).await;
    }
}

/// A pipeline is cancelled while its steward is dead, wherever that died. What was begun is ended, nothing else begins.
#[rstest]
#[case::nothing_begun("pipeline.stage.starting", 0)]
#[case::a_session_stored("server.create.row", 0)]
#[case::a_session_held("server.create.holder", 1)]
#[case::a_prompt_given("pipeline.stage.created", 1)]
#[case::a_session_written_down("pipeline.stage.running", 1)]
#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_without_a_steward_is_cancelled(#[case] point: &str, #[case] begun: usize) {
    let rules = json!([{"on": "ENDLESS", "steps": [{"say": "Now."}, {"wait": {"file": "never"}}]}]);
    let (lab, faults) = Faults::in_lab(Lab::fake(json!({"rules": rules})).build().await);
    let server = Server::start(&lab).await;
    faults.kill_at(point);
    let steps = json!([{"prompt": "ENDLESS"}, {"prompt": "never"}]);
    let created = server.try_call("create_pipeline", asked(&lab, steps)).await;
    assert_eq!(faults.killed(point).await, server.pid);
    let driver = Driver::new(&lab);
    let id = match created {
        Ok(created) => created["id"].as_str().unwrap().to_owned(),
        Err(_) => {
            let listed = driver.aegis.list_pipelines(&driver.caller, Default::default()).await.unwrap();
            listed.pipelines[0].id.to_string()
        }
    };
    let cancel = PipelineRef { pipeline_id: id.clone() };
    let cancelling = driver.aegis.cancel_pipeline(&driver.caller, cancel).await.unwrap();
    assert_eq!(cancelling.status, PipelineStatus::Cancelling);
    let _next = Server::start(&lab).await;
    let done = over(&driver, &id).await;
    assert_eq!((words(&done), done.status), (vec!["cancelled"; 2], PipelineStatus::Cancelled));
    assert_eq!((live(&driver).await, lab.session_dirs().len()), (vec![], begun));
}

/// The database is lost together with the steward. What was written of the pipeline, and the sessions' own records, are
/// enough to go on.
#[rstest]
#[case::a_stage_written_down("pipeline.stage.starting")]
#[case::its_prompt_given("pipeline.stage.created")]
#[case::its_turn_over("pipeline.stage.turn_ended")]
#[case::its_answer_written_down("pipeline.stage.done")]
#[case::given_to_a_shared_session("server.sent")]
#[case::all_over("pipeline.closing")]
#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_outlives_steward_and_database(#[case] point: &str, #[values(true, false)] removed: bool) {
    let (lab, faults) = Faults::in_lab(Lab::fake(json!({})).build().await);
    let server = Server::start(&lab).await;
    faults.kill_at(point);
    let mut request = asked(&lab, steps());
    request["reuse"] = true.into();
    request["idempotencyKey"] = "once".into();
    let _ = server.try_call("create_pipeline", request.clone()).await;
    assert_eq!(faults.killed(point).await, server.pid);
    server.gone().await;
    for end in ["", "-wal", "-shm"] {
        let path = lab.root.join(format!("state/aegis.db{end}"));
        if removed || !end.is_empty() {
            let _ = std::fs::remove_file(path);
        } else {
            std::fs::write(path, "no database ".repeat(1000)).unwrap();
        }
    }
    let next = Server::start(&lab).await;
    let id = next.call("create_pipeline", request).await["id"].as_str().unwrap().to_owned();
    let done = over(&Driver::new(&lab), &id).await;
    assert_eq!((done.status, words(&done)), (PipelineStatus::Completed, vec!["completed"; 4]), "{done:#?}");
    let end = "You said: then You said: first, You said: beside";
    assert_eq!(taken(&lab), once(["first", "then You said: first", "beside", end]));
}
