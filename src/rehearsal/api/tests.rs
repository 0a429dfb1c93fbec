//! The scripted API, from values and through a socket.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::conversation::{self, Prompt};
use super::sse::{self, Envelope, Step};
use super::{CutKind, HoldAt, Message, Purpose, Question, Reply, Rule, Script, ScriptedApi, Usage};

fn user(content: Value) -> Value {
    json!({ "role": "user", "content": content })
}

fn assistant(text: &str) -> Value {
    json!({ "role": "assistant", "content": [{ "type": "text", "text": text }] })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn result(content: &str) -> Value {
    json!({ "type": "tool_result", "tool_use_id": "toolu_1", "content": content })
}

const REMINDER: &str = "<system-reminder>\nToday is Monday.\n</system-reminder>\n\n";
const QUEUED_197: &str = "The user sent a new message while you were working:\nqueued\n\nIMPORTANT: After \
    completing your current task, you MUST address the user's message above.";
const QUEUED_330: &str = "The user sent a new message while you were working:\nqueued\n\nThis is how Claude \
    Code surfaces messages the user sends mid-turn.";

#[rstest]
#[case::a_string(json!([user(json!("hi"))]), Some(("hi", 0)))]
#[case::beside_a_reminder(json!([user(json!([text(REMINDER), text("hi")]))]), Some(("hi", 0)))]
#[case::around_a_reminder(json!([user(json!(format!("{REMINDER}hi")))]), Some(("hi", 0)))]
#[case::after_a_tool(json!([user(json!("hi")), assistant("a"), user(json!([result("r")]))]), Some(("hi", 1)))]
#[case::a_second_turn(json!([user(json!("one")), assistant("a"), user(json!("two"))]), Some(("two", 0)))]
#[case::after_a_failed_turn(json!([user(json!([text("failed\n"), text("hi")]))]), Some(("hi", 0)))]
#[case::a_notice(
    json!([user(json!("hi")), assistant("a"), user(json!("<task-notification>\n<task-id>7</task-id>"))]),
    Some(("hi", 1))
)]
#[case::after_an_interrupt(
    json!([user(json!([result("no"), text("[Request interrupted by user for tool use]\n"), text("hi")]))]),
    Some(("hi", 0))
)]
#[case::queued_as_a_system_message(
    json!([
        user(json!("hi")), assistant("a"), user(json!([result("r")])),
        { "role": "system", "content": QUEUED_197 },
    ]),
    Some(("queued", 0))
)]
#[case::queued_beside_a_result(
    json!([user(json!("hi")), assistant("a"), user(json!([result("r"), text(QUEUED_330)]))]),
    Some(("queued", 0))
)]
#[case::queued_in_a_reminder(
    json!([user(json!([result("r"), text(&format!("<system-reminder>\n{QUEUED_197}\n</system-reminder>"))]))]),
    Some(("queued", 0))
)]
#[case::context_as_a_system_message(
    json!([user(json!("hi")), { "role": "system", "content": "Available agents" }]),
    Some(("hi", 0))
)]
#[case::nobody(json!([]), None)]
fn the_latest_prompt_is_found(#[case] messages: Value, #[case] expected: Option<(&str, usize)>) {
    let expected = expected.map(|(text, spoken)| Prompt { text: text.to_owned(), spoken });
    assert_eq!(conversation::latest_prompt(&json!({ "messages": messages })), expected);
}

#[rstest]
#[case::a_turn(json!({ "tools": [{ "name": "Bash" }], "messages": [user(json!("hi"))] }), Purpose::Turn)]
#[case::a_title(
    json!({
        "tools": [], "messages": [user(json!("<session>hi</session>"))],
        "output_config": { "format": { "schema": { "properties": { "title": { "type": "string" } } } } },
    }),
    Purpose::Title
)]
#[case::a_suggestion(
    json!({ "tools": [{ "name": "Bash" }], "messages": [user(json!("[SUGGESTION MODE: guess]"))] }),
    Purpose::Suggestion
)]
#[case::a_probe(json!({ "max_tokens": 1, "messages": [user(json!("quota"))] }), Purpose::Other)]
fn hidden_traffic_is_told_from_turns(#[case] body: Value, #[case] expected: Purpose) {
    assert_eq!(conversation::purpose(&body), expected);
}

#[test]
fn replies_follow_the_calls_and_end_with_a_closing_text() {
    let mut script = Script::new().on("hi", [Reply::text("one"), Reply::text("two")]);
    assert_eq!(script.reply("oh, hi", 0), Reply::text("one"));
    assert_eq!(script.reply("oh, hi", 1), Reply::text("two"));
    assert_eq!(script.reply("oh, hi", 2), Reply::text("Done."));
    assert_eq!(script.reply("other", 0), Reply::text("You said: other"));
    script.add(Rule::new("oh", [Reply::text("newer")]));
    assert_eq!(script.reply("oh, hi", 0), Reply::text("newer"));
}

#[test]
fn a_bounded_failure_gives_way_to_the_next_reply() {
    let mut script =
        Script::new().on("hi", [Reply::text("one"), Reply::error(529).times(2), Reply::text("two")]);
    let error = Reply::error(529).times(2);
    let said: Vec<Reply> = [0, 1, 1, 1].into_iter().map(|spoken| script.reply("hi", spoken)).collect();
    assert_eq!(said, [Reply::text("one"), error.clone(), error, Reply::text("two")]);
}

#[test]
fn a_script_is_the_same_from_json() {
    let script = json!({ "rules": [{ "on": "hi", "replies": [
        { "message": { "text": "a", "hold": { "name": "go", "at": "text" } } },
        { "error": { "status": 429, "times": 1, "headers": { "retry-after": "1" } } },
    ] }] });
    let expected = Script::new().on(
        "hi",
        [Reply::text("a").held("go", HoldAt::Text), Reply::error(429).times(1).header("retry-after", "1")],
    );
    assert_eq!(serde_json::from_value::<Script>(script).unwrap(), expected);
    assert!(serde_json::from_value::<Script>(json!({ "rulez": [] })).is_err());
}

fn names(reply: Reply) -> Vec<String> {
    let Reply::Message(message) = reply else { panic!("not a message") };
    let envelope = Envelope { id: "msg_1".to_owned(), model: "m".to_owned() };
    let name = |step| match step {
        Step::Event(name, data) => {
            assert_eq!(data["type"], name);
            data["delta"]["type"].as_str().map_or_else(|| name.to_owned(), str::to_owned)
        }
        Step::Pause(delay) => format!("pause {delay:?}"),
        Step::Hold(name) => format!("hold {name}"),
    };
    sse::steps(&message, &envelope).into_iter().map(name).skip(2).collect()
}

#[test]
fn a_stream_has_its_events_in_order() {
    let block = ["content_block_start", "text_delta", "content_block_stop"];
    let end = ["message_delta", "message_stop"];
    assert_eq!(names(Reply::text("hi")), [&block[..], &end].concat());
    let tool = ["content_block_start", "input_json_delta", "content_block_stop"];
    let calls = Reply::tools([]).saying("hi");
    assert_eq!(names(calls), [&block[..], &end].concat());
    let call = Reply::tool("Bash", json!({ "command": "ls" })).saying("hi");
    assert_eq!(names(call), [&block[..], &tool, &end].concat());
    let thought = ["content_block_start", "thinking_delta", "signature_delta", "content_block_stop"];
    assert_eq!(names(Reply::thinking("hm", "hi")), [&thought[..], &block, &end].concat());
}

#[test]
fn a_stream_waits_and_breaks_where_it_is_told() {
    let slow = names(Reply::text("abcd").slowly(2, 5));
    assert_eq!(slow[1..5], ["text_delta", "pause 5ms", "text_delta", "pause 5ms"]);
    let held = names(Reply::text("abcd").held("go", HoldAt::Text));
    assert_eq!(held[1..4], ["text_delta", "hold go", "text_delta"]);
    assert_eq!(
        names(Reply::text("a").cut(CutKind::ErrorEvent)),
        ["content_block_start", "text_delta", "error"]
    );
    assert_eq!(names(Reply::text("a").cut(CutKind::Silence)), ["content_block_start", "text_delta"]);
}

#[test]
fn a_call_that_does_not_stream_gets_the_whole_message() {
    let message = Message { text: Some("hi".to_owned()), ..Message::default() };
    let envelope = Envelope { id: "msg_1".to_owned(), model: "m".to_owned() };
    assert_eq!(
        sse::whole(&message, &envelope),
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [text("hi")], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": Usage::default(),
        })
    );
}

#[test]
fn calls_are_fitted_to_what_the_program_offers() {
    let request = json!({
        "tools": [{ "name": "Task", "input_schema": { "properties": { "prompt": {}, "description": {} } } }],
        "messages": [user(json!([text("You should create your plan at /h/plans/p.md using the Write tool.")]))],
    });
    let resolved = |reply: Reply, request: &Value| {
        let Reply::Message(message) = reply else { panic!("not a message") };
        super::resolve::resolve(message, request).tools
    };
    let agents = resolved(Reply::agents([("first", "count")]), &request);
    assert_eq!(agents[0].name, "Task");
    assert_eq!(agents[0].input, json!({ "description": "first", "prompt": "count" }));
    let plan = resolved(Reply::plan("# Plan"), &request);
    assert_eq!(plan[0].input["file_path"], "/h/plans/p.md");
    assert_eq!(plan[1].name, "ExitPlanMode");
    assert_eq!(resolved(Reply::plan("# Plan"), &json!({})).len(), 1);
    let question = Question::new("Which?", "Pick", ["A", "B"]).multi();
    let asked = resolved(Reply::questions([question]), &request);
    assert_eq!(asked[0].input["questions"][0]["multiSelect"], true);
}

async fn post(api: &ScriptedApi, path: &str, body: &Value) -> String {
    let host = api.url().trim_start_matches("http://").to_owned();
    let mut socket = TcpStream::connect(&host).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: secret\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

fn turn(prompt: &str) -> Value {
    json!({
        "model": "m", "stream": true, "tools": [{ "name": "Bash" }], "messages": [user(json!(prompt))],
    })
}

#[tokio::test]
async fn requests_are_answered_recorded_and_held_until_released() {
    let script = Script::new().on("wait", [Reply::text("released").held("go", HoldAt::Start)]);
    let api = ScriptedApi::start(script).await.unwrap();
    let said = post(&api, "/v1/messages?beta=true", &turn("hello")).await;
    assert!(said.contains("event: message_stop") && said.contains("You said: hello"), "{said}");
    let wait = turn("wait");
    let (waited, ()) = tokio::join!(post(&api, "/v1/messages", &wait), async {
        let request = api.wait_for("the held call", |request| request.mentions("wait")).await.unwrap();
        assert!(request.is_main());
        api.release("go");
    });
    assert!(waited.contains("released"), "{waited}");
    api.add(Rule::new("hello", [Reply::error(529)]));
    assert!(post(&api, "/v1/messages", &turn("hello")).await.starts_with("HTTP/1.1 529"));
    assert!(post(&api, "/v1/messages/count_tokens", &turn("x")).await.contains("input_tokens"));
    assert!(post(&api, "/api/hello", &json!({})).await.starts_with("HTTP/1.1 200"));
    let requests = api.requests();
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    let messages = "/v1/messages";
    assert_eq!(paths, [messages, messages, messages, "/v1/messages/count_tokens", "/api/hello"]);
    assert_eq!(requests[0].query, "beta=true");
    assert!(!requests[0].headers.iter().any(|(name, _)| name == "x-api-key"));
}

#[tokio::test]
async fn a_request_that_never_comes_is_named() {
    let api = ScriptedApi::start(Script::new()).await.unwrap();
    let error = api.wait_for_within(Duration::ZERO, "the second prompt", |_| false).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the second prompt did not come within 0ns; 0 requests came, the last was none"
    );
}
