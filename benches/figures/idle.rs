use std::time::Duration;

use aegis::rehearsal::Script;
use serde_json::json;

use super::bench::{VERSION, lab};
use super::process::{Used, mb};
use super::support::Lab;
use super::support::outside::McpClient;
use super::support::processes::holders;
use super::table::{Table, Target, Unit, one};
use super::tmux::Tmux;

/// How long idle processes are watched.
const WATCHED: Duration = Duration::from_secs(30);
/// How many sessions stand idle beside one server.
const SESSIONS: usize = 50;
/// How many sessions are started at once, so that a small machine stays responsive.
const AT_ONCE: usize = 5;

/// Starts so many idle sessions.
pub async fn sessions(lab: &Lab, client: &mut McpClient, count: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    while ids.len() < count {
        let mut batch = Vec::new();
        for _ in 0..AT_ONCE.min(count - ids.len()) {
            batch.push(client.create(lab, None).await);
        }
        for id in &batch {
            client.until(id, "idle").await;
        }
        ids.extend(batch);
    }
    ids
}

pub async fn kill(client: &mut McpClient, ids: &[String]) {
    for id in ids {
        client.ask("kill_session", json!({"sessionId": id, "force": true})).await;
    }
}

pub async fn measure(table: &mut Table) {
    let real = lab(Lab::builder(VERSION, Script::new())).await;
    let mut by_real = McpClient::start(&real).await;
    let kept = sessions(&real, &mut by_real, 1).await;
    let fake = lab(Lab::fake(json!({}))).await;
    let mut by_fake = McpClient::start(&fake).await;
    let one_fake = sessions(&fake, &mut by_fake, 1).await;
    let tmux = Tmux::new(&fake);
    let server = match &tmux {
        Some(tmux) => {
            tmux.start("one", &[]).await;
            Some(tmux.server().await)
        }
        None => None,
    };
    // Claude Code does things of its own in its first half minute.
    tokio::time::sleep(WATCHED).await;
    let pids = [holders(&real)[0], holders(&fake)[0]];
    let look = || (pids.map(Used::of), server.map(Used::of));
    let (before, theirs) = look();
    tokio::time::sleep(WATCHED).await;
    let (after, later) = look();
    let targets = [("beside the real Claude Code", 1.0), ("beside a silent child", 0.0)];
    for (at, (beside, most)) in targets.into_iter().enumerate() {
        let (from, to) = (before[at], after[at]);
        let with_tmux =
            |value: fn(Used) -> f64| later.filter(|_| at == 1).map(|used| one(value(used)).into());
        let name = format!("holder {beside}: idle, resident");
        let resident = one(mb(to.resident));
        let tmux_mb = with_tmux(|used| mb(used.resident));
        table.compare(&name, Unit::Mb, Target::Under(5.0), resident, None, tmux_mb);
        let name = format!("holder {beside}: idle, memory of its own");
        let tmux_mb = with_tmux(|used| mb(used.own));
        table.compare(&name, Unit::Mb, Target::Under(5.0), one(mb(to.own)), None, tmux_mb);
        let name = format!("holder {beside}: idle for 30 s, processor time");
        let ticks = theirs
            .zip(later)
            .filter(|_| at == 1)
            .map(|(from, to)| one((to.ticks - from.ticks) as f64).into());
        table.compare(
            &name,
            Unit::Ticks,
            Target::AtMost(most),
            one((to.ticks - from.ticks) as f64),
            None,
            ticks,
        );
        let name = format!("holder {beside}: idle for 30 s, wake-ups");
        table.add(&name, Unit::Count, Target::None, one(to.wakes.saturating_sub(from.wakes) as f64));
    }
    kill(&mut by_real, &kept).await;

    let more = sessions(&fake, &mut by_fake, SESSIONS - 1).await;
    if let Some(tmux) = &tmux {
        for at in 1..SESSIONS {
            tmux.start(&format!("more-{at}"), &[]).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let pid = i32::try_from(by_fake.peer.child.id().unwrap()).unwrap();
    let all = holders(&fake);
    let look = || (Used::of(pid), Used::of_all(&all), server.map(Used::of));
    let (before, _, theirs) = look();
    tokio::time::sleep(WATCHED).await;
    let (after, held, later) = look();
    let percent = |from: Used, to: Used| one((to.ticks - from.ticks) as f64 / WATCHED.as_secs_f64());
    table.compare(
        "50 idle sessions: the server's processor time",
        Unit::Percent,
        Target::Under(1.0),
        percent(before, after),
        None,
        theirs.zip(later).map(|(from, to)| percent(from, to).into()),
    );
    table.add("50 idle sessions: the server, resident", Unit::Mb, Target::None, one(mb(after.resident)));
    let tmux_mb = later.map(|used| one(mb(used.own)).into());
    let name = "50 idle sessions: server and holders, memory of their own (tmux: server)";
    table.compare(name, Unit::Mb, Target::None, one(mb(after.own + held.own)), None, tmux_mb);
    kill(&mut by_fake, &[one_fake, more].concat()).await;
    if let Some(tmux) = tmux {
        tmux.end().await;
    }
}
