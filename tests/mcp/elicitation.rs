//! Asks as forms for the host's own user, by the real program.

use std::time::{Duration, Instant};

use aegis::claude::launch::SESSION_VARIABLE;
use serde_json::{Value, json};

use super::client::Era;
use super::host::Host;
use crate::support::Lab;

const FORM: &str = "elicitation/create";
const TAKEN_BACK: &str = "notifications/cancelled";

/// Far longer than a form takes to be shown.
const QUIET: Duration = Duration::from_millis(1500);

async fn lab() -> Lab {
    let make = json!({"tool": {"name": "Bash", "input": {"command": "touch made"}, "creates": "made"}});
    let questions = json!([{"question": "Which colour?", "header": "Colour", "multiSelect": false,
        "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}]}]);
    let choose = json!({"tool": {"name": "AskUserQuestion", "input": {"questions": questions}}});
    let rules = json!([
        {"on": "MAKE", "steps": [make, {"say": "Made."}]},
        {"on": "CHOOSE", "steps": [choose, {"say": "Chosen."}]},
    ]);
    Lab::fake(json!({"rules": rules})).build().await
}

async fn with_forms(lab: &Lab) -> Host {
    Host::with(lab, Era::Legacy, &["--elicit"], json!({"elicitation": {}})).await
}

async fn send(host: &mut Host, id: &str, text: &str, status: &str) {
    host.tool("send_message", json!({"sessionId": id, "text": text})).await;
    host.until(id, status).await;
}

/// The person does this with the form.
async fn fill(host: &mut Host, form: &Value, result: Value) {
    host.say(json!({"id": form["id"], "result": result})).await;
}

fn accept(content: Value) -> Value {
    json!({"action": "accept", "content": content})
}

fn resolution(lab: &Lab) -> (String, String) {
    let asks = lab.resolved_asks();
    let last = asks.last().unwrap().resolution.clone().unwrap();
    (last.by, serde_json::to_value(last.how).unwrap().as_str().unwrap().to_owned())
}

fn pair(by: &str, how: &str) -> (String, String) {
    (by.into(), how.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_decides() {
    let lab = lab().await;
    let mut host = with_forms(&lab).await;
    let id = host.session(&lab, "worker").await;
    send(&mut host, &id, "MAKE", "permission_prompt").await;
    let form = host.hears(FORM).await;
    let message = form["params"]["message"].as_str().unwrap();
    assert!(message.contains("Session worker") && message.contains("touch made"), "{message}");
    let schema = &form["params"]["requestedSchema"];
    assert_eq!(schema["properties"]["decision"]["enum"], json!(["approve", "reject"]), "{schema}");
    assert_eq!((&schema["type"], &schema["required"]), (&json!("object"), &json!(["decision"])));
    fill(&mut host, &form, accept(json!({"decision": "approve"}))).await;
    host.until(&id, "idle").await;
    assert!(lab.project.join("made").exists());
    assert_eq!(resolution(&lab), pair("elicitation", "approved"));

    std::fs::remove_file(lab.project.join("made")).unwrap();
    send(&mut host, &id, "MAKE", "permission_prompt").await;
    let form = host.hears(FORM).await;
    fill(&mut host, &form, accept(json!({"decision": "reject", "reason": "not that one"}))).await;
    host.until(&id, "idle").await;
    assert!(!lab.project.join("made").exists());
    assert_eq!(resolution(&lab), pair("elicitation", "rejected"));

    send(&mut host, &id, "CHOOSE", "asking").await;
    let form = host.hears(FORM).await;
    assert_eq!(
        form["params"]["requestedSchema"]["properties"]["answer1"]["enum"],
        json!(["Red", "Blue"]),
        "{form}"
    );
    // Nothing was chosen: it is shown again.
    fill(&mut host, &form, accept(json!({}))).await;
    let form = host.hears(FORM).await;
    fill(&mut host, &form, accept(json!({"answer1": "Blue"}))).await;
    host.until(&id, "idle").await;
    assert_eq!(resolution(&lab), pair("elicitation", "answered"));
    assert_eq!(host.forget(TAKEN_BACK), 0, "what was filled in here is not taken back");
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_from_elsewhere_takes_the_form_back() {
    let lab = lab().await;
    let mut host = with_forms(&lab).await;
    let mut other = with_forms(&lab).await;
    let id = host.session(&lab, "worker").await;
    send(&mut host, &id, "MAKE", "permission_prompt").await;
    let ours = host.hears(FORM).await;
    let theirs = other.hears(FORM).await;
    // The other host's person is first.
    fill(&mut other, &theirs, accept(json!({"decision": "approve"}))).await;
    let taken_back = host.hears(TAKEN_BACK).await;
    assert_eq!(taken_back["params"]["requestId"], ours["id"], "{taken_back}");
    // Ours is late, and changes nothing.
    fill(&mut host, &ours, accept(json!({"decision": "reject"}))).await;
    host.until(&id, "idle").await;
    assert!(lab.project.join("made").exists());
    assert_eq!(resolution(&lab), pair("elicitation", "approved"));

    // A tool is first.
    send(&mut host, &id, "MAKE", "permission_prompt").await;
    let form = host.hears(FORM).await;
    host.tool("reject_permission", json!({"sessionId": id})).await;
    assert_eq!(host.hears(TAKEN_BACK).await["params"]["requestId"], form["id"]);
    assert_eq!(other.hears(TAKEN_BACK).await["method"], TAKEN_BACK);
    assert_eq!(resolution(&lab), pair("mcp", "rejected"));
    host.close().await;
    other.close().await;
}

#[rstest::rstest]
#[case::declined(json!({"action": "decline"}))]
#[case::closed(json!({"action": "cancel"}))]
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_not_filled_in_leaves_the_ask_open(#[case] result: Value) {
    let lab = lab().await;
    let mut host = with_forms(&lab).await;
    let id = host.session(&lab, "worker").await;
    send(&mut host, &id, "MAKE", "permission_prompt").await;
    let form = host.hears(FORM).await;
    fill(&mut host, &form, result).await;
    assert!(host.heard_within(FORM, QUIET).await.is_none(), "a person is not asked again and again");
    let status = host.tool("get_status", json!({"sessionId": id})).await;
    assert_eq!(status["openAsks"].as_array().unwrap().len(), 1, "{status}");
    host.tool("approve_permission", json!({"sessionId": id})).await;
    host.until(&id, "idle").await;
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_never_answers_holds_up_nothing() {
    let lab = lab().await;
    let mut host = with_forms(&lab).await;
    let mut ids = Vec::new();
    for name in ["one", "two", "three"] {
        let id = host.session(&lab, name).await;
        send(&mut host, &id, "MAKE", "permission_prompt").await;
        host.hears(FORM).await;
        ids.push(id);
    }
    for id in &ids {
        host.tool("approve_permission", json!({"sessionId": id})).await;
        host.until(id, "idle").await;
    }
    send(&mut host, &ids[0], "MAKE", "permission_prompt").await;
    host.hears(FORM).await;
    let left = Instant::now();
    host.close().await;
    assert!(left.elapsed() < Duration::from_secs(1), "{:?}", left.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_who_did_not_offer_it() {
    let lab = lab().await;
    let can = json!({"elicitation": {"form": {}}});
    let mut silent = [
        Host::with(&lab, Era::Legacy, &["--elicit"], json!({})).await,
        Host::with(&lab, Era::Legacy, &["--elicit"], json!({"elicitation": {"url": {}}})).await,
        Host::with(&lab, Era::Legacy, &[], can.clone()).await,
        // There the server may ask nothing by itself.
        Host::with(&lab, Era::Modern, &["--elicit"], can.clone()).await,
    ];
    let mut host = Host::with(&lab, Era::Legacy, &["mcp", "--elicit"], can.clone()).await;
    let mut configured = lab.command();
    configured.env("AEGIS_ELICIT", "true");
    let mut configured = Host::run(configured, Era::Legacy, can.clone()).await;
    let id = host.session(&lab, "worker").await;
    send(&mut host, &id, "MAKE", "permission_prompt").await;
    host.hears(FORM).await;
    configured.hears(FORM).await;
    for other in &mut silent {
        assert!(other.heard_within(FORM, QUIET).await.is_none());
    }
    // Who comes later sees what is open.
    let mut late = Host::with(&lab, Era::Legacy, &["--elicit"], can).await;
    late.hears(FORM).await;
    late.close().await;
    configured.close().await;
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_is_asked_about_itself_or_its_ancestors() {
    let lab = lab().await;
    let mut outside = with_forms(&lab).await;
    let parent = outside.session(&lab, "parent").await;
    let inside = |id: &str| {
        let mut command = lab.command();
        command.arg("--elicit").env(SESSION_VARIABLE, id);
        command
    };
    let can = json!({"elicitation": {}});
    let mut in_parent = Host::run(inside(&parent), Era::Legacy, can.clone()).await;
    let child = in_parent.session(&lab, "child").await;
    let mut in_child = Host::run(inside(&child), Era::Legacy, can).await;
    send(&mut outside, &parent, "MAKE", "permission_prompt").await;
    outside.hears(FORM).await;
    for host in [&mut in_parent, &mut in_child] {
        assert!(host.heard_within(FORM, QUIET).await.is_none(), "its own ask, or its parent's");
    }
    send(&mut outside, &child, "MAKE", "permission_prompt").await;
    outside.hears(FORM).await;
    let form = in_parent.hears(FORM).await;
    assert!(in_child.heard_within(FORM, QUIET).await.is_none());
    fill(&mut in_parent, &form, accept(json!({"decision": "approve"}))).await;
    outside.until(&child, "idle").await;
    assert_eq!(outside.tool("get_status", json!({"sessionId": parent})).await["status"], "permission_prompt");
    for host in [in_child, in_parent, outside] {
        host.close().await;
    }
}
