//! Whoever is told that a session is idle reads the whole turn, and what was read once never changes.

use aegis::domain::{ContentType, Message, Role, StatusWord};
use aegis::ops::{GetTranscript, WaitForSession};
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;
use serde_json::json;

use crate::support::Lab;
use crate::support::tasks::Driver;

const TURNS: usize = 100;

/// Every third turn calls a tool first.
fn with_tool(turn: usize) -> bool {
    turn.is_multiple_of(3)
}

fn prompt(turn: usize) -> String {
    format!("Prompt number {turn:03} of many")
}

fn answer(turn: usize) -> String {
    format!("Answer number {turn:03}, and no other.")
}

/// A cursor behind all that has happened so far.
async fn cursor(driver: &Driver, id: &str) -> String {
    let req = WaitForSession {
        session_ids: Some(vec![id.into()]),
        timeout_ms: Some(0),
        ..WaitForSession::default()
    };
    driver.aegis.wait_for_session(&driver.caller, req).await.unwrap().cursor
}

async fn after(driver: &Driver, id: &str, after_id: u64) -> Vec<Message> {
    let req = GetTranscript {
        session_id: id.into(),
        after_id: Some(after_id),
        limit: Some(200),
        max_chars: Some(1_000_000),
        ..GetTranscript::default()
    };
    driver.aegis.get_transcript(&driver.caller, req).await.unwrap().messages
}

/// What a turn must look like to a reader.
fn expected(turn: usize) -> Vec<(Role, ContentType, Option<String>)> {
    let mut all = vec![(Role::User, ContentType::Text, Some(prompt(turn)))];
    if with_tool(turn) {
        all.push((Role::Assistant, ContentType::ToolUse, None));
        all.push((Role::Assistant, ContentType::ToolResult, None));
    }
    all.push((Role::Assistant, ContentType::Text, Some(answer(turn))));
    all
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn idle_means_that_the_whole_turn_can_be_read(#[values("2.1.197", "2.1.330")] version: &str) {
    let mut script = Script::new();
    for turn in 0..TURNS {
        let tool = with_tool(turn)
            .then(|| Reply::tool("Bash", json!({"command": format!("echo {turn}"), "description": "Say"})));
        script = script.on(prompt(turn), tool.into_iter().chain([Reply::text(answer(turn))]));
    }
    let lab = Lab::new(version, script).await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let mut at = cursor(&driver, &id).await;
    let mut read: Vec<Message> = Vec::new();
    let since = std::time::Instant::now();
    for turn in 0..TURNS {
        driver.send(&id, &prompt(turn)).await.unwrap();
        loop {
            let req = WaitForSession {
                session_ids: Some(vec![id.clone()]),
                until: Some(vec![
                    StatusWord::Idle,
                    StatusWord::PermissionPrompt,
                    StatusWord::Error,
                    StatusWord::Ended,
                ]),
                timeout_ms: Some(30_000),
                cursor: Some(at),
            };
            let waited = driver.aegis.wait_for_session(&driver.caller, req).await.unwrap();
            at = waited.cursor;
            assert!(!waited.timed_out, "turn {turn}: {:#?}", driver.show(&id).await);
            if let [woke] = waited.woke.as_slice() {
                assert_eq!(woke.session.status, StatusWord::Idle, "turn {turn}: {:#?}", woke.session);
                break;
            }
        }
        let last = read.last().map_or(0, |message| message.id);
        let new = after(&driver, &id, last).await;
        let seen: Vec<_> = new.iter().map(|m| (m.role, m.content_type, m.text.clone())).collect();
        let wanted = expected(turn);
        let fits = seen.len() == wanted.len()
            && seen.iter().zip(&wanted).all(|(seen, wanted)| {
                seen.0 == wanted.0
                    && seen.1 == wanted.1
                    && wanted.2.as_ref().is_none_or(|text| *text == seen.2)
            });
        assert!(fits, "turn {turn}: {seen:#?}\n{:#?}", driver.show(&id).await.evidence);
        read.extend(new);
    }
    let took = since.elapsed();
    assert!(
        read.iter().enumerate().all(|(place, message)| message.id == place as u64 + 1),
        "ids count from 1"
    );
    let mut again = Vec::new();
    loop {
        let page = after(&driver, &id, again.last().map_or(0, |message: &Message| message.id)).await;
        if page.is_empty() {
            break;
        }
        again.extend(page);
    }
    // Times may be those of the hook or of the file; all else stays as it was read.
    let same = |a: &Message, b: &Message| {
        (a.id, a.role, a.content_type, &a.text, &a.tool_name)
            == (b.id, b.role, b.content_type, &b.text, &b.tool_name)
    };
    assert_eq!(again.len(), read.len());
    for (then, now) in read.iter().zip(&again) {
        assert!(same(then, now), "{then:#?} became {now:#?}");
    }
    let prompts: Vec<_> = lab
        .api
        .requests()
        .iter()
        .filter(|r| r.is_main() && r.spoken() == 0)
        .filter_map(|r| r.prompt())
        .collect();
    assert_eq!(prompts, (0..TURNS).map(prompt).collect::<Vec<_>>(), "each prompt once, in order");
    let holder = driver.show(&id).await.health.holder.pid.unwrap();
    let rss = procfs::process::Process::new(i32::try_from(holder).unwrap())
        .unwrap()
        .status()
        .unwrap()
        .vmrss
        .unwrap();
    eprintln!("{version}: {TURNS} turns in {took:.1?}; the holder's memory afterwards: {rss} kB");
    let ended = driver.kill(&id).await;
    assert_eq!(ended.status, StatusWord::Ended);
    // The archive reads as the live session did.
    let archive = after(&driver, &id, 0).await;
    assert!(archive.iter().zip(&read).all(|(now, then)| same(now, then)));
}
