use std::time::{Duration, Instant};

use serde_json::json;

use super::bench::{answer, call, lab};
use super::idle::{kill, sessions};
use super::process::{Used, mb};
use super::support::Lab;
use super::support::outside::McpClient;
use super::support::processes::holders;
use super::table::{Samples, Table, Target, Unit};
use super::terminal::Bare;
use super::tmux::Tmux;

/// How much is printed.
const BYTES: u64 = 100_000_000;
const ROUNDS: usize = 3;

/// A prompt that makes the stand-in print it all.
fn prompt(round: usize) -> String {
    format!("FLOOD {round}")
}

fn dry(pane: &str) -> bool {
    pane.contains("Dry again.")
}

pub async fn measure(table: &mut Table) {
    let flood = json!({"on": "FLOOD", "steps": [{"flood": {"bytes": BYTES}}, {"say": "Dry again."}]});
    let lab = lab(Lab::fake(json!({"rules": [flood]}))).await;
    let mut client = McpClient::start(&lab).await;
    let mut other = McpClient::start(&lab).await;
    let (mut ours, mut bare, mut theirs) = (Samples::default(), Samples::default(), Samples::default());
    let (mut peak, mut tmux_peak) = (Vec::new(), Vec::new());
    let (mut ticks, mut tmux_ticks) = (Vec::new(), Vec::new());
    let mut calls = Samples::default();
    let mut grown = Vec::new();
    for round in 0..ROUNDS {
        let id = sessions(&lab, &mut client, 1).await.remove(0);
        let holder = holders(&lab)[0];
        let server = i32::try_from(other.peer.child.id().unwrap()).unwrap();
        let (held, serving) = (Used::of(holder), Used::of(server));
        let start = Instant::now();
        call(&mut client, "send_message", json!({"sessionId": id, "text": prompt(round)})).await;
        let wait = json!({"sessionIds": [id], "until": ["idle"], "timeoutMs": 50000});
        client.begin("tools/call", json!({"name": "wait_for_session", "arguments": wait})).await;
        {
            let told = answer(&mut client);
            tokio::pin!(told);
            loop {
                // Another server asks meanwhile; the select may drop its last call half-way.
                tokio::select! {
                    biased;
                    (told, at) = &mut told => {
                        assert_eq!(told["woke"][0]["session"]["status"], "idle", "{told:#}");
                        ours.add(at - start);
                        break;
                    }
                    (status, taken) = call(&mut other, "get_status", json!({"sessionId": id})) => {
                        assert!(["working", "idle"].contains(&status["status"].as_str().unwrap()), "{status:#}");
                        calls.add(taken);
                    }
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let (later, served) = (Used::of(holder), Used::of(server));
        // The program itself apart, which the peak counts too.
        peak.push(mb(later.peak - (later.resident - later.own)));
        ticks.push((later.ticks - held.ticks) as f64 * 10.0);
        // Its own: what an idle program has given back of itself comes again with the first call.
        grown.push(mb(served.own.saturating_sub(serving.own)));
        kill(&mut client, &[id]).await;
        other = McpClient::start(&lab).await;

        let mut program = Bare::start(&lab, &[]);
        program.0.until("stand-in").await;
        let start = Instant::now();
        program.send(&prompt(round)).await;
        program.0.until_shows("its end", dry).await;
        bare.add(start.elapsed());
        super::launch::gone(program.0.pid()).await;

        if let Some(tmux) = Tmux::new(&lab) {
            tmux.start("one", &[]).await;
            tmux.until("one", "the program", |pane| pane.contains("stand-in")).await;
            let pid = tmux.server().await;
            let before = Used::of(pid);
            let start = Instant::now();
            tmux.send("one", &prompt(round)).await;
            tmux.until("one", "its end", dry).await;
            theirs.add(start.elapsed());
            let after = Used::of(pid);
            tmux_peak.push(mb(after.peak - (after.resident - after.own)));
            tmux_ticks.push((after.ticks - before.ticks) as f64 * 10.0);
            tmux.end().await;
        }
    }
    let with = |values: Vec<f64>| (!values.is_empty()).then(|| values.into());
    let tmux_ms = (!tmux_peak.is_empty()).then_some(theirs);
    table.compare("flood of 100 MB: sent → idle told", Unit::Ms, Target::None, ours, Some(bare), tmux_ms);
    table.compare(
        "flood: the holder's peak memory of its own",
        Unit::Mb,
        Target::Under(16.0),
        peak,
        None,
        with(tmux_peak),
    );
    table.compare(
        "flood: the holder's processor time",
        Unit::Ms,
        Target::None,
        ticks,
        None,
        with(tmux_ticks),
    );
    table.add("flood: get_status through another server meanwhile", Unit::Ms, Target::None, calls);
    table.add("flood: that server's growth", Unit::Mb, Target::Under(1.0), grown);
}
