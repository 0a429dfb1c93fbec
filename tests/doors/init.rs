//! `aegis init`: what it shows, what it writes, and what it leaves alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::lab::AEGIS;
use crate::support::outside::{Peer, Terminal, cli};

async fn lab() -> Lab {
    Lab::fake(json!({})).build().await
}

fn servers(path: &Path) -> Value {
    serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap()["mcpServers"].clone()
}

#[rstest]
#[case::claude_code(&[], ".mcp.json", false)]
#[case::cursor(&["--host", "cursor"], ".cursor/mcp.json", false)]
#[case::cursor_user(&["--host", "cursor", "--scope", "user"], ".cursor/mcp.json", true)]
#[case::windsurf(&["--host", "windsurf"], ".codeium/windsurf/mcp_config.json", true)]
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_shown_then_written(#[case] host: &[&str], #[case] file: &str, #[case] at_home: bool) {
    let lab = lab().await;
    let file = if at_home { lab.home.path().join(file) } else { lab.project.join(file) };
    let with = |more: &[&'static str]| [&["init"], host, more].concat();
    let shown = cli(&lab, &with(&[])).await.exits(0);
    assert!(
        shown.stdout.contains("mcpServers") && shown.stdout.contains(file.to_str().unwrap()),
        "{shown:?}"
    );
    assert!(!file.exists(), "shown, not written");
    let refused = cli(&lab, &with(&["--write", "--json"])).await.exits(1).fault();
    assert!(refused["hint"].as_str().unwrap().contains("--yes"), "{refused}");
    assert!(!file.exists());
    let written = cli(&lab, &with(&["--write", "--yes", "--json"])).await.exits(0).json();
    assert_eq!((&written["written"], &written["file"]), (&json!(true), &json!(file)), "{written}");
    assert_eq!(servers(&file)["aegis"], written["entry"]);
    assert_eq!(written["entry"]["command"], AEGIS);
    let before = fs::read(&file).unwrap();
    let again = cli(&lab, &with(&["--write", "--json"])).await.exits(0).json();
    assert_eq!(
        (&again["written"], &again["present"]),
        (&json!(false), &json!(true)),
        "nothing to ask for: {again}"
    );
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn for_all_projects_claude_code_writes_itself() {
    let lab = lab().await;
    let args = ["init", "--scope", "user", "--tools", "core"];
    let shown = cli(&lab, &args).await.exits(0);
    assert_eq!(shown.stdout, format!("claude mcp add --scope user aegis -- {AEGIS} --tools core\n"));
    let before = fs::read(lab.home.path().join(".claude.json")).ok();
    let refused = cli(&lab, &[&args[..], &["--write", "--yes", "--json"]].concat()).await.exits(1).fault();
    assert!(refused["hint"].as_str().unwrap().contains("claude mcp add"), "{refused}");
    assert_eq!(fs::read(lab.home.path().join(".claude.json")).ok(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_the_path_is_called_by_its_name() {
    let lab = lab().await;
    let bin = lab.root.join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(AEGIS, bin.join("aegis")).unwrap();
    let lab = lab.with_var("PATH", bin);
    let shown = cli(&lab, &["init", "--json"]).await.exits(0).json();
    assert_eq!(shown["entry"], json!({"type": "stdio", "command": "aegis", "args": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_is_there_stays_to_the_letter() {
    let lab = lab().await;
    let file = lab.project.join(".mcp.json");
    let before = "{\n\t\"future\": {\"n\": 1e3},\n\t\"mcpServers\": {\n\t\t\"db\": {\"command\": \"x\",   \"args\": []}\n\t}\n}\n";
    fs::write(&file, before).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    cli(&lab, &["init", "--write", "--yes"]).await.exits(0);
    let after = fs::read_to_string(&file).unwrap();
    for line in ["\t\"future\": {\"n\": 1e3},", "\t\t\"db\": {\"command\": \"x\",   \"args\": []}"] {
        assert!(after.contains(line), "{after}");
    }
    assert_eq!(servers(&file)["aegis"]["command"], AEGIS);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(&lab.project).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".mcp.json"], "nothing is left beside it");
}

#[rstest]
#[case::comment("{\n  // mine\n  \"mcpServers\": {}\n}\n")]
#[case::cut("{\"mcpServers\": {")]
#[case::list("{\"mcpServers\": []}")]
#[case::twice("{\"mcpServers\": {\"aegis\": {}, \"aegis\": {}}}")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_understood_is_left_alone(#[case] text: &str) {
    let lab = lab().await;
    let file = lab.project.join(".mcp.json");
    fs::write(&file, text).unwrap();
    let error = cli(&lab, &["init", "--write", "--yes", "--json"]).await.exits(1).fault();
    assert_eq!(error["code"], "invalid_argument", "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[rstest]
#[case::yes("y\r", true)]
#[case::no("n\r", false)]
#[case::enter_alone("\r", false)]
#[tokio::test(flavor = "multi_thread")]
async fn another_entry_is_shown_and_replaced_only_on_a_yes(#[case] keys: &str, #[case] replaced: bool) {
    let lab = lab().await;
    let file = lab.project.join(".mcp.json");
    let before =
        json!({"mcpServers": {"aegis": {"command": "old-aegis"}, "db": {"command": "x"}}}).to_string();
    fs::write(&file, &before).unwrap();
    let mut terminal = Terminal::start(&lab, &["init", "--write"]);
    terminal.until("Replace it? [y/N]").await;
    assert!(terminal.screen().contains("old-aegis"), "{}", terminal.screen());
    terminal.keys(keys);
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 0, "{screen}");
    if replaced {
        assert_eq!(servers(&file)["aegis"]["command"], AEGIS);
        assert_eq!(servers(&file)["db"]["command"], "x");
    } else {
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_example_shows_is_what_is_written() {
    let lab = lab().await;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("mcp.json.example");
    let mut expected = servers(&example);
    let written = cli(&lab, &["init", "--json"]).await.exits(0).json();
    expected["aegis"]["command"] = written["entry"]["command"].clone();
    assert_eq!(expected["aegis"], written["entry"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mcp_is_another_word_for_no_command() {
    let lab = lab().await;
    for args in [&["mcp", "--tools", "core"][..], &["--tools", "core"], &["--tools", "core", "mcp"]] {
        let mut peer = Peer::aegis(&lab, args);
        let about = json!({"name": "test", "version": "0"});
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about});
        peer.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})).await;
        assert_eq!(peer.value().await["result"]["serverInfo"]["name"], "aegis");
        peer.send(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})).await;
        assert_eq!(peer.value().await["result"]["tools"].as_array().unwrap().len(), 8, "{args:?}");
        peer.end_input();
        assert_eq!(peer.ended().await, 0);
    }
}
