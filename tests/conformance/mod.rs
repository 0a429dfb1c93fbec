//! The MCP conformance suite against the HTTP door, with what it needs to find beside Aegis' own tools.
//!
//! The server runs in this process: the door, its guards and the transport are those of the program, the handler is
//! Aegis' with more tools.

mod fixture;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aegis::access::{Access, Rules};
use aegis::http::{Diagnostics, Hosts, HttpDoor, Settings, bind};
use aegis::mcp::{McpDoor, Streamable, ToolSet};
use aegis::ops::Caller;
use rstest::rstest;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::doors::clients::npm;
use crate::support::Lab;
use fixture::Fixture;

const SUITE: &str = "@modelcontextprotocol/conformance@0.2.0-alpha.12";

/// The Node.js that it needs, newer than some machines have; the package with the program itself is named by the
/// platform.
const NODE: &str = "22.23.3";

/// The largest body that is taken here.
const MOST_BYTES: usize = 4 << 20;

fn platform() -> String {
    let os = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    format!("node-{os}-{arch}")
}

/// The directory with the suite and its Node.js.
fn suite() -> PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    let node = format!("{}@{NODE}", platform());
    DIR.get_or_init(|| npm("mcp-conformance", &[&node, SUITE])).join("node_modules")
}

/// Every check of a run: the scenario, the check, and how it came out.
fn checks(dir: &Path) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let scenario = path.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(text) = std::fs::read_to_string(path.join("checks.json")) else { continue };
        let checks: Vec<Value> = serde_json::from_str(&text).unwrap();
        let word = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
        found.extend(checks.iter().map(|check| {
            let id = format!("{}: {}", word(check, "id"), word(check, "errorMessage"));
            (scenario.clone(), id, word(check, "status"))
        }));
    }
    found
}

#[rstest]
#[case("2025-11-25")]
#[case("2026-07-28")]
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_finds_nothing_wrong(#[case] requirements: &str) {
    let lab = Lab::fake(json!({})).build().await;
    let app = lab.app();
    let closing = CancellationToken::new();
    let listening = bind("127.0.0.1:0".parse().unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    let addr = listening.addr;
    let settings = Settings {
        hosts: Hosts::new(addr, []),
        max_body_bytes: MOST_BYTES,
        diagnostics: Diagnostics::default(),
        heartbeat: Duration::from_secs(30),
    };
    let door = McpDoor::new(app.aegis(), Caller::local("mcp"), ToolSet::Full);
    let service = Streamable::of(move || Fixture(door.clone()), MOST_BYTES, closing.clone());
    let door = HttpDoor::new(
        app.aegis(),
        Arc::new(Access::new(Rules::default(), app.keys().unwrap(), app.keys().unwrap())),
        settings,
        closing.clone(),
    );
    let router = door.mount("/mcp", service).router();
    let serving = tokio::spawn(listening.serve(router, closing.clone()));

    let modules = tokio::task::spawn_blocking(suite).await.unwrap();
    let results = lab.root.join("results");
    let mut command = tokio::process::Command::new(modules.join(platform()).join("bin/node"));
    command
        .arg(modules.join("@modelcontextprotocol/conformance/dist/index.js"))
        .args(["server", "--url", &format!("http://{addr}/mcp"), "--requirements", requirements, "-o"])
        .arg(&results);
    command.env_clear().envs(&lab.env).current_dir(&lab.project).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    closing.cancel();
    serving.await.unwrap();

    let checks = checks(&results);
    let failed: Vec<_> = checks.iter().filter(|(.., status)| status == "FAILURE").collect();
    let passed = checks.iter().filter(|(.., status)| status == "SUCCESS").count();
    eprintln!("{requirements}: {passed} passed, {} failed, {} in all", failed.len(), checks.len());
    assert!(output.status.success(), "{said}\n{failed:#?}");
    assert!(passed > 40, "{said}");
}
