//! A thousand events a second into three channels, one of them dead.

use std::time::{Duration, Instant};

use aegis::domain::{ContentType, Role};
use aegis::store::{KEPT, MOST_PENDING, OutboxStore as _};
use serde_json::json;

use super::process::{Used, mb};
use super::support::receiver::Receiver;
use super::support::running::Running;

/// How many sessions speak in turn.
const SESSIONS: usize = 20;

/// How many of their events are stored at once, as the steward gathers them for 50 ms.
const BATCH: usize = 50;

/// How long what came late is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The processor time of this process so far: receivers, events and channels.
fn used() -> Duration {
    let stat = procfs::process::Process::myself().unwrap().stat().unwrap();
    Duration::from_secs_f64((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
}

/// The memory of this process that no file backs, in megabytes: events, channels and receivers that only count.
fn own() -> f64 {
    mb(Used::of(std::process::id().cast_signed()).own)
}

pub async fn measure(minutes: u64) {
    let lasts = Duration::from_secs(minutes * 60);
    let (one, two) = (Receiver::plain().await, Receiver::plain().await);
    one.only_count();
    two.only_count();
    let url =
        |port: u16| json!({"url": format!("http://127.0.0.1:{port}/"), "allowLoopback": true, "secret": "s"});
    // Nobody listens at port 1.
    let webhooks = json!([url(one.port), url(1), url(two.port)]);
    let mut running = Running::start(json!({ "webhooks": webhooks })).await;
    let names: Vec<String> = running.listed().into_iter().map(|channel| channel.name).collect();
    let sessions: Vec<_> = (0..SESSIONS).map(|n| running.session(&format!("s{n}"))).collect();
    let says = || aegis::domain::EventData::Message {
        id: 1,
        role: Role::Assistant,
        content_type: ContentType::Text,
        text: "x".repeat(200),
        tool_name: None,
    };
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let (start, cpu, before) = (Instant::now(), used(), own());
    let mut memory = Vec::new();
    let (mut told, mut most_pending, mut most_behind, mut unfair) = (0, [0; 3], [0; 3], 0);
    while start.elapsed() < lasts {
        ticks.tick().await;
        running.happens(&sessions[told / BATCH % SESSIONS], (0..BATCH).map(|_| says()).collect());
        told += BATCH;
        if told.is_multiple_of(1000) {
            for (at, name) in names.iter().enumerate() {
                let row = running.store.channel(name).unwrap().unwrap();
                most_pending[at] = most_pending[at].max(row.pending as usize);
                most_behind[at] = most_behind[at].max(row.behind as usize);
            }
            unfair = unfair.max(one.count().abs_diff(two.count()));
        }
        if told.is_multiple_of(10_000) {
            memory.push(format!("{:.1}", own()));
        }
    }
    let (took, busy) = (start.elapsed(), used() - cpu);
    let caught_up = Instant::now();
    while [&one, &two].iter().any(|receiver| receiver.count() < told) && caught_up.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let kept = running.store.outbox(Some(&names[0]), None, usize::MAX >> 1).unwrap().len();
    println!(
        "\n1,000 events a second for {:.0} s into three webhooks, the second of them dead:",
        took.as_secs_f64()
    );
    println!(
        "events {told}; arrived {} and {}; the last {:.2} s after the end",
        one.count(),
        two.count(),
        caught_up.elapsed().as_secs_f64()
    );
    println!(
        "most notices pending {most_pending:?} (bound {MOST_PENDING}); most events not looked at {most_behind:?}"
    );
    println!(
        "most difference between the two living ones {unfair}; rows of one {kept} (bound {})",
        MOST_PENDING + 2 * KEPT
    );
    println!(
        "processor time {:.1} s, {:.0} % of one core, with events and receivers in it",
        busy.as_secs_f64(),
        100.0 * busy.as_secs_f64() / took.as_secs_f64()
    );
    println!("memory {before:.1} MB before, {} MB after each 10,000 events", memory.join(", "));
}
