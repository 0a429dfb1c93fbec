//! The story: one whole piece of work, done through the same operations as everybody's.
//!
//! Create → prompt → permission → approve → tool runs → reject → question → answer → next prompt while working →
//! interrupt → failure → kill. Each step says what it saw.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use super::api::{HoldAt, Question, Reply, Script, ScriptedApi, ToolCall};
use crate::domain::{OpError, ReceiptState, Role, StatusWord};
use crate::ops::{
    Aegis, ApprovePermission, Caller, CreateSession, GetTranscript, KillSession, RejectPermission,
    SendMessage, SessionRef, WaitForSession,
};

/// One step as it came out.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What was tried.
    pub name: &'static str,
    /// Whether it went as it should.
    pub ok: bool,
    /// What was seen.
    pub seen: String,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// What the story is played with.
pub struct Stage<'a> {
    /// The operations, over an engine whose sessions live in the scratch home.
    pub aegis: &'a Aegis,
    /// Who calls.
    pub caller: &'a Caller,
    /// The scripted API.
    pub api: &'a ScriptedApi,
    /// The directory to work in.
    pub work_dir: &'a Path,
}

/// Longer than anything takes on a slow machine; only a failing step waits it out.
const PATIENCE: Duration = Duration::from_secs(60);

type Seen = Result<String, String>;

/// What the API answers to the story's prompts.
#[must_use]
pub fn script() -> Script {
    let touch = |file: &str| {
        ToolCall::new("Bash", json!({ "command": format!("touch {file}"), "description": "Make a file" }))
    };
    Script::new()
        .title("A rehearsal")
        .on(
            "REHEARSE a file",
            [
                Reply::tools([touch("made-by-rehearsal")]).saying("I will make it."),
                Reply::text("The file is there."),
            ],
        )
        .on("REHEARSE a refusal", [Reply::tools([touch("never-made")]), Reply::text("Then I will leave it.")])
        .on(
            "REHEARSE a question",
            [
                Reply::questions([Question::new("Which colour do you prefer?", "Colour", ["Red", "Blue"])]),
                Reply::text("Thank you for the answer."),
            ],
        )
        .on("REHEARSE the first of two", [Reply::text("First done.").held("first", HoldAt::End)])
        .on("REHEARSE the second of two", [Reply::text("Second done.")])
        .on("REHEARSE an endless turn", [Reply::text("Never said.").held("never", HoldAt::Start)])
        .on("REHEARSE a failure", [Reply::error(400)])
}

/// Plays the story. Each step is told as it ends; a step that fails does not keep the next from being tried.
pub async fn play(stage: &Stage<'_>, mut tell: impl FnMut(&Step)) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut add = |name: &'static str, since: Instant, seen: Seen| {
        let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let ok = seen.is_ok();
        let step = Step { name, ok, seen: seen.unwrap_or_else(|why| why), millis };
        tell(&step);
        steps.push(step);
        ok
    };
    let since = Instant::now();
    let (id, seen) = match stage.create().await {
        Ok(id) => (Some(id.clone()), Ok(format!("session {} is idle", &id[..8]))),
        Err(why) => (None, Err(why)),
    };
    add("create", since, seen);
    let Some(id) = id else { return steps };
    macro_rules! step {
        ($name:literal, $play:expr) => {{
            let since = Instant::now();
            let seen = $play.await;
            add($name, since, seen)
        }};
    }
    step!("prompt", stage.prompt(&id));
    step!("permission", stage.permission(&id));
    step!("approve", stage.approve(&id));
    step!("read", stage.read(&id, "The file is there."));
    step!("reject", stage.reject(&id));
    step!("question", stage.question(&id));
    step!("answer", stage.answer(&id));
    step!("next prompt while working", stage.queue(&id));
    step!("interrupt", stage.interrupt(&id));
    step!("failure", stage.failure(&id));
    step!("kill", stage.kill(&id));
    steps
}

fn told(error: OpError) -> String {
    format!("{}: {error}", error.code.as_str())
}

impl Stage<'_> {
    async fn create(&self) -> Result<String, String> {
        let work_dir = self.work_dir.display().to_string();
        let req = CreateSession { work_dir, name: Some("rehearsal".into()), ..CreateSession::default() };
        let created = self.aegis.create_session(self.caller, req).await.map_err(told)?;
        let id = created.session.id.to_string();
        self.until(&id, StatusWord::Idle).await?;
        Ok(id)
    }

    /// Waits for one status; any other that wants attention fails the step.
    async fn until(&self, id: &str, wanted: StatusWord) -> Seen {
        let deadline = Instant::now() + PATIENCE;
        let mut cursor = None;
        loop {
            let req = WaitForSession {
                session_ids: Some(vec![id.into()]),
                until: Some(StatusWord::ATTENTION.to_vec()),
                timeout_ms: Some(5000),
                cursor: cursor.take(),
            };
            let waited = self.aegis.wait_for_session(self.caller, req).await.map_err(told)?;
            if let Some(woke) = waited.woke.first() {
                let status = woke.session.status;
                return if status == wanted {
                    Ok(status.as_str().into())
                } else {
                    Err(format!("{} instead of {}", status.as_str(), wanted.as_str()))
                };
            }
            if Instant::now() >= deadline {
                let req = SessionRef { session_id: id.into() };
                let now = self.aegis.get_status(self.caller, req).await.map_err(told)?;
                return Err(format!("still {} instead of {}", now.session.status.as_str(), wanted.as_str()));
            }
            cursor = Some(waited.cursor);
        }
    }

    async fn send(&self, id: &str, text: &str) -> Result<crate::domain::Receipt, String> {
        let req = SendMessage { session_id: id.into(), text: Some(text.into()), ..SendMessage::default() };
        self.aegis.send_message(self.caller, req).await.map_err(told)
    }

    async fn submit(&self, id: &str, text: &str) -> Seen {
        let receipt = self.send(id, text).await?;
        let proof = receipt.steps.last().map(|step| step.evidence.clone()).unwrap_or_default();
        if receipt.state < ReceiptState::Submitted || receipt.state > ReceiptState::TurnEnded {
            return Err(format!("the receipt says {:?}: {proof}", receipt.state));
        }
        Ok(format!("taken by Claude Code ({proof})"))
    }

    async fn prompt(&self, id: &str) -> Seen {
        self.submit(id, "REHEARSE a file").await
    }

    async fn permission(&self, id: &str) -> Seen {
        self.until(id, StatusWord::PermissionPrompt).await?;
        let req = SessionRef { session_id: id.into() };
        let session = self.aegis.get_status(self.caller, req).await.map_err(told)?.session;
        match session.open_asks.as_slice() {
            [ask] => Ok(format!("asks for `{}`", ask.title)),
            asks => Err(format!("{} asks are open", asks.len())),
        }
    }

    async fn approve(&self, id: &str) -> Seen {
        let req = ApprovePermission { session_id: id.into(), ..ApprovePermission::default() };
        self.aegis.approve_permission(self.caller, req).await.map_err(told)?;
        self.until(id, StatusWord::Idle).await?;
        let file = self.work_dir.join("made-by-rehearsal");
        if file.exists() {
            Ok("the tool ran and made its file".into())
        } else {
            Err("the tool did not run".into())
        }
    }

    async fn last_words(&self, id: &str) -> Seen {
        let req =
            GetTranscript { session_id: id.into(), role: Some(Role::Assistant), ..GetTranscript::default() };
        let page = self.aegis.get_transcript(self.caller, req).await.map_err(told)?;
        page.messages
            .last()
            .map(|message| message.text.clone())
            .ok_or_else(|| "the transcript is empty".into())
    }

    async fn read(&self, id: &str, wanted: &str) -> Seen {
        let words = self.last_words(id).await?;
        if words == wanted {
            Ok(format!("“{words}”"))
        } else {
            Err(format!("“{words}” instead of “{wanted}”"))
        }
    }

    async fn reject(&self, id: &str) -> Seen {
        self.submit(id, "REHEARSE a refusal").await?;
        self.until(id, StatusWord::PermissionPrompt).await?;
        let reason = "not in a rehearsal";
        let req = RejectPermission {
            session_id: id.into(),
            reason: Some(reason.into()),
            ..RejectPermission::default()
        };
        self.aegis.reject_permission(self.caller, req).await.map_err(told)?;
        self.until(id, StatusWord::Idle).await?;
        if self.work_dir.join("never-made").exists() {
            return Err("the tool ran all the same".into());
        }
        let knows = self.api.requests().iter().any(|request| request.mentions(reason));
        if knows {
            Ok("Claude was told the reason".into())
        } else {
            Err("Claude was not told the reason".into())
        }
    }

    async fn question(&self, id: &str) -> Seen {
        self.submit(id, "REHEARSE a question").await?;
        self.until(id, StatusWord::Asking).await?;
        Ok("Claude asks which colour".into())
    }

    async fn answer(&self, id: &str) -> Seen {
        self.send(id, "blue").await?;
        self.until(id, StatusWord::Idle).await?;
        let answered = self.api.requests().iter().any(|request| {
            request.tool_results().iter().any(|(_, result)| result.to_string().contains("Blue"))
        });
        if answered {
            Ok("Claude got the answer “Blue”".into())
        } else {
            Err("Claude did not get the answer".into())
        }
    }

    async fn queue(&self, id: &str) -> Seen {
        self.submit(id, "REHEARSE the first of two").await?;
        let arrived = |text: &'static str| {
            move |request: &super::api::Recorded| request.is_main() && request.mentions(text)
        };
        self.api
            .wait_for("the first prompt", arrived("REHEARSE the first of two"))
            .await
            .map_err(|fault| fault.to_string())?;
        let receipt = self.send(id, "REHEARSE the second of two").await?;
        if !matches!(receipt.state, ReceiptState::Written | ReceiptState::Submitted) {
            return Err(format!("the second receipt says {:?} while the first turn runs", receipt.state));
        }
        self.api.release("first");
        self.api
            .wait_for("the second prompt", arrived("REHEARSE the second of two"))
            .await
            .map_err(|fault| fault.to_string())?;
        self.until(id, StatusWord::Idle).await?;
        self.read(id, "Second done.").await.map(|_| "queued, then taken after the first".into())
    }

    async fn interrupt(&self, id: &str) -> Seen {
        self.submit(id, "REHEARSE an endless turn").await?;
        self.api
            .wait_for("the endless turn", |request| {
                request.is_main() && request.mentions("REHEARSE an endless turn")
            })
            .await
            .map_err(|fault| fault.to_string())?;
        let req = SessionRef { session_id: id.into() };
        let session = self.aegis.interrupt_session(self.caller, req).await.map_err(told)?;
        match session.status {
            StatusWord::Idle => Ok("the turn stopped".into()),
            other => Err(format!("{} instead of idle", other.as_str())),
        }
    }

    async fn failure(&self, id: &str) -> Seen {
        self.submit(id, "REHEARSE a failure").await?;
        self.until(id, StatusWord::Error).await?;
        Ok("an API error is told as one".into())
    }

    async fn kill(&self, id: &str) -> Seen {
        let req = KillSession { session_id: id.into(), force: None };
        let session = self.aegis.kill_session(self.caller, req).await.map_err(told)?;
        let detail = session.ending.and_then(|ending| ending.detail).unwrap_or_default();
        if session.status == StatusWord::Ended {
            Ok(format!("ended ({detail})"))
        } else {
            Err("it did not end".into())
        }
    }
}
