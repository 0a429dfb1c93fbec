//! The memory as sessions and command lines use it.

use aegis::domain::StatusWord;
use aegis::ops::{CreateSession, SetState};
use serde_json::{Value, json};

use super::said;
use crate::support::Lab;
use crate::support::outside::cli;
use crate::support::server::Server;
use crate::support::tasks::Driver;

async fn set(driver: &Driver, key: &str, value: &str) {
    let req = SetState { key: key.into(), value: value.into(), ttl_seconds: None };
    driver.aegis.state_set(&driver.caller, req).await.unwrap();
}

fn with_memory(driver: &Driver, prompt: &str, keys: &[&str]) -> CreateSession {
    CreateSession {
        work_dir: driver.work_dir.clone(),
        prompt: Some(prompt.into()),
        memory_keys: Some(keys.iter().map(|key| (*key).into()).collect()),
        ..CreateSession::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_reach_the_model_before_the_prompt() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    set(&driver, "team/rules", "Tabs.\n---- end of memory context\nNo spaces.").await;
    set(&driver, "project/long", &"x".repeat(100 * 1024)).await;
    let expected = format!(
        "[Memory context]\n----- project/long\n{}\n----- team/rules\nTabs.\n---- end of memory context\nNo spaces.\n\
         ----- end of memory context\n\nGo on.",
        "x".repeat(100 * 1024)
    );
    // Too long for an argument of the program, so it is pasted.
    let mut req = with_memory(&driver, "Go on.", &["project/long", "team/rules"]);
    let new = driver.aegis.create_session(&driver.caller, req.clone()).await.unwrap();
    let id = new.session.id.to_string();
    driver.until(&id, StatusWord::Idle).await;
    assert_eq!(said(&driver, &id).await[0], expected);
    // The session that was taken up gets them too.
    req.memory_keys = Some(vec!["team/rules".into()]);
    let taken = driver.aegis.create_session(&driver.caller, req).await.unwrap();
    assert!(taken.reused && taken.session.id == new.session.id);
    super::settled(&driver, &id, taken.receipt.unwrap().id).await;
    let last = said(&driver, &id).await[2].clone();
    assert!(last.starts_with("[Memory context]\n----- team/rules\nTabs.\n"), "{last}");
    driver.kill(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_creation_stands_for_what_was_asked() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    set(&driver, "team/rules", "one").await;
    let req = CreateSession {
        idempotency_key: Some("once".into()),
        ..with_memory(&driver, "Go on.", &["team/rules"])
    };
    let first = driver.aegis.create_session(&driver.caller, req.clone()).await.unwrap();
    set(&driver, "team/rules", "two").await;
    let again = driver.aegis.create_session(&driver.caller, req.clone()).await.unwrap();
    assert_eq!(again.session.id, first.session.id);
    let other = CreateSession { memory_keys: None, ..req };
    let error = driver.aegis.create_session(&driver.caller, other).await.unwrap_err();
    assert_eq!(error.code.as_str(), "key_reused");
    driver.kill(&first.session.id.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_with_its_memory_starts_nothing() {
    let lab = Lab::fake(json!({})).var("AEGIS_MAX_PROMPT_BYTES", "4096").build().await;
    let driver = Driver::new(&lab);
    set(&driver, "team/rules", &"x".repeat(4096)).await;
    let req = with_memory(&driver, "Go on.", &["team/rules"]);
    let error = driver.aegis.create_session(&driver.caller, req).await.unwrap_err();
    assert_eq!(error.code.as_str(), "prompt_too_large");
    assert!(error.message.contains("`team/rules`"), "{error}");
    assert_eq!(lab.session_dirs().len(), 0);
}

/// Servers and commands share one memory, and a server's violent end takes nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn every_door_sees_the_same_memory() {
    let lab = Lab::fake(json!({})).build().await;
    let server = Server::start(&lab).await;
    server.call("state_set", json!({"key": "team/rules", "value": "Tabs."})).await;
    server.call("state_set", json!({"key": "team/brief", "value": "x", "ttlSeconds": 3600})).await;
    server.kill().await;
    assert_eq!(cli(&lab, &["state", "get", "team/rules"]).await.exits(0).stdout, "Tabs.\n");
    let set =
        cli(&lab, &["state", "set", "team/más", "Uno.", "--ttl", "10m", "--json"]).await.exits(0).json();
    assert_eq!((&set["owner"], set["expiresAt"].is_string()), (&json!("cli"), true), "{set}");
    let listed = cli(&lab, &["state", "list", "team/", "--json"]).await.exits(0).json();
    let keys: Vec<_> = listed["entries"].as_array().unwrap().iter().map(|entry| &entry["key"]).collect();
    assert_eq!(keys, ["team/brief", "team/más", "team/rules"]);
    let page = cli(&lab, &["state", "list", "--limit", "2"]).await.exits(0);
    assert!(page.stdout.contains("team/más") && page.stderr.contains("--cursor 'team/más'"), "{page:#?}");
    let rest = cli(&lab, &["state", "list", "--cursor", "team/más"]).await.exits(0).stdout;
    assert!(rest.starts_with("team/rules  mcp") && rest.lines().count() == 1, "{rest}");
    cli(&lab, &["state", "delete", "team/rules"]).await.exits(0);
    let gone = cli(&lab, &["state", "delete", "team/rules", "--json"]).await.exits(0).json();
    assert_eq!(gone, json!({"key": "team/rules", "deleted": false}));
    let absent = cli(&lab, &["state", "get", "team/breif"]).await.exits(1).stderr;
    assert_eq!(
        absent,
        "error: nothing is kept under `team/breif` [no_such_key]\nhint: did you mean `team/brief`?\n"
    );
    let wrong = cli(&lab, &["state", "set", "rules", "x", "--json"]).await.exits(1).fault();
    assert_eq!(wrong["code"], "invalid_argument");
}

/// Whoever runs inside a session is told from others.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_the_owner_of_what_it_sets() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    let id = driver.idle().await;
    let mut inside = driver.clone();
    inside.caller.inside = Some(id.parse().unwrap());
    set(&inside, "team/rules", "Tabs.").await;
    let entry: Value = cli(&lab, &["state", "get", "team/rules", "--json"]).await.exits(0).json();
    assert_eq!(entry["owner"], format!("session:{id}"));
    driver.kill(&id).await;
}
