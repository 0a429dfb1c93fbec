//! Windows in tmux, with a tmux server of the laboratory's own.

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::support::Lab;
use crate::support::http::HttpServer;
use crate::support::outside::McpClient;
use crate::support::processes::come;

/// Runs tmux in the laboratory and gives what it prints; `None` if it fails.
async fn tmux(lab: &Lab, args: &[&str]) -> Option<String> {
    let mut command = Command::new("tmux");
    command.args(args).env_clear().envs(&lab.env).stdin(Stdio::null());
    let told = command.output().await.expect("tmux is installed: `.ci/run` does so");
    told.status.success().then(|| String::from_utf8(told.stdout).unwrap())
}

async fn windows(lab: &Lab) -> Vec<String> {
    let listed = tmux(lab, &["list-windows", "-t", "=people:", "-F", "#{window_name}"]).await;
    listed.unwrap_or_default().lines().map(str::to_owned).collect()
}

async fn lab() -> Lab {
    let script = json!({"rules": [{"on": "greet", "steps": [{"say": "Hello there."}]}]});
    let lab = Lab::fake(script).var("AEGIS_TMUX_SESSION", "people").build().await;
    let dir = lab.root.join("tmux");
    std::fs::create_dir(&dir).unwrap();
    lab.with_var("TMUX_TMPDIR", dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_has_one_window_and_closing_it_ends_nothing() {
    let lab = lab().await;
    // Two servers at once: a session still gets one window.
    let server = HttpServer::start(&lab).await;
    let mut client = McpClient::start(&lab).await;
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        let body = json!({"workDir": lab.work_dir(), "name": name, "reuse": false, "prompt": "greet"});
        ids.push(client.ask("create_session", body).await["id"].as_str().unwrap().to_owned());
    }
    for id in &ids {
        client.until(id, "idle").await;
    }
    come("a window for each", async || {
        let mut names = windows(&lab).await;
        names.sort();
        (names == ["one", "two"]).then_some(())
    })
    .await;
    come("the session's screen", async || {
        let shown = tmux(&lab, &["capture-pane", "-p", "-t", "=people:one"]).await?;
        shown.contains("Hello there.").then_some(())
    })
    .await;
    tmux(&lab, &["kill-window", "-t", "=people:one"]).await.unwrap();
    // Neither a third session nor another server brings it back.
    let third = json!({"workDir": lab.work_dir(), "name": "three", "reuse": false});
    client.ask("create_session", third).await;
    let another = HttpServer::start(&lab).await;
    come("the third window", async || {
        let mut names = windows(&lab).await;
        names.sort();
        (names == ["three", "two"]).then_some(())
    })
    .await;
    assert_eq!(another.get(&format!("/v1/sessions/{}", ids[0])).await.is(200)["status"], "idle");
    // The end of a session is the end of its window.
    server.call("DELETE", &format!("/v1/sessions/{}", ids[1]), None).await.is(200);
    come("the second window's end", async || (windows(&lab).await == ["three"]).then_some(())).await;
    tmux(&lab, &["kill-server"]).await.unwrap();
}
