//! Turns: while they run, and how they end.

use aegis::claude::keys;
use aegis::rehearsal::Reply;
use aegis::rehearsal::api::HoldAt;
use serde_json::json;

use crate::scenario::{Scenario, Set, bash, case};

/// What a finished turn leaves behind.
const FINISHED: &str = r"^✻ \p{Lu}\S+ for \d+s";

/// The line that moves while a turn runs; with reduced motion its glyph is an answer's.
const SPINNER: &str = r"^[·✢✳*✶✻✽∗●] \p{Lu}\S*…";

/// Looks like a dialog, and is text.
const IMITATION: &str = "Do you want to proceed?\n\n❯ 1. Yes\n  2. No\n\nEnter to confirm · Esc to cancel";

/// A tool that runs for a while. It ends by itself, also when the program that started it is gone.
const SLEEP: &str = "sleep 25";

/// Another, for versions that refuse a plain `sleep`.
const WORK: &str = "perl -e 'sleep 25'";

/// The cases whose turn is over, or stopped.
pub(super) fn finished() -> Vec<Scenario> {
    let hello = |name| case(name).asks("hello", [Reply::text("Hello from the model.")]);
    let markdown = "# Title\n\n- one\n- two\n\n```rust\nfn main() {}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n\
                    > quoted ❯ text";
    let both = format!("```\n{IMITATION}\n```\n\nAnd in plain text:\n\n{IMITATION}\n\nThat was all of it.");
    let lists = "Options:\n\n1. Alpha\n2. Beta\n3. Gamma\n\nWhich one? (Enter to select)";
    vec![
        hello("finished").sees(FINISHED).ready(),
        case("finished-markdown").asks("show markdown", [Reply::text(markdown)]).sees(FINISHED).ready(),
        case("imitation").asks("imitate", [Reply::text(both)]).sees(FINISHED).ready(),
        case("imitation-at-end").asks("imitate", [Reply::text(IMITATION)]).sees(FINISHED).ready(),
        case("model-list").asks("list", [Reply::text(lists)]).sees(FINISHED).ready(),
        case("api-error").asks("fail", [Reply::error(400)]).sees("API Error").ready(),
        retrying("api-retry", "2").sees("[Rr]etrying in"),
        // The last attempt names the error.
        retrying("api-retry-last", "1").sees("[Rr]etrying in"),
        retrying("api-overloaded", "1").sees("API Error:").ready(),
        streaming("interrupted").press(keys::ESCAPE).until("Interrupted"),
        thinking("interrupted-early").press(keys::ESCAPE).until("^❯\u{a0}think about it"),
        tool("interrupted-tool", SLEEP).before("2.1.330").press(keys::ESCAPE).until("Interrupted"),
        tool("interrupted-tool-running", WORK).press(keys::ESCAPE).until("Interrupted"),
        hello("transcript-view").sees(FINISHED).ready().press(b"\x0f").until("detailed transcript"),
        hello("rewind")
            .answers("second", [Reply::text("Hello again.")])
            .sees(FINISHED)
            .ready()
            .enter("second")
            .sees("Hello again")
            .ready()
            .press(keys::ESCAPE)
            .until("again to rewind|Esc again|^❯\u{a0}")
            .press(keys::ESCAPE)
            .until("Rewind"),
        hello("resume-picker")
            .sees(FINISHED)
            .ready()
            .enter("/clear")
            .until("(?s)/clear.*^❯\u{a0} *$")
            .enter("/resume")
            .until("(?i)resume session"),
        limited("rate-limit").until("You've hit your|limit reached"),
        case("auto-mode")
            .since("2.1.197")
            .arguments(&["--permission-mode", "auto"])
            .asks("hello", [Reply::text("Hello from the model.")])
            .sees(FINISHED)
            .ready(),
        // 2.1.260 offers it before the permission dialog is answered.
        case("promotion-after-permission")
            .since("2.1.300")
            .set(Set::Promotions)
            .asks("make it", [bash("touch made-it && echo hi"), Reply::text("All done.")])
            .until("Do you want to proceed")
            .press(keys::ENTER)
            .until("Not now"),
    ]
}

/// The cases whose turn runs.
pub(super) fn working() -> Vec<Scenario> {
    let queued = "edit queued messages";
    vec![
        thinking("working-before-first-token"),
        calm(thinking("working-reduced-motion")),
        streaming("working-streaming"),
        // Without motion the text does not come in pieces; the line above the box counts its tokens.
        calm(said("working-streaming-reduced")).sees(r"^● \p{Lu}\S*… \(\d+s · ↓"),
        // The program's own patience with a silent API is 20 s; in 2.1.330 it is longer than ours.
        said("api-silent").since("2.1.260").before("2.1.330").sees("Waiting for API response"),
        streaming("working-with-draft").press("typing while busy").sees("typing while busy"),
        streaming("queued-while-streaming").enter("queued one").sees(queued),
        tool("working-tool", SLEEP).before("2.1.330"),
        tool("working-tool-running", WORK),
        tool("queued-while-tool", SLEEP).before("2.1.330").enter("queued two").sees(queued),
        tool("queued-while-tool-running", WORK).enter("queued two").sees(queued),
    ]
}

/// The model does not answer.
fn thinking(name: &'static str) -> Scenario {
    let reply = Reply::text("Never said.").held("never", HoldAt::Start);
    case(name).asks("think about it", [reply]).asked("think about it").sees(SPINNER)
}

/// The model has said half of it.
fn said(name: &'static str) -> Scenario {
    let text = "slow words here\n\n".repeat(8);
    case(name).asks("say it slowly", [Reply::text(text).held("half", HoldAt::Text)])
}

/// The half that was said is on the screen.
fn streaming(name: &'static str) -> Scenario {
    said(name).sees(r"^● slow words here(?s:.*)slow words here(?s:.*)esc to in")
}

/// A tool runs that needs no permission.
fn tool(name: &'static str, command: &str) -> Scenario {
    case(name)
        .settings(json!({ "permissions": { "allow": ["Bash"] } }))
        .asks("work", [bash(command).saying("Working."), Reply::text("All done.")])
        .sees(r"Running|\d+s ·|\(\d+s|\$ ")
        .sees(SPINNER)
}

fn calm(scenario: Scenario) -> Scenario {
    scenario.settings(json!({ "prefersReducedMotion": true }))
}

fn retrying(name: &'static str, attempts: &'static str) -> Scenario {
    case(name).var("CLAUDE_CODE_MAX_RETRIES", attempts).asks("try it", [Reply::error(529)])
}

fn limited(name: &'static str) -> Scenario {
    // Far in the future, at a full hour, so that recordings differ as little as they can.
    let limit = Reply::error(429)
        .header("anthropic-ratelimit-unified-status", "rejected")
        .header("anthropic-ratelimit-unified-representative-claim", "five_hour")
        .header("anthropic-ratelimit-unified-reset", "4102444800")
        .header("anthropic-ratelimit-unified-overage-status", "rejected")
        .header("retry-after", "7200");
    case(name)
        .set(Set::Without("ANTHROPIC_API_KEY"))
        .var("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-rehearsal-opens-nothing")
        .asks("go on", [limit])
}
