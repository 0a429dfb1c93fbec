//! A tool call, and who allows it.

use std::fs;

use serde_json::{Map, Value, json};
use tokio::time::Duration;

use super::dialog::{Choice, Dialog};
use super::hooks::Decision;
use super::new_id;
use super::script::Tool;
use super::session::{Cut, Session};

/// What the tool's result says after a refusal at the keyboard.
const REFUSED: &str = "The user doesn't want to proceed with this tool use. The tool use was rejected.";

/// How a call was answered.
enum Answer {
    /// It runs, with this input.
    Run(Map<String, Value>),
    /// It does not run, and the turn goes on.
    Denied(String),
    /// It does not run, and the turn ends.
    Stopped(String),
}

impl Session {
    /// Calls a tool.
    pub(crate) async fn tool(&mut self, tool: Tool) -> Result<(), Cut> {
        self.said = true;
        let id = format!("toolu_{}", new_id().replace('-', ""));
        let call = json!({"type": "tool_use", "id": id, "name": tool.name, "input": tool.input});
        self.transcript.add_assistant(call, "tool_use");
        let main = ["command", "file_path", "url"].iter().find_map(|key| tool.input.get(*key)?.as_str());
        self.print("● ", &format!("{}({})", tool.name, main.unwrap_or_default()));
        self.show();
        match self.allowed(&tool, &id).await? {
            Answer::Run(input) => self.run_tool(&tool, &id, input).await,
            Answer::Denied(message) => {
                self.result(&id, &message, true, &json!(format!("Error: {message}")));
                Ok(())
            }
            Answer::Stopped(message) => {
                self.result(&id, &message, true, &json!("User rejected tool use"));
                Err(Cut::Interrupted)
            }
        }
    }

    async fn allowed(&mut self, tool: &Tool, id: &str) -> Result<Answer, Cut> {
        let about = |input: &Map<String, Value>| json!({"tool_name": tool.name, "tool_input": input});
        let mut fields = about(&tool.input);
        fields["tool_use_id"] = id.into();
        match self.hook("PreToolUse", fields).await? {
            Some(decision) if decision.allowed => return Ok(self.decided(tool, decision)),
            Some(decision) => return Ok(Answer::Denied(decision.message)),
            None => {}
        }
        let question = matches!(tool.name.as_str(), "AskUserQuestion" | "ExitPlanMode");
        let edit = matches!(tool.name.as_str(), "Edit" | "Write");
        let spared = match self.mode.as_str() {
            "bypassPermissions" => !question,
            "acceptEdits" => edit,
            _ => false,
        };
        if !tool.ask || spared {
            return Ok(Answer::Run(tool.input.clone()));
        }
        if self.mode == "dontAsk" {
            return Ok(Answer::Denied(format!("Permission to use {} has been denied.", tool.name)));
        }
        let mut fields = about(&tool.input);
        fields["permission_suggestions"] = json!([]);
        let mut hook = self.start_hook("PermissionRequest", fields);
        let stop_hook = hook.abort_handle();
        let decides = async {
            match (&mut hook).await {
                Ok(Some(decision)) => decision,
                // No opinion: the dialog stays.
                _ => std::future::pending().await,
            }
        };
        tokio::pin!(decides);
        let early = Duration::from_millis(self.script.permission_dialog_delay_ms);
        let early = self.pause(async { tokio::time::timeout(early, &mut decides).await.ok() }).await;
        if let Some(decision) = early.inspect_err(|_| stop_hook.abort())? {
            return Ok(self.decided(tool, decision));
        }
        let dialog = if tool.name == "AskUserQuestion" {
            Dialog::question(&tool.input)
        } else {
            Dialog::permission(&tool.name, &tool.input)
        };
        match self.ask(dialog, decides).await.inspect_err(|_| stop_hook.abort())? {
            Err(decision) => Ok(self.decided(tool, decision)),
            Ok(Choice::Option(label)) if question => Ok(self.chosen(tool, &label)),
            Ok(Choice::Option(label)) if label.starts_with("Yes") => {
                if label != "Yes" {
                    self.mode = "acceptEdits".into();
                }
                Ok(Answer::Run(tool.input.clone()))
            }
            Ok(Choice::Option(_)) => Ok(Answer::Stopped(REFUSED.into())),
            Ok(Choice::Escape) => {
                stop_hook.abort();
                Ok(Answer::Stopped(REFUSED.into()))
            }
        }
    }

    fn decided(&mut self, tool: &Tool, decision: Decision) -> Answer {
        if let Some(mode) = decision.mode {
            self.mode = mode;
        }
        match (decision.allowed, decision.interrupt) {
            (true, _) => Answer::Run(decision.input.unwrap_or_else(|| tool.input.clone())),
            (false, false) => Answer::Denied(decision.message),
            (false, true) => Answer::Stopped(decision.message),
        }
    }

    /// A question answered at the keyboard.
    fn chosen(&self, tool: &Tool, label: &str) -> Answer {
        let mut input = tool.input.clone();
        let question = input.get("questions").and_then(|all| all[0]["question"].as_str()).map(str::to_owned);
        if let Some(question) = question {
            input.insert("answers".into(), json!({ question: label }));
        }
        Answer::Run(input)
    }

    async fn run_tool(&mut self, tool: &Tool, id: &str, input: Map<String, Value>) -> Result<(), Cut> {
        if let Some(takes) = &tool.takes {
            self.print("  ⎿  ", "Running…");
            self.show();
            if let Err(cut) = self.wait(takes).await {
                self.result(id, "The tool was interrupted.", true, &json!("Error: interrupted"));
                return Err(cut);
            }
        }
        if let Some(name) = &tool.creates
            && let Err(error) = fs::write(self.cwd.join(name), "made by fake-claude\n")
        {
            self.print("  ⎿  ", &error.to_string());
        }
        let stdout = json!({"stdout": tool.result, "stderr": "", "interrupted": false});
        self.result(id, &tool.result, tool.fails, &stdout);
        let mut fields = json!({"tool_name": tool.name, "tool_input": input, "tool_use_id": id});
        let event = if tool.fails {
            fields["error"] = tool.result.clone().into();
            "PostToolUseFailure"
        } else {
            fields["tool_response"] = stdout;
            "PostToolUse"
        };
        self.hook(event, fields).await?;
        Ok(())
    }

    fn result(&mut self, id: &str, text: &str, is_error: bool, full: &Value) {
        self.transcript.add(json!({
            "type": "user", "message": {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": id, "content": text, "is_error": is_error}]},
            "toolUseResult": full,
        }));
        self.print("  ⎿  ", text);
        self.show();
    }
}
