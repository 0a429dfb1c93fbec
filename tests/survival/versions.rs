//! Holders and servers of different builds.

use std::path::PathBuf;

use aegis::domain::SessionId;
use aegis::holder::SessionDir;
use aegis::wire::{Call, Push, Reply, Request, decode, encode, read_frame, socket};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::Lab;
use crate::support::lab::AEGIS;
use crate::support::processes::{come, holders};
use crate::support::records::prompts;
use crate::support::server::Server;
use crate::support::tasks::Driver;

/// Frames of protocol 1 as they were when it came into being. Holders of that build may still run: what is read here
/// must be read for as long as they may.
const PROTOCOL_1: &str = include_str!("../fixtures/wire/protocol-1.jsonl");

#[test]
fn t11_frames_of_protocol_1_are_read() {
    for line in PROTOCOL_1.lines() {
        let frame: Value = serde_json::from_str(line).unwrap();
        let body = frame["body"].to_string().into_bytes();
        match frame["of"].as_str().unwrap() {
            "call" => assert_ne!(decode::<Call>(&body).unwrap().request, Request::Unknown, "{line}"),
            "reply" => drop(decode::<Reply>(&body).unwrap()),
            "push" => assert_ne!(decode::<Push>(&body).unwrap(), Push::Unknown, "{line}"),
            "snapshot" => drop(serde_json::from_slice::<aegis::wire::Snapshot>(&body).unwrap()),
            "pane" => drop(serde_json::from_slice::<aegis::wire::Pane>(&body).unwrap()),
            "page" => drop(serde_json::from_slice::<aegis::domain::MessagePage>(&body).unwrap()),
            other => panic!("{other}"),
        }
    }
}

/// A client of another build: it says things that this holder does not know.
#[tokio::test(flavor = "multi_thread")]
async fn t11_a_client_of_another_build() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let path = lab.app().paths.socket(id.parse().unwrap());
    let stream = socket::connect(&path).await.unwrap();
    let (mut reader, mut writer) = (&stream, &stream);
    for frame in [
        json!({"protocol": 99, "version": "9.9.9", "shoe_size": 44}),
        json!({"call": 1, "kind": "of_a_newer_version", "more": [1, {"deep": true}]}),
        json!({"not": "even a call"}),
        json!({"call": 2, "kind": "snapshot", "also": "this"}),
    ] {
        writer.write_all(&encode(&frame).unwrap()).await.unwrap();
    }
    let mut frames = Vec::new();
    for _ in 0..3 {
        frames.push(serde_json::from_slice::<Value>(&read_frame(&mut reader).await.unwrap()).unwrap());
    }
    assert_eq!(frames[0]["session_id"], id.as_str());
    assert_eq!((&frames[1]["call"], &frames[1]["failed"]["code"]), (&json!(1), &json!("unsupported")));
    assert_eq!(frames[2]["done"]["session"]["status"], "idle");
    driver.kill(&id).await;
}

/// A holder of an older build, with the frames of that time: it knows no ping, tells less, and pushes what nobody knows.
struct OldHolder {
    id: SessionId,
    socket: PathBuf,
    _lock: std::fs::File,
}

impl OldHolder {
    fn start(lab: &Lab, snapshot: &Value) -> Self {
        use aegis::store::{SessionRow, SqliteStore, Store as _};
        let app = lab.app();
        let id: SessionId = snapshot["session"]["id"].as_str().unwrap().parse().unwrap();
        let dir = SessionDir::new(app.paths.session_dir(id));
        dir.create().unwrap();
        let lock = dir.try_lock().unwrap().unwrap();
        let spec = json!({
            "id": id, "name": "old", "workDir": lab.work_dir(), "permissionMode": "default", "model": null,
            "resume": null, "fork": false, "conversationId": SessionId::mint(), "appendSystemPrompt": null,
            "addDirs": [], "envNames": [], "owner": "local", "parentId": null, "settingsKey": "", "worktree": null,
            "stallThresholdMs": 300_000, "trusted": false, "createdAt": "2026-01-01T00:00:00.000Z",
        });
        let row = SessionRow {
            spec: serde_json::from_value(spec).unwrap(),
            session_dir: dir.root().to_owned(),
            socket: app.paths.socket(id),
            boot_id: "whichever".into(),
            holder_pid: Some(std::process::id()),
            holder_start: Some(1),
            ended: None,
        };
        SqliteStore::open(&app.paths.database).unwrap().insert_session(&row).unwrap();
        let listener = socket::listen(&row.socket).unwrap();
        let snapshot = snapshot.clone();
        tokio::spawn(async move {
            while let Ok(stream) = socket::accept(&listener).await {
                tokio::spawn(answer(stream, snapshot.clone()));
            }
        });
        Self { id, socket: row.socket, _lock: lock }
    }
}

async fn answer(stream: socket::AsyncStream, snapshot: Value) {
    let (mut reader, mut writer) = (&stream, &stream);
    let _ = read_frame(&mut reader).await;
    let hello = json!({"protocol": 1, "version": "0.0.1"});
    let _ = writer.write_all(&encode(&hello).unwrap()).await;
    while let Ok(frame) = read_frame(&mut reader).await {
        let call: Value = serde_json::from_slice(&frame).unwrap();
        let mut answer = json!({"call": call["call"]});
        match call["kind"].as_str().unwrap() {
            "snapshot" | "subscribe" => answer["done"] = snapshot.clone(),
            "pane" => {
                answer["done"] =
                    json!({"pane": "old", "cols": 80, "rows": 24, "cursor": [0, 0], "title": ""});
            }
            _ => answer["failed"] = json!({"code": "unsupported", "message": "not known in 0.0.1"}),
        }
        let _ = writer.write_all(&encode(&json!({"push": "weather", "rain": true})).unwrap()).await;
        let _ = writer.write_all(&encode(&answer).unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_a_holder_of_an_older_build() {
    let lab = Lab::fake(json!({})).build().await;
    let lines = PROTOCOL_1.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let snapshot = lines.into_iter().find(|frame| frame["of"] == "snapshot").unwrap()["body"].clone();
    let old = OldHolder::start(&lab, &snapshot);
    let id = old.id.to_string();
    let server = Server::start(&lab).await;
    let listed = server.call("list_sessions", json!({})).await;
    assert_eq!(
        (&listed["sessions"][0]["id"], &listed["sessions"][0]["status"]),
        (&json!(id), &json!("idle"))
    );
    let status = server.call("get_status", json!({"sessionId": id})).await;
    assert_eq!(status["health"]["holder"]["version"], snapshot["holderVersion"]);
    let woke = server.call("wait_for_session", json!({"sessionIds": [id], "until": ["idle"]})).await;
    assert_eq!(woke["woke"][0]["session"]["id"], id.as_str());
    assert_eq!(server.call("capture_pane", json!({"sessionId": id})).await["pane"], "old");
    // What it cannot do it says, also where its answer may take long.
    for (tool, arguments) in [
        ("send_message", json!({"sessionId": id, "text": "hello"})),
        ("interrupt_session", json!({"sessionId": id})),
        ("kill_session", json!({"sessionId": id})),
        ("get_session_summary", json!({"sessionId": id})),
        ("get_session_metrics", json!({"sessionId": id})),
        ("get_session_latency", json!({"sessionId": id})),
    ] {
        assert_eq!(server.code(tool, arguments).await, "unsupported", "{tool}");
    }
    assert!(old.socket.exists());
}

/// The program is replaced under a running session, as by an upgrade, and the server restarted.
#[tokio::test(flavor = "multi_thread")]
async fn t11_the_program_is_replaced() {
    let lab = Lab::fake(json!({})).build().await;
    let program = lab.root.join("aegis");
    let install = || {
        let fresh = lab.root.join("aegis.new");
        std::fs::copy(AEGIS, &fresh).unwrap();
        std::fs::rename(fresh, &program).unwrap();
    };
    let server = || {
        let mut command = std::process::Command::new(&program);
        command.env_clear().envs(&lab.env).current_dir(&lab.project);
        Server::run(command)
    };
    install();
    let old = server().await;
    let create = json!({"workDir": lab.work_dir(), "reuse": false});
    let id = old.call("create_session", create.clone()).await["id"].as_str().unwrap().to_owned();
    let idle = json!({"sessionIds": [id], "until": ["idle"]});
    old.call("wait_for_session", idle.clone()).await;
    install();
    // The old server goes on with the new program beside it, and starts what it starts from that.
    let other = old.call("create_session", create).await["id"].as_str().unwrap().to_owned();
    old.kill().await;
    let new = server().await;
    for id in [&id, &other] {
        new.call("send_message", json!({"sessionId": id, "text": format!("hello {id}")})).await;
        new.call("wait_for_session", json!({"sessionIds": [id], "until": ["idle"]})).await;
        new.call("kill_session", json!({"sessionId": id})).await;
    }
    come("the end of the holders", async || holders(&lab).is_empty().then_some(())).await;
    let mut told = prompts(&lab);
    told.sort();
    let mut sent = [format!("hello {id}"), format!("hello {other}")];
    sent.sort();
    assert_eq!(told, sent);
}
