use std::process::Stdio;
use std::time::{Duration, Instant};

use aegis::claude::launch::{SECRET_VARIABLE, SOCKET_VARIABLE};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::bench::{answer, begin_wait, call, lab};
use super::idle::{kill, sessions};
use super::process::{child, variable};
use super::support::Lab;
use super::support::outside::McpClient;
use super::support::processes::{come, holders};
use super::table::{Samples, Table, Target, Unit};
use super::tmux::Tmux;

const ROUNDS: usize = 100;

/// What Claude Code calls hooks with.
struct Hooks<'a> {
    lab: &'a Lab,
    socket: String,
    secret: String,
    conversation: String,
}

impl<'a> Hooks<'a> {
    /// Those of a session that is the laboratory's only one.
    async fn of(lab: &'a Lab, client: &mut McpClient, id: &str) -> Self {
        let claude = child(holders(lab)[0]);
        let status = client.ask("get_status", json!({"sessionId": id})).await;
        Self {
            lab,
            socket: variable(claude, SOCKET_VARIABLE).unwrap(),
            secret: variable(claude, SECRET_VARIABLE).unwrap(),
            conversation: status["conversationId"].as_str().unwrap().to_owned(),
        }
    }

    /// Starts a hook as Claude Code does.
    async fn start(&self, event: &str, fields: Value) -> Child {
        let mut payload = fields;
        payload["session_id"] = self.conversation.clone().into();
        payload["hook_event_name"] = event.into();
        payload["cwd"] = self.lab.work_dir().into();
        let mut command = Command::from(self.lab.command());
        command.args(["hook", event]).env(SOCKET_VARIABLE, &self.socket).env(SECRET_VARIABLE, &self.secret);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(payload.to_string().as_bytes()).await.unwrap();
        child
    }
}

/// The hook is started by the bench itself, with the session's own socket and secret, so that it is known when.
pub async fn measure(table: &mut Table) {
    let lab = lab(Lab::fake(json!({}))).await;
    let mut client = McpClient::start(&lab).await;
    // The transcript of the first never shows its tool calls, so a turn of it would wait for them before it ends.
    let ids = sessions(&lab, &mut client, 1).await;
    let hooks = Hooks::of(&lab, &mut client, &ids[0]).await;
    let id = &ids[0];
    let (mut asked, mut answered, mut ended) = (Samples::default(), Samples::default(), Samples::default());
    for round in 0..ROUNDS {
        begin_wait(&mut client, id, &["permission_prompt"]).await;
        let start = Instant::now();
        let tool = json!({"tool_name": "Bash", "tool_input": {"command": format!("touch {round}")}});
        let hook = hooks.start("PermissionRequest", tool).await;
        let (_, told) = answer(&mut client).await;
        asked.add(told - start);

        let start = Instant::now();
        let approve = json!({"name": "approve_permission", "arguments": {"sessionId": id}});
        client.begin("tools/call", approve).await;
        let said = hook.wait_with_output().await.unwrap();
        answered.add(start.elapsed());
        assert!(String::from_utf8_lossy(&said.stdout).contains("allow"), "{said:?}");
        answer(&mut client).await;
    }
    kill(&mut client, &ids).await;
    let ids = sessions(&lab, &mut client, 1).await;
    let hooks = Hooks::of(&lab, &mut client, &ids[0]).await;
    let id = &ids[0];
    for round in 0..ROUNDS {
        let prompt = json!({"prompt": format!("Do {round}."), "prompt_id": format!("prompt-{round}")});
        hooks.start("UserPromptSubmit", prompt).await.wait_with_output().await.unwrap();
        begin_wait(&mut client, id, &["idle"]).await;
        let start = Instant::now();
        let stop = hooks.start("Stop", json!({"last_assistant_message": format!("Done {round}.")})).await;
        let (_, told) = answer(&mut client).await;
        ended.add(told - start);
        stop.wait_with_output().await.unwrap();
    }
    let limit = Target::P95Under(20.0);
    table.add("hook started → a waiting client told of the ask", Unit::Ms, limit, asked);
    table.add("approve called → hook answered and gone", Unit::Ms, limit, answered);
    table.add("Stop hook started → a waiting client told idle", Unit::Ms, Target::Under(20.0), ended);
    kill(&mut client, &ids).await;
    interrupts(table).await;
}

/// Interrupts of the stand-in, in turns with tmux.
async fn interrupts(table: &mut Table) {
    let rule = json!({"on": "LONG", "steps": [{"say": "Now."}, {"wait": {"file": "never"}}]});
    let lab = lab(Lab::fake(json!({"rules": [rule]}))).await;
    let mut client = McpClient::start(&lab).await;
    let ids = sessions(&lab, &mut client, 1).await;
    let tmux = Tmux::new(&lab);
    if let Some(tmux) = &tmux {
        tmux.start("one", &[]).await;
    }
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    for round in 0..ROUNDS / 5 {
        let text = format!("LONG {round}");
        call(&mut client, "send_message", json!({"sessionId": ids[0], "text": text})).await;
        come("the answer's first words", async || {
            let pane = client.ask("capture_pane", json!({"sessionId": ids[0]})).await;
            let pane = pane["pane"].as_str().unwrap_or_default().to_owned();
            (pane.rfind("● Now.") > pane.rfind(&text)).then_some(())
        })
        .await;
        let (told, taken) = call(&mut client, "interrupt_session", json!({"sessionId": ids[0]})).await;
        assert_eq!(told["status"], "idle");
        ours.add(taken);
        if let Some(tmux) = &tmux {
            tmux.send("one", &text).await;
            tmux.until("one", "the answer", |pane| pane.rfind("● Now.") > pane.rfind(&text)).await;
            let start = Instant::now();
            tmux.keys("one", "Escape").await;
            tmux.until("one", "the interrupt", |pane| pane.rfind("Interrupted") > pane.rfind(&text)).await;
            theirs.add(start.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let tmux_ms = tmux.is_some().then_some(theirs);
    table.compare(
        "interrupt called → idle told (stand-in)",
        Unit::Ms,
        Target::Under(100.0),
        ours,
        None,
        tmux_ms,
    );
    kill(&mut client, &ids).await;
    if let Some(tmux) = tmux {
        tmux.end().await;
    }
}
