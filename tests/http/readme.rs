//! The lines of the README, word for word.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::processes::come;

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_readme_work() {
    let lab = Lab::fake(json!({})).build().await;
    let server = HttpServer::start(&lab).await;
    let readme = include_str!("../../README.md");
    let section = readme.split("\n## HTTP\n").nth(1).unwrap();
    let lines = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(lines.contains("127.0.0.1:9100"), "{lines}");
    let lines = lines.replace("127.0.0.1:9100", &server.addr.to_string());
    // A refusal makes curl fail, and each answer stands on a line of its own.
    std::fs::write(lab.root.join(".curlrc"), "fail-with-body\nsilent\nwrite-out = \"\\n\"\n").unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-e", "-u", "-c", &lines]).env("HOME", &lab.root).current_dir(&lab.project);
    let output = shell.output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<Value> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), lines.lines().filter(|line| line.starts_with("curl")).count(), "{text}");
    assert_eq!(answers[0]["negotiatedCapabilities"], json!(["session.create", "metrics"]));
    assert_eq!((&answers[1]["name"], &answers[1]["reused"]), (&json!("parser"), &json!(false)));
    let pipelines = server.get("/v1/pipelines").await.is(200);
    let pipeline = format!("/v1/pipelines/{}", pipelines[0]["id"].as_str().unwrap());
    server.call("DELETE", &pipeline, None).await.is(200);
    let over = async || (!server.get(&pipeline).await.is(200)["endedAt"].is_null()).then_some(());
    come("the pipeline's end", over).await;
    assert_eq!(server.get("/v1/sessions").await.is(200)["total"], 0);
}
