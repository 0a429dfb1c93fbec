use std::time::Duration;

use serde_json::json;

use super::bench::{call, lab};
use super::idle::{kill, sessions};
use super::process::{Used, mb};
use super::support::Lab;
use super::support::outside::McpClient;
use super::support::processes::holders;
use super::table::{Table, Target, Unit, one};

/// How large a soak is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub sessions: usize,
    pub minutes: u64,
}

impl Default for Size {
    fn default() -> Self {
        Self { sessions: 200, minutes: 10 }
    }
}

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(60);

pub async fn measure(table: &mut Table, size: Size) {
    let lab = lab(Lab::fake(json!({}))).await;
    let mut client = McpClient::start(&lab).await;
    let ids = sessions(&lab, &mut client, size.sessions).await;
    // One turn each, so that everything that a session grows by has grown.
    for id in &ids {
        call(&mut client, "send_message", json!({"sessionId": id, "text": "hello"})).await;
        client.until(id, "idle").await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let pid = i32::try_from(client.peer.child.id().unwrap()).unwrap();
    let all = holders(&lab);
    let look = || (Used::of(pid), Used::of_all(&all));
    let mut first = look();
    let mut last = first;
    for minute in 1..=size.minutes {
        tokio::time::sleep(EVERY).await;
        // Life goes on: a few turns, a list, a wait for all.
        for id in ids.iter().take(5) {
            call(&mut client, "send_message", json!({"sessionId": id, "text": format!("minute {minute}")}))
                .await;
            client.until(id, "idle").await;
        }
        call(&mut client, "list_sessions", json!({"limit": 200})).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        last = look();
        // Just after work, as all later ones; idle processes have given their code back.
        if minute == 1 {
            first = last;
        }
        let tell = |used: Used| {
            let (threads, descriptors) = (used.threads, used.descriptors);
            format!(
                "{:.1} MB, {:.1} of their own, {threads} threads, {descriptors} descriptors, {} ticks",
                mb(used.resident),
                mb(used.own),
                used.ticks
            )
        };
        eprintln!("  minute {minute}: server {}; holders {}", tell(last.0), tell(last.1));
    }
    let n = size.sessions;
    let named = |what: &str| format!("soak, {n} sessions, {} min: {what}", size.minutes);
    let grown = |from: u64, to: u64| one(mb(to) - mb(from));
    let none = Target::None;
    table.add(&named("the server's growth"), Unit::Mb, Target::Under(2.0), grown(first.0.own, last.0.own));
    // How much of the program itself they have at hand goes up and down: idle ones give it back.
    let each = grown(first.1.own, last.1.own)[0] / n as f64;
    table.add(&named("a holder's growth"), Unit::Mb, Target::Under(0.1), one(each));
    let more = |from: u64, to: u64| one(to as f64 - from as f64);
    let flat = Target::AtMost(0.0);
    table.add(
        &named("threads more"),
        Unit::Count,
        flat,
        more(first.0.threads + first.1.threads, last.0.threads + last.1.threads),
    );
    let fds = more(first.0.descriptors + first.1.descriptors, last.0.descriptors + last.1.descriptors);
    table.add(&named("descriptors more"), Unit::Count, flat, fds);
    let seconds = (size.minutes.saturating_sub(1) * 60).max(1) as f64;
    let cpu = (last.0.ticks - first.0.ticks) as f64 / seconds;
    table.add(&named("the server's processor time"), Unit::Percent, none, one(cpu));
    kill(&mut client, &ids).await;
    assert_eq!(lab.processes().len(), 1, "only the server is left");
}
