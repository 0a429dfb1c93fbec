//! A project's own checks, run by npm as the project has them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aegis::domain::EventData;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::http::HttpServer;

fn package(dir: &Path, scripts: Value) {
    fs::write(
        dir.join("package.json"),
        json!({"name": "p", "version": "1.0.0", "scripts": scripts}).to_string(),
    )
    .unwrap();
}

/// A compiler of types that the project has installed.
fn compiler(dir: &Path, script: &str) {
    let bin = dir.join("node_modules/.bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("tsc"), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(bin.join("tsc"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.join("tsconfig.json"), "{}").unwrap();
}

/// A server with a session, and the path of its checks.
async fn running(lab: &Lab, more: Value) -> (HttpServer, String) {
    let server = HttpServer::start(lab).await;
    let mut body = json!({"workDir": lab.work_dir(), "reuse": false});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let id = server.post("/v1/sessions", body).await.is(201)["id"].as_str().unwrap().to_owned();
    (server, format!("/v1/sessions/{id}/verify"))
}

fn outcomes(told: &Value) -> Vec<(&str, bool)> {
    let steps = told["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["name"].as_str().unwrap(), step["ok"].as_bool().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_checks_of_a_project_are_run_and_each_is_told() {
    let lab = Lab::fake(json!({})).build().await;
    let lab = lab.with_var("AEGIS_AUTH_TOKEN", "canary");
    let (server, path) = running(&lab, json!({})).await;

    let nothing = server.call("POST", &path, None).await.is(422);
    assert_eq!((&nothing["ok"], &nothing["steps"]), (&json!(false), &json!([])));
    assert_eq!(nothing["reason"], "verification_failed");
    assert!(nothing["summary"].as_str().unwrap().contains("package.json"), "{nothing}");

    package(&lab.project, json!({"build": "pwd", "test": "echo token=$AEGIS_AUTH_TOKEN"}));
    compiler(&lab.project, "echo \"types $*\"");
    let good = server.call("POST", &path, None).await.is(200);
    assert_eq!(outcomes(&good), [("tsc", true), ("build", true), ("test", true)]);
    assert_eq!((&good["ok"], &good["summary"]), (&json!(true), &json!("passed: tsc, build, test")));
    let output = |at: usize| good["steps"][at]["output"].as_str().unwrap();
    assert!(output(0).contains("types --noEmit"), "{good}");
    assert!(output(1).contains(&*lab.work_dir()), "{good}");
    assert!(output(2).ends_with("token=\n"), "{good}");

    // What fails stops nothing, and is told beside what passed.
    package(&lab.project, json!({"build": "echo so far; exit 7", "test": "true"}));
    let bad = server.call("POST", &path, None).await.is(422);
    assert_eq!(outcomes(&bad), [("tsc", true), ("build", false), ("test", true)]);
    assert_eq!((&bad["ok"], &bad["code"]), (&json!(false), &json!("UNPROCESSABLE")));
    for words in ["summary", "error", "message"] {
        assert_eq!(bad[words], "failed: build; passed: tsc, test");
    }
    let build = &bad["steps"][1];
    assert!(build["output"].as_str().unwrap().contains("so far"), "{bad}");
    assert_eq!(build["error"], "`npm run build` ended with exit status: 7");
    assert!(bad["totalDurationMs"].is_u64() && build["durationMs"].is_u64());
    // All three stand in the journal, without what was printed.
    let told: Vec<_> = lab
        .events()
        .into_iter()
        .filter_map(|event| match event.data {
            EventData::Verified { outcome, .. } => Some(outcome),
            _ => None,
        })
        .collect();
    assert_eq!(told.iter().map(|outcome| outcome.ok).collect::<Vec<_>>(), [false, true, false]);
    assert!(told.iter().flat_map(|outcome| &outcome.steps).all(|step| step.output.is_none()));
    let id = path.split('/').nth(3).unwrap();
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    // The project is still there.
    server.call("POST", &path, None).await.is(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_does_not_let_run_unasked_is_not_run() {
    let lab = Lab::fake(json!({})).build().await;
    package(&lab.project, json!({"build": "touch built", "test": "touch tested"}));
    let rule = json!({"tool": "Bash", "pattern": "npm test*", "decision": "ask"});
    let (server, path) = running(&lab, json!({"permissionPolicy": [rule]})).await;
    let refused = server.call("POST", &path, None).await.is(403);
    assert_eq!(refused["reason"], "policy_refused");
    assert!(refused["message"].as_str().unwrap().contains("`npm test`"), "{refused}");
    assert!(!lab.project.join("built").exists() && !lab.project.join("tested").exists());
    // Other rules, once they hold.
    let id = path.split('/').nth(3).unwrap();
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
    let (server, path) = running(&lab, json!({})).await;
    server.call("POST", &path, None).await.is(200);
    assert!(lab.project.join("built").exists() && lab.project.join("tested").exists());
    let id = path.split('/').nth(3).unwrap();
    server.call("DELETE", &format!("/v1/sessions/{id}"), None).await.is(200);
}
