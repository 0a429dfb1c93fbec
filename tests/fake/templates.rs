//! Sessions that are made from templates.

use aegis::domain::StatusWord;
use serde_json::json;

use super::said;
use crate::support::Lab;
use crate::support::outside::cli;
use crate::support::tasks::Driver;

/// The secret of a template's environment.
const SECRET: &str = "s3cr3t-of-the-template";

#[tokio::test(flavor = "multi_thread")]
async fn a_template_reaches_the_model_filled_and_with_its_memory() {
    let lab = Lab::fake(json!({})).build().await;
    let driver = Driver::new(&lab);
    cli(&lab, &["state", "set", "team/rules", "Be {{kind}}."]).await.exits(0);
    let dir = lab.work_dir();
    let token = format!("TOKEN={SECRET}");
    let make = ["template", "create", "review", "--prompt", "Review {{file}} for {{ what }}.", "--dir", &dir];
    let more =
        ["--model", "opus", "--permission-mode", "plan", "--env", &token, "--memory", "team/rules", "--json"];
    let made = cli(&lab, &[&make[..], &more[..]].concat()).await.exits(0).json();
    assert_eq!(
        (&made["variables"], &made["envNames"]),
        (&json!(["file", "what"]), &json!(["TOKEN"])),
        "{made:#}"
    );

    let use_it = ["create", "--template", "review", "--var", "file={{what}}", "--var", "what=bugs", "--json"];
    let created = cli(&lab, &use_it).await.exits(0).json();
    assert_eq!(
        (&created["model"], &created["permissionMode"]),
        (&json!("opus"), &json!("plan")),
        "{created:#}"
    );
    let id = created["id"].as_str().unwrap();
    driver.until(id, StatusWord::Idle).await;
    let expected = "[Memory context]\n--- team/rules\nBe {{kind}}.\n--- end of memory context\n\n\
                    Review {{what}} for bugs.";
    assert_eq!(said(&driver, id).await[0], expected);
    // Its program has the variable; nothing that is told or written down has its value.
    let processes = lab.processes();
    let has_it = |(pid, _): &(i32, String)| {
        let env = procfs::process::Process::new(*pid).unwrap().environ().unwrap();
        env.get("TOKEN".as_ref() as &std::ffi::OsStr).is_some_and(|value| value == SECRET)
    };
    assert!(processes.iter().any(has_it), "{processes:#?}");
    for line in [
        &["template", "show", "review", "--json"][..],
        &["template", "list", "--json"],
        &["template", "show", "review"],
        &["show", id, "--json"],
    ] {
        let told = cli(&lab, line).await.exits(0).stdout;
        assert!(!told.contains(SECRET), "{told}");
    }
    for dir in lab.session_dirs() {
        for file in walk(&dir) {
            let text = std::fs::read(&file).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&text).contains(SECRET), "{}", file.display());
        }
    }
    driver.kill(id).await;
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let below = |path: std::path::PathBuf| if path.is_dir() { walk(&path) } else { vec![path] };
    std::fs::read_dir(dir).unwrap().flat_map(|entry| below(entry.unwrap().path())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_takes_its_prompt_from_a_template_and_its_own_arguments_win() {
    let lab = Lab::fake(json!({})).build().await;
    cli(&lab, &["template", "create", "ask", "--prompt", "Ask {{who}}.", "--dir", "/tmp"]).await.exits(0);
    let dir = lab.work_dir();
    let line = ["run", "--template", "ask", "--var", "who=Ada", "--dir", &dir, "--kill", "--json"];
    let run = cli(&lab, &line).await.exits(0).json();
    assert_eq!(
        (&run["result"], &run["session"]["workDir"]),
        (&json!("You said: Ask Ada."), &json!(dir)),
        "{run:#}"
    );
    let missing = cli(&lab, &["run", "--template", "ask", "--json"]).await.exits(1).fault();
    assert_eq!(
        (&missing["code"], &missing["details"]),
        (&json!("missing_variable"), &json!(["who"])),
        "{missing}"
    );
    let words = cli(&lab, &["run", "--template", "ask"]).await.exits(1).stderr;
    assert!(words.contains("`who`") && words.contains("--var"), "{words}");
    let unknown =
        cli(&lab, &["run", "--template", "ask", "--var", "whom=x", "--var", "who=x"]).await.exits(1);
    assert!(unknown.stderr.contains("did you mean `who`?"), "{unknown:#?}");
    cli(&lab, &["run"]).await.exits(2);
    cli(&lab, &["run", "x", "--var", "a=b"]).await.exits(2);
    assert_eq!(lab.processes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_kept_changed_and_deleted() {
    let lab = Lab::fake(json!({})).build().await;
    let create =
        async |name: &str| cli(&lab, &["template", "create", name, "--prompt", "Go.", "--json"]).await;
    let first = create("first").await.exits(0).json();
    create("second").await.exits(0);
    let taken = create("first").await.exits(1).fault();
    assert_eq!(taken["code"], "name_taken");
    let id = first["id"].as_str().unwrap();
    let update =
        ["template", "update", id, "--name", "third", "--clear", "prompt", "--description", "None", "--json"];
    let changed = cli(&lab, &update).await.exits(0).json();
    assert_eq!((&changed["name"], changed.get("prompt")), (&json!("third"), None), "{changed}");
    let listed = cli(&lab, &["template", "list"]).await.exits(0).stdout;
    let names: Vec<_> = listed.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["third", "second"], "{listed}");
    for (line, code) in [
        (["template", "update", "third", "--name", "second"], "name_taken"),
        (["template", "update", "third", "--dir", "/none/such"], "work_dir_refused"),
        (["template", "update", "third", "--memory", "rules"], "invalid_argument"),
        (["template", "update", "third", "--env", "CLAUDECODE=1"], "invalid_argument"),
        (["template", "update", "third", "--prompt", " "], "prompt_refused"),
        (["template", "update", "thrid", "--prompt", "x"], "no_such_template"),
    ] {
        let error = cli(&lab, &[&line[..], &["--json"]].concat()).await.exits(1).fault();
        assert_eq!(error["code"], code, "{error}");
    }
    let near = cli(&lab, &["template", "show", "thrid"]).await.exits(1).stderr;
    assert!(near.contains("did you mean `third`?"), "{near}");
    cli(&lab, &["template", "delete", "third"]).await.exits(0);
    let gone = cli(&lab, &["template", "delete", id, "--json"]).await.exits(1).fault();
    assert_eq!(gone["code"], "no_such_template");
}
