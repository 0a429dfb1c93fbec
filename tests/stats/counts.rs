//! A session whose every step is known: its figures are exact while it lives, after its end, and when its holder was
//! killed and only files are left.

use aegis::domain::{FileUse, StatusWord};
use aegis::ops::{SessionLatency, SessionMetrics, SessionSummary};
use serde_json::{Value, json};

use crate::fake::taken;
use crate::support::Lab;
use crate::support::outside::cli;
use crate::support::processes::{come, holders, sigkill};
use crate::support::tasks::Driver;

/// Two turns: one with an ask, a failing call and a file, one with words only. Five API messages.
fn script() -> Value {
    json!({
        "apiModel": "claude-opus-4-8",
        "usage": {
            "input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 5000,
            "cache_creation_input_tokens": 300,
            "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
            "service_tier": "standard"
        },
        "rules": [{"on": "WORK", "steps": [
            {"tool": {"input": {"command": "touch made"}, "creates": "made"}},
            {"tool": {"name": "Edit", "input": {"file_path": "/w/a.rs"}, "ask": false}},
            {"tool": {"name": "Read", "input": {"file_path": "/w/b.rs"}, "ask": false, "fails": true}},
            {"say": "Worked."}
        ]}]
    })
}

/// Has the session do all that the script is about.
async fn worked(driver: &Driver) -> String {
    let id = driver.idle().await;
    driver.send(&id, "WORK").await.unwrap();
    driver.ask(&id).await;
    driver.approve(&id, None).await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    taken(driver, &id, "hello").await;
    // The answer's own line comes a little after its turn.
    come("the last line", async || (driver.metrics(&id).await.models[0].api_messages == 5).then_some(()))
        .await;
    id
}

fn metrics_are_right(metrics: &SessionMetrics) {
    let told = (metrics.turns, metrics.messages, metrics.tool_calls, metrics.tool_errors);
    assert_eq!(told, (2, 10, 3, 1), "{metrics:#?}");
    let used = metrics.token_usage;
    let tokens = (used.input_tokens, used.output_tokens, used.cache_read_tokens, used.cache_creation_tokens);
    assert_eq!(tokens, (50, 100, 25_000, 1500));
    // 50 × $5, 100 × $25, 25000 × $0.5, 1000 × $6.25, 500 × $10, each by the million.
    assert_eq!(used.estimated_cost_usd, Some(0.0265));
    assert_eq!((metrics.no_cost.as_ref(), metrics.models.len()), (None, 1));
    assert_eq!((metrics.asks, metrics.approvals, metrics.auto_approvals, metrics.rejections), (1, 1, 0, 0));
    assert_eq!(metrics.answered_by, [("test".to_owned(), 1)].into());
    assert!(!metrics.partial);
}

fn summary_is_right(summary: &SessionSummary) {
    let roles = summary.by_role;
    assert_eq!((roles.user, roles.assistant, roles.system), (2, 8, 0));
    let mut tools: Vec<_> =
        summary.tools.iter().map(|tool| (tool.tool.as_str(), tool.calls, tool.errors)).collect();
    tools.sort_unstable();
    assert_eq!(tools, [("Bash", 1, 0), ("Edit", 1, 0), ("Read", 1, 1)]);
    let file = |path: &str, writes, reads| FileUse { path: path.into(), writes, reads };
    assert_eq!(summary.files, [file("/w/a.rs", 1, 0), file("/w/b.rs", 0, 1)]);
    assert_eq!((summary.commands.as_slice(), summary.commands_run), (&["touch made".to_owned()][..], 1));
    let said: Vec<_> = summary.messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!((said.len(), said[0], said[9]), (10, "WORK", "You said: hello"));
    let words: Vec<_> = summary.status_history.iter().map(|change| change.status).collect();
    use StatusWord::{Idle, PermissionPrompt, Working};
    assert_eq!(words[..6], [Idle, Working, PermissionPrompt, Working, Idle, Working]);
}

fn latency_is_right(latency: &SessionLatency) {
    let counts = [latency.prompt_to_submitted.count, latency.turn.count, latency.ask_to_answer.count];
    assert_eq!(counts, [2, 2, 1]);
    // The request and both ends of turns; the live file may tell the begins first.
    assert!(latency.hook_to_status.count >= 3, "{latency:#?}");
    assert!(latency.turn.max.unwrap() >= latency.ask_to_answer.max.unwrap());
    assert!(latency.hook_to_status.p50.unwrap() < 10_000, "{latency:#?}");
}

async fn all_right(driver: &Driver, id: &str) {
    metrics_are_right(&driver.metrics(id).await);
    summary_is_right(&driver.summary(id).await);
    latency_is_right(&driver.latency(id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_exact_and_stay_after_the_end() {
    let lab = Lab::fake(script()).build().await;
    let driver = Driver::new(&lab);
    let id = worked(&driver).await;
    all_right(&driver, &id).await;
    // 5310 of a million tokens.
    assert_eq!(driver.show(&id).await.health.context_used_pct, Some(1));
    let before = driver.latency(&id).await;
    driver.kill(&id).await;
    all_right(&driver, &id).await;
    assert_eq!(driver.latency(&id).await.turn, before.turn);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_counted_again_when_the_holder_was_killed() {
    let lab = Lab::fake(script()).build().await;
    let driver = Driver::new(&lab);
    let id = worked(&driver).await;
    let before = (driver.metrics(&id).await, driver.latency(&id).await);
    sigkill(holders(&lab)[0]);
    driver.until(&id, StatusWord::Ended).await;
    all_right(&driver, &id).await;
    let after = (driver.metrics(&id).await, driver.latency(&id).await);
    assert_eq!(after.1.turn, before.1.turn);
    assert_eq!(after.1.hook_to_status, before.1.hook_to_status);
    assert_eq!(after.0.status_changes, before.0.status_changes + 1, "it ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_a_price_has_tokens_and_no_cost() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    assert_eq!(driver.metrics(&id).await.token_usage.estimated_cost_usd, Some(0.0), "nothing was used");
    taken(&driver, &id, "hello").await;
    let metrics = come("the answer's line", async || {
        Some(driver.metrics(&id).await).filter(|metrics| !metrics.models.is_empty())
    })
    .await;
    assert_eq!((metrics.token_usage.input_tokens, metrics.token_usage.estimated_cost_usd), (10, None));
    assert_eq!(metrics.no_cost.as_deref(), Some("no price is known for claude-fake"));
    assert_eq!(driver.show(&id).await.health.context_used_pct, None);
    driver.kill(&id).await;
}

/// Prompts that wait in Claude Code's own queue have turns of their own, though the session is never idle between.
#[tokio::test(flavor = "multi_thread")]
async fn queued_prompts_are_turns() {
    let script = json!({"rules": [{"on": "TALK", "steps": [{"say": "Now."}, {"wait": {"file": "on"}}]}]});
    let lab = Lab::fake(script).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "TALK").await.unwrap();
    driver.screen(&id, "● Now.").await;
    let queued = driver.send(&id, "after that").await.unwrap();
    driver.screen(&id, "after that").await;
    std::fs::write(lab.project.join("on"), "").unwrap();
    crate::fake::settled(&driver, &id, queued.id).await;
    driver.until(&id, StatusWord::Idle).await;
    let latency = driver.latency(&id).await;
    assert_eq!((driver.metrics(&id).await.turns, latency.turn.count), (2, 2), "{latency:#?}");
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_tells_them() {
    let lab = Lab::fake(script()).build().await;
    let driver = Driver::new(&lab);
    let id = worked(&driver).await;
    let told = cli(&lab, &["metrics", &id, "--json"]).await.exits(0).json();
    assert_eq!((&told["turns"], &told["tokenUsage"]["estimatedCostUsd"]), (&json!(2), &json!(0.0265)));
    for (verb, words) in [
        ("summary", ["/w/a.rs", "touch made", "#10"]),
        ("metrics", ["about $0.0265", "1 by test", "claude-opus-4-8"]),
        ("latency", ["prompt → submitted", "ask → answer", "p99"]),
    ] {
        let told = cli(&lab, &[verb, &id]).await.exits(0).stdout;
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    }
    let fault = cli(&lab, &["summary", "nobody-knows", "--json"]).await.exits(1).fault();
    assert_eq!(fault["code"], "no_such_session");
    driver.kill(&id).await;
}
