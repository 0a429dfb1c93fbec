//! A long conversation that is resumed: its totals are right, and told apart from what the session itself did.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};

use aegis::ops::CreateSession;
use serde_json::{Value, json};

use crate::fake::taken;
use crate::support::Lab;
use crate::support::processes::{come, holders, sigkill};
use crate::support::tasks::Driver;

const LINES: usize = 33_000;
const CONVERSATION: &str = "0b6f4a86-9a3e-4e39-8d3e-3a1a4d2f5c11";

/// Writes turns of three lines: a prompt, and a thought and an answer. The last two are one API message.
fn write(lab: &Lab) {
    let slug: String =
        lab.work_dir().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let dir = lab.home.config_dir().join("projects").join(slug);
    fs::create_dir_all(&dir).unwrap();
    let mut file = BufWriter::new(File::create(dir.join(format!("{CONVERSATION}.jsonl"))).unwrap());
    let mut parent = Value::Null;
    for at in 0..LINES {
        let turn = at / 3;
        let uuid = format!("00000000-0000-4000-8000-{at:012}");
        let answer = |block: Value, output: u64| {
            let usage = json!({"input_tokens": 2, "output_tokens": output, "cache_read_input_tokens": 100});
            json!({"id": format!("msg_{turn}"), "model": "claude-opus-4-8", "role": "assistant",
                   "content": [block], "usage": usage})
        };
        let (kind, message) = match at % 3 {
            0 => ("user", json!({"role": "user", "content": format!("prompt {turn}")})),
            1 => ("assistant", answer(json!({"type": "thinking", "thinking": "hm"}), 1)),
            _ => ("assistant", answer(json!({"type": "text", "text": format!("answer {turn}")}), 7)),
        };
        let line = json!({
            "parentUuid": parent, "isSidechain": false, "type": kind, "message": message, "uuid": uuid,
            "sessionId": CONVERSATION, "timestamp": "2026-01-01T00:00:00.000Z",
        });
        writeln!(file, "{line}").unwrap();
        parent = uuid.into();
    }
    file.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_totals_of_a_long_conversation_are_right() {
    let lab = Lab::fake(json!({"apiModel": "claude-opus-4-8"})).build().await;
    write(&lab);
    let driver = Driver::new(&lab);
    let req = CreateSession {
        work_dir: driver.work_dir.clone(),
        resume_session_id: Some(CONVERSATION.into()),
        reuse: Some(false),
        ..CreateSession::default()
    };
    let id = driver.aegis.create_session(&driver.caller, req).await.unwrap().session.id.to_string();
    taken(&driver, &id, "one more").await;
    come("the answer's line", async || (!driver.metrics(&id).await.models.is_empty()).then_some(())).await;
    let turns = LINES as u64 / 3;
    let check = async || {
        let metrics = driver.metrics(&id).await;
        assert_eq!((metrics.messages, metrics.turns, metrics.token_usage.input_tokens), (2, 1, 10));
        let summary = driver.summary(&id).await;
        assert_eq!((summary.history_messages, summary.total_messages), (LINES as u64, 2));
        let (_, stats) = lab.app().engine.stats(&id).await.unwrap();
        let past = stats.talk.past;
        assert_eq!((past.tokens.input, past.tokens.output), (2 * turns, 7 * turns));
        assert_eq!((past.tokens.cache_read, past.tool_calls), (100 * turns, 0));
    };
    check().await;
    sigkill(holders(&lab)[0]);
    driver.until(&id, aegis::domain::StatusWord::Ended).await;
    check().await;
}
