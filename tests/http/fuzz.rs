//! Calls that the description allows, and those that it forbids, made up by schemathesis: no failure of the server, and
//! no answer that the description does not know.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::Lab;
use crate::support::fetched::venv;
use crate::support::http::HttpServer;

const FUZZER: &str = "schemathesis==4.32.5";

const TOKEN: &str = "a token for the fuzzer only";

/// How long it goes on, in seconds; `HTTP_FUZZ_SECONDS` has it go on longer.
const SECONDS: u64 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_sent_breaks_the_door_or_its_description() {
    let python = tokio::task::spawn_blocking(|| venv("schemathesis-python", &[FUZZER])).await.unwrap();
    let lab = Lab::fake(json!({})).build().await;
    let allowed = lab.project.clone();
    // With a token, so that the keys that are made close the door to nobody here.
    let lab = lab.with_var("AEGIS_ALLOWED_ROOTS", allowed).with_var("AEGIS_AUTH_TOKEN", TOKEN);
    let server = HttpServer::start(&lab).await;
    let mut ids = Vec::new();
    for prompt in [Some("hello"), None] {
        // With a rule that has Claude Code ask about every tool, all other rules can be kept as well: none is refused.
        let rule = json!({"tool": "*", "paths": ["/none"], "decision": "ask"});
        let body = json!({
            "workDir": lab.work_dir(), "prompt": prompt, "reuse": false, "permissionPolicy": [rule],
        });
        let created = server.post("/v1/sessions", body).await.is(201);
        ids.push(created["id"].as_str().unwrap().to_owned());
    }
    let seconds: u64 = std::env::var("HTTP_FUZZ_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http");
    let mut fuzzer = Command::new(python.with_file_name("st"));
    fuzzer.env_clear().current_dir(&lab.root).kill_on_drop(true).stdin(Stdio::null());
    fuzzer
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", &lab.root)
        .env("PYTHONPATH", here)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "fuzz_hooks")
        .env("FUZZ_IDS", ids.join(","));
    fuzzer.arg("run").arg(format!("http://{}/v1/openapi.json", server.addr)).args([
        "--phases=examples,coverage,fuzzing",
        "--checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        // One says 501, and that is what it is there for; streams do not end; pictures take a browser each.
        "--exclude-path-regex=(discover-commands|events|stream|terminal|screenshot)$",
        "--suppress-health-check=all",
        "--generation-database=none",
        "--continue-on-failure",
        "--request-timeout=30",
        "--warnings=off",
        "--no-color",
    ]);
    fuzzer.arg(format!("--header=Authorization: Bearer {TOKEN}"));
    fuzzer.arg(format!("--max-time={seconds}"));
    let output = timeout(std::time::Duration::from_secs(seconds * 2 + 120), fuzzer.output());
    let output = output.await.expect("the fuzzer ends").unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("Test cases:"), "{text}");
    server.get("/v1/health").await.is(200);
    loop {
        let live = server.get("/v1/sessions?limit=100").await.is(200);
        let live: Vec<_> = live["sessions"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        if live.is_empty() {
            break;
        }
        server.call("DELETE", "/v1/sessions/batch", Some(json!({"ids": live}))).await.is(200);
    }
}
