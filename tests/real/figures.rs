//! The figures of a session with the real Claude Code.

use aegis::domain::StatusWord;
use aegis::rehearsal::api::{ToolCall, Usage};
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::processes::come;
use crate::support::tasks::Driver;

/// One turn: an answer of two blocks, words and a call, then one of words. The first is one API message on two lines.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn one_turn_is_counted_once(#[values("2.1.197", "2.1.330")] version: &str) {
    let echo = ToolCall::new("Bash", json!({"command": "echo hi", "description": "Say hi"}));
    let used = |input_tokens, output_tokens| Usage { input_tokens, output_tokens, ..Usage::default() };
    let first = Reply::tools([echo]).saying("I will.").using(used(1000, 50));
    let script = Script::new().on("WORK", [first, Reply::text("Done.").using(used(40_000, 7))]);
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "WORK").await.unwrap();
    driver.until(&id, StatusWord::Idle).await;
    let metrics = come("both API messages", async || {
        let metrics = driver.metrics(&id).await;
        (metrics.models.iter().map(|model| model.api_messages).sum::<u64>() == 2).then_some(metrics)
    })
    .await;
    assert_eq!((metrics.turns, metrics.tool_calls, metrics.tool_errors), (1, 1, 0), "{metrics:#?}");
    let used = metrics.token_usage;
    assert_eq!((used.input_tokens, used.output_tokens), (41_000, 57), "{metrics:#?}");
    let told = driver.show(&id).await;
    let latency = driver.latency(&id).await;
    assert_eq!((latency.prompt_to_submitted.count, latency.turn.count), (1, 1));
    assert!(latency.hook_to_status.count >= 1, "{latency:#?}");
    assert!(used.estimated_cost_usd.is_some_and(|cost| cost > 0.0), "{metrics:#?}");
    assert!(told.health.context_used_pct.is_some_and(|used| (1..=20).contains(&used)), "{:?}", told.health);
    assert_eq!(driver.summary(&id).await.commands, ["echo hi"]);
    let swarm = driver.aegis.get_swarm(&driver.caller, aegis::ops::GetSwarm {}).await.unwrap();
    let own = swarm.processes.iter().find(|process| Some(process.pid) == told.health.pid).unwrap();
    assert_eq!((own.session_id, own.conversation_id), (Some(told.session.id), told.session.conversation_id));
    driver.kill(&id).await;
}

/// What subagents use stands in files of their own and counts once; what they call is theirs.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn subagents_count(#[values("2.1.197", "2.1.330")] version: &str) {
    let used = |input_tokens, output_tokens| Usage { input_tokens, output_tokens, ..Usage::default() };
    let agents = [("Worker one", "SUBTASK 1"), ("Worker two", "SUBTASK 2")];
    let main = [Reply::agents(agents).using(used(1, 1)), Reply::text("All done.").using(used(1, 1))];
    let mut script = Script::new().on("DELEGATE", main);
    for n in 1..=2 {
        script =
            script.on(format!("SUBTASK {n}"), [Reply::text(format!("Made {n}.")).using(used(1000, 100))]);
    }
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    driver.send(&id, "DELEGATE").await.unwrap();
    let metrics = come("both subagents", async || {
        let metrics = driver.metrics(&id).await;
        (metrics.token_usage.input_tokens >= 2002).then_some(metrics)
    })
    .await;
    assert_eq!((metrics.subagents, metrics.token_usage.output_tokens / 100), (2, 2), "{metrics:#?}");
    driver.until(&id, StatusWord::Idle).await;
    let swarm = driver.aegis.get_swarm(&driver.caller, aegis::ops::GetSwarm {}).await.unwrap();
    let own = swarm.processes.iter().find(|process| process.session_id.is_some()).unwrap();
    let kinds: Vec<_> = own.subagents.iter().map(|agent| agent.agent_type.as_deref()).collect();
    assert_eq!(kinds, [Some("general-purpose"); 2]);
    driver.kill(&id).await;
    // In 2.1.330 they run in the background, and their ends may have been answered in turns of their own since.
    let after = driver.metrics(&id).await;
    assert_eq!((after.subagents, after.token_usage.input_tokens / 1000), (2, 2), "{after:#?}");
}
