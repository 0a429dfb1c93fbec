use std::time::{Duration, Instant};

use aegis::rehearsal::Script;
use serde_json::json;

use super::bench::{VERSION, answer, lab};
use super::support::Lab;
use super::support::outside::McpClient;
use super::support::processes::{alive, come, sigkill};
use super::table::{Samples, Table, Target, Unit};
use super::terminal::Bare;
use super::tmux::Tmux;

const ROUNDS: usize = 20;

/// Waits until the model receives this prompt.
pub async fn received(lab: &Lab, prompt: &str) -> Instant {
    let ours = |request: &aegis::rehearsal::api::Recorded| {
        request.is_main() && request.prompt().as_deref() == Some(prompt)
    };
    lab.api.wait_for(prompt, ours).await.unwrap();
    Instant::now()
}

/// New sessions with a first prompt, one after the other: Aegis, the bare program, tmux.
pub async fn measure(table: &mut Table) {
    let lab = lab(Lab::builder(VERSION, Script::new())).await;
    let mut client = McpClient::start(&lab).await;
    let tmux = Tmux::new(&lab);
    if let Some(tmux) = &tmux {
        // The server runs already, as that of Aegis does.
        tmux.start_server().await;
    }
    let (mut returned, mut ours) = (Samples::default(), Samples::default());
    let (mut bare, mut theirs) = (Samples::default(), Samples::default());
    // The first round warms the caches of the disk and is not counted.
    for round in 0..=ROUNDS {
        let prompt = format!("first aegis {round}");
        let arguments = json!({"workDir": lab.work_dir(), "reuse": false, "prompt": prompt});
        let start = Instant::now();
        client.begin("tools/call", json!({"name": "create_session", "arguments": arguments})).await;
        let (created, at) = answer(&mut client).await;
        let taken = received(&lab, &prompt).await - start;
        if round > 0 {
            returned.add(at - start);
            ours.add(taken);
        }
        let id = created["id"].as_str().unwrap();
        client.until(id, "idle").await;
        client.ask("kill_session", json!({"sessionId": id, "force": true})).await;

        let prompt = format!("first bare {round}");
        let start = Instant::now();
        let program = Bare::start(&lab, &["--permission-mode", "default", &prompt]);
        let taken = received(&lab, &prompt).await - start;
        if round > 0 {
            bare.add(taken);
        }
        gone(program.0.pid()).await;

        if let Some(tmux) = &tmux {
            let (prompt, name) = (format!("first tmux {round}"), format!("round-{round}"));
            let start = Instant::now();
            tmux.start(&name, &["--permission-mode", "default", &prompt]).await;
            let taken = received(&lab, &prompt).await - start;
            if round > 0 {
                theirs.add(taken);
            }
            let pid = tmux.pane(&name).await;
            tmux.kill(&name).await;
            gone(pid).await;
        }
    }
    table.add("create_session returns", Unit::Ms, Target::Under(50.0), returned);
    let tmux_ms = tmux.is_some().then_some(theirs);
    let what = "create_session called → the model has the first prompt";
    table.compare(what, Unit::Ms, Target::OverBare(40.0), ours, Some(bare), tmux_ms);
    if let Some(tmux) = tmux {
        tmux.end().await;
    }
}

/// Ends a bare program and waits until it is gone, so that the next does not share the machine with it.
pub async fn gone(pid: i32) {
    if alive(pid) {
        sigkill(pid);
    }
    come("its end", async || (!alive(pid)).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
}
