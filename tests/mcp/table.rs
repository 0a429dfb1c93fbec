//! Every tool held against everything that can be wrong with a call. What can be wrong with an argument is taken from
//! the tool's own schema, the rest from its row in the table of calls.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aegis::mcp::{McpDoor, ToolSet};
use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::{Map, Value, json};

use super::client::{Client, Era, fault};
use crate::support::Lab;
use crate::support::calls::{CALLS, Call, filled, script};
use crate::support::processes::{holders, signal};
use crate::support::records::{journals, receipts};
use crate::support::server::{NoAnswer, Server};
use crate::support::tasks::Driver;

/// Within which every call is answered, whatever is wrong.
const SOON: Duration = Duration::from_secs(5);

/// The arguments of each tool, by its name.
fn schemas() -> Vec<(String, Map<String, Value>)> {
    McpDoor::tools(ToolSet::Full)
        .into_iter()
        .map(|tool| (tool.name.to_string(), (*tool.input_schema).clone()))
        .collect()
}

fn row(tool: &str) -> &'static Call {
    CALLS.iter().find(|call| call.tool == tool).unwrap_or_else(|| panic!("{tool} has no row"))
}

/// A value of none of the kinds that a schema takes.
fn of_another_kind(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("string") | None => json!(7),
        Some("integer" | "boolean" | "number") => json!("x"),
        Some("array") => json!({}),
        Some(_) => json!([]),
    }
}

/// Values that this schema refuses, with a word on each.
fn refused(schema: &Value) -> Vec<(&'static str, Value)> {
    let mut wrong = vec![("of another kind", of_another_kind(schema))];
    let number = |name: &str| schema[name].as_i64();
    wrong.extend(number("minimum").map(|least| ("too small", json!(least - 1))));
    wrong.extend(number("maximum").map(|most| ("too large", json!(most + 1))));
    wrong.extend(number("minLength").map(|_| ("too short", json!(""))));
    let long = |most: i64| "x".repeat(usize::try_from(most).unwrap() + 1);
    wrong.extend(number("maxLength").map(|most| ("too long", json!(long(most)))));
    wrong.extend(schema.get("enum").map(|_| ("no choice", json!("nonsense"))));
    if schema["type"] == "array" {
        let items = &schema["items"];
        let good = example(items);
        wrong.extend(number("minItems").map(|_| ("too few", json!([]))));
        let many = |most: i64| vec![good.clone(); usize::try_from(most).unwrap() + 1];
        wrong.extend(number("maxItems").map(|most| ("too many", json!(many(most)))));
        wrong.extend(refused(items).into_iter().map(|(what, item)| (what, json!([good, item]))));
    }
    if let Some(properties) = schema["properties"].as_object() {
        let mut whole = example(schema);
        for (name, of) in properties {
            for (what, value) in refused(of) {
                let mut entries = whole.clone();
                entries[name] = value;
                wrong.push((what, entries));
            }
        }
        whole["noSuchThing"] = json!(1);
        wrong.push(("with an unknown argument", whole));
    } else if let Some(of) = schema.get("additionalProperties").filter(|of| of.is_object()) {
        wrong.extend(refused(of).into_iter().map(|(what, value)| (what, json!({"a": value}))));
    }
    wrong
}

/// A value that the schema takes.
fn example(schema: &Value) -> Value {
    if let Some(choices) = schema["enum"].as_array() {
        return choices[0].clone();
    }
    match schema["type"].as_str() {
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([example(&schema["items"])]),
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let filled = required.map(|name| (name.to_owned(), example(&schema["properties"][name])));
            Value::Object(filled.collect())
        }
        Some(_) | None => json!("x"),
    }
}

#[test]
fn every_tool_has_a_row() {
    let rows: BTreeSet<_> = CALLS.iter().map(|call| call.tool.to_owned()).collect();
    let tools: BTreeSet<_> = schemas().into_iter().map(|(tool, _)| tool).collect();
    assert_eq!(rows, tools);
    assert_eq!((CALLS.len(), tools.len()), (25, 25));
}

/// Each argument of each tool, at every depth: of another kind, out of range, missing, unknown.
#[tokio::test]
async fn each_argument_is_held_against_its_schema() {
    let mut client = Client::open(Era::Legacy, ToolSet::Full).await;
    let mut cases = 0;
    for (tool, schema) in schemas() {
        let valid = filled(row(&tool).arguments, "nobody", "/none/such");
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let mut wrong = vec![("noSuchThing".to_owned(), "unknown", json!(1))];
        for (name, of) in properties {
            wrong.extend(refused(of).into_iter().map(|(what, value)| (name.clone(), what, value)));
        }
        for (name, what, value) in wrong {
            let mut arguments = valid.clone();
            arguments[&name] = value;
            let told = fault(&client.call(&tool, arguments).await);
            assert_eq!(told["code"], "invalid_argument", "{tool}.{name}, {what}: {told}");
            assert!(told["message"].as_str().unwrap().contains(&name), "{tool}.{name}, {what}: {told}");
            cases += 1;
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().unwrap();
            let mut arguments = valid.clone();
            arguments.as_object_mut().unwrap().remove(name);
            let told = fault(&client.call(&tool, arguments).await);
            assert_eq!(told["message"], format!("`{name}` is missing"), "{tool}: {told}");
            cases += 1;
        }
    }
    assert!(cases > 200, "{cases} cases");
}

/// A call's answer, which must come soon: the code if it failed.
async fn soon(server: &Server, tool: &str, arguments: Value) -> Result<Value, Value> {
    let since = Instant::now();
    let answer = server.try_call(tool, arguments.clone()).await;
    assert!(since.elapsed() < SOON, "{tool} {arguments} took {:?}", since.elapsed());
    answer.map_err(|error| match error {
        NoAnswer::Failed(error) => error,
        NoAnswer::Died => panic!("{tool} {arguments}: the server died"),
    })
}

/// A failure that says what it is and what to do.
fn coded(tool: &str, arguments: &Value, answer: Result<Value, Value>) -> String {
    let error = answer.expect_err(&format!("{tool} {arguments}"));
    for key in ["code", "message", "hint"] {
        assert!(error[key].as_str().is_some_and(|text| !text.is_empty()), "{tool} {arguments}: {error}");
    }
    assert_ne!(error["code"], "internal", "{tool} {arguments}: {error}");
    error["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_the_schema_and_makes_no_sense_is_refused() {
    let lab = Lab::fake(script()).build().await;
    let server = Server::start(&lab).await;
    let made = json!({"workDir": lab.work_dir(), "name": "worker", "reuse": false});
    let id = server.call("create_session", made).await["id"].as_str().unwrap().to_owned();
    Driver::new(&lab).until(&id, aegis::domain::StatusWord::Idle).await;
    let mut wrong = Vec::new();
    for call in CALLS {
        for (arguments, code) in call.refused {
            let arguments = filled(arguments, &id, &lab.work_dir());
            let answer = soon(&server, call.tool, arguments.clone()).await;
            let told = match answer {
                Ok(_) => "no error".to_owned(),
                failed => coded(call.tool, &arguments, failed),
            };
            if told != *code {
                wrong.push(format!("{} {arguments}: {told}, not {code}", call.tool));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(lab.session_dirs().len(), 1, "nothing was made");
    assert_eq!(receipts(&journals(&lab)[0]).len(), 0, "nothing was sent");
    server.call("kill_session", json!({"sessionId": id})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_there_is_told_so_by_every_tool_that_takes_one() {
    let lab = Lab::fake(script()).build().await;
    let server = Server::start(&lab).await;
    let mut asked = 0;
    for (tool, schema) in schemas() {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        for name in ["sessionId", "sessionIds", "resumeSessionId"]
            .iter()
            .filter(|name| properties.contains_key(**name))
        {
            for nobody in ["nobody", "1b1c1a3a-9c3c-4c67-87dc-0d9e2af166d3", ""] {
                let mut arguments = filled(row(&tool).arguments, "nobody", &lab.work_dir());
                arguments[*name] = if *name == "sessionIds" { json!([nobody]) } else { json!(nobody) };
                let answer = soon(&server, &tool, arguments.clone()).await;
                // What is no session of ours may be a conversation of Claude Code's own.
                let expected =
                    if *name == "resumeSessionId" { "no_such_conversation" } else { "no_such_session" };
                assert_eq!(coded(&tool, &arguments, answer), expected, "{tool} {arguments}");
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 3 * 16, "tools that take a session");
}

/// The session's holder is stopped: every tool answers within five seconds, to a server that knows the holder and to one
/// that meets it so. Afterwards all is well, and nothing that was told to have failed happens.
#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_stands_still_holds_up_no_tool() {
    let lab = Lab::fake(script()).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let holder = holders(&lab)[0];
    let known = Server::start(&lab).await;
    known.call("get_status", json!({"sessionId": id})).await;
    let fresh = Server::start(&lab).await;
    signal(holder, Signal::STOP);
    for (server, name) in [(&known, "one"), (&fresh, "two")] {
        let calls = CALLS.iter().map(async |call| {
            let mut arguments = filled(call.arguments, &id, &lab.work_dir());
            if let Some(taken) = arguments.get_mut("name") {
                *taken = json!(name);
            }
            if call.tool.starts_with("state_") {
                arguments["key"] = json!(format!("{name}/{}", call.tool));
            }
            let answer = soon(server, call.tool, arguments.clone()).await;
            if call.needs_holder {
                assert_eq!(coded(call.tool, &arguments, answer), "holder_unreachable", "{}", call.tool);
            } else if call.tool == "state_get" {
                assert_eq!(coded(call.tool, &arguments, answer), "no_such_key");
            } else {
                answer.unwrap_or_else(|error| panic!("{}: {error}", call.tool));
            }
        });
        join_all(calls).await;
    }
    signal(holder, Signal::CONT);
    driver.until(&id, aegis::domain::StatusWord::Idle).await;
    driver.send(&id, "after").await.unwrap();
    driver.until(&id, aegis::domain::StatusWord::Idle).await;
    let ours = journals(&lab).into_iter().find(|events| events[0].session_id.to_string() == id).unwrap();
    assert_eq!(receipts(&ours).len(), 1, "only what was sent afterwards");
    for call in CALLS.iter().filter(|call| call.before.is_none()) {
        // The stand-in has no commands and no shell.
        if call.needs_holder && !["send_command", "send_bash", "kill_session"].contains(&call.tool) {
            soon(&known, call.tool, filled(call.arguments, &id, &lab.work_dir()))
                .await
                .unwrap_or_else(|error| panic!("{}: {error}", call.tool));
            driver.until(&id, aegis::domain::StatusWord::Idle).await;
        }
    }
    for dir in lab.session_dirs() {
        driver.kill(dir.file_name().unwrap().to_str().unwrap()).await;
    }
}
