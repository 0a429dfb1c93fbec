//! A prompt and the turn that it takes.

use std::collections::VecDeque;

use rustix::process::{Signal, getpid, kill_process};
use serde_json::json;
use tokio::time::Instant;

use super::dialog::Dialog;
use super::new_id;
use super::script::{At, Crash, Step};
use super::session::{Cut, Session};

/// Rows of a prompt that the history repeats.
const REPEATED: usize = 8;
/// A row of a flood, with its line end.
const FLOOD_ROW: u64 = 100;
/// Rows of a flood in one frame.
const FLOOD_FRAME: u64 = 640;

impl Session {
    /// Takes prompts until the program ends.
    pub(crate) async fn serve(&mut self) -> Cut {
        loop {
            let cut = match self.submitted.pop_front() {
                Some(text) => self.on_prompt(text).await,
                None => self.rest().await,
            };
            if let Err(end @ Cut::End { .. }) = cut {
                return end;
            }
        }
    }

    async fn on_prompt(&mut self, text: String) -> Result<(), Cut> {
        let first = text.split_whitespace().next().unwrap_or_default();
        if text.starts_with("/clear") {
            return self.clear().await;
        }
        if text.starts_with('/') && !first[1..].contains('/') {
            self.print("● ", &format!("Unknown command: {first}"));
            self.show();
            return Ok(());
        }
        if let Some(line) = text.strip_prefix('!') {
            self.print("! ", line);
            self.print("  ⎿  ", "The stand-in runs no shell lines.");
            self.show();
            return Ok(());
        }
        let mut prompts = vec![text];
        // What was queued while a turn ran goes into one turn of its own.
        while !prompts.is_empty() {
            self.turn(&prompts).await?;
            prompts = self.queued.drain(..).collect();
            for _ in &prompts {
                self.transcript.add_bare(json!({"type": "queue-operation", "operation": "dequeue"}));
            }
        }
        Ok(())
    }

    async fn turn(&mut self, prompts: &[String]) -> Result<(), Cut> {
        let since = Instant::now();
        self.working = Some(since);
        self.said = false;
        let done = self.work(prompts).await;
        let seconds = since.elapsed().as_secs();
        match &done {
            Ok(()) | Err(Cut::Failed) => {
                let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.transcript
                    .add(json!({"type": "system", "subtype": "turn_duration", "durationMs": millis}));
                self.print("✻ ", &format!("Worked for {seconds}s"));
            }
            Err(Cut::Interrupted) => self.interrupted(prompts),
            Err(end @ Cut::End { .. }) => return Err(copy(end)),
        }
        self.working = None;
        self.show();
        Ok(())
    }

    fn interrupted(&mut self, prompts: &[String]) {
        self.transcript.add(json!({"type": "user", "message": {"role": "user", "content": [
            {"type": "text", "text": "[Request interrupted by user]"}]}}));
        if self.said {
            self.print("  ⎿  ", "Interrupted · What should Claude do instead?");
        } else if let [prompt] = prompts {
            // Before the first word the prompt is put back into the box.
            self.entry.text(prompt);
        }
    }

    async fn work(&mut self, prompts: &[String]) -> Result<(), Cut> {
        for prompt in prompts {
            self.repeat(prompt);
        }
        self.show();
        self.reach(At::Entered).await?;
        if let Some(starting) = self.starting.take() {
            let _ = self.pause(starting).await?;
        }
        for (i, prompt) in prompts.iter().enumerate() {
            let id = new_id();
            self.prompt_id = Some(id.clone());
            self.hook("UserPromptSubmit", json!({"prompt": prompt})).await?;
            let source = if i == 0 && prompts.len() == 1 { "typed" } else { "queued" };
            self.transcript.add(json!({
                "type": "user", "promptId": id, "message": {"role": "user", "content": prompt},
                "permissionMode": self.mode, "origin": {"kind": "human"}, "promptSource": source,
            }));
        }
        for prompt in prompts {
            let steps = self.steps_for(prompt);
            self.do_steps(&steps, prompt).await?;
        }
        self.reach(At::Stopping).await?;
        let reply = std::mem::take(&mut self.last_said);
        self.hook(
            "Stop",
            json!({"stop_hook_active": false, "last_assistant_message": reply, "background_tasks": []}),
        )
        .await?;
        Ok(())
    }

    fn repeat(&mut self, prompt: &str) {
        let shown: Vec<&str> = prompt.lines().take(REPEATED).collect();
        let short: String = shown.join("\n").chars().take(REPEATED * 100).collect();
        self.print("❯ ", &short);
    }

    fn steps_for(&self, prompt: &str) -> Vec<Step> {
        match self.script.rules.iter().find(|rule| prompt.contains(&rule.on)) {
            Some(rule) => rule.steps.clone(),
            None => vec![Step::Say("You said: {prompt}".into())],
        }
    }

    /// Does steps, and those of prompts that join on the way.
    pub(crate) async fn do_steps(&mut self, steps: &[Step], prompt: &str) -> Result<(), Cut> {
        let mut left: VecDeque<(Step, String)> =
            steps.iter().map(|step| (step.clone(), prompt.to_owned())).collect();
        while let Some((step, prompt)) = left.pop_front() {
            let is_tool = matches!(step, Step::Tool(_));
            self.do_step(step, &prompt).await?;
            if is_tool {
                for joined in self.join_queued() {
                    left.extend(self.steps_for(&joined).into_iter().map(|step| (step, joined.clone())));
                }
            }
        }
        Ok(())
    }

    async fn do_step(&mut self, step: Step, prompt: &str) -> Result<(), Cut> {
        match step {
            Step::Say(text) => {
                let text = text.replace("{prompt}", prompt);
                self.said = true;
                self.transcript.add_assistant(json!({"type": "text", "text": text}), "end_turn");
                self.print("● ", &text);
                self.last_said = text;
                self.show();
            }
            Step::Tool(tool) => self.tool(tool).await?,
            Step::Wait(wait) => self.wait(&wait).await?,
            Step::Dialog(dialog) => {
                self.ask(Dialog::scripted(&dialog), std::future::pending::<()>()).await?.ok();
            }
            Step::Flood { bytes } => self.flood(bytes).await?,
            Step::Crash(how) => crash(how).await,
            Step::Error { kind, text } => return self.fail(&kind, &text).await,
        }
        Ok(())
    }

    /// Prompts that were queued while a tool ran join the turn at its end. No hook tells that.
    fn join_queued(&mut self) -> Vec<String> {
        let joined: Vec<String> = self.queued.drain(..).collect();
        for text in &joined {
            self.transcript
                .add_bare(json!({"type": "queue-operation", "operation": "remove", "content": text}));
            self.transcript.add(json!({"type": "attachment", "attachment": {
                "type": "queued_command", "prompt": text, "commandMode": "prompt", "origin": {"kind": "human"}}}));
            self.repeat(text);
        }
        joined
    }

    async fn flood(&mut self, bytes: u64) -> Result<(), Cut> {
        self.said = true;
        let row = "flood ".repeat(17)[..98].to_owned();
        let mut left = bytes.div_ceil(FLOOD_ROW);
        while left > 0 {
            let count = left.min(FLOOD_FRAME);
            left -= count;
            self.history.extend((0..count).map(|_| row.clone()));
            self.show();
            self.pause(tokio::task::yield_now()).await?;
        }
        Ok(())
    }

    async fn fail(&mut self, kind: &str, text: &str) -> Result<(), Cut> {
        self.said = true;
        self.transcript.add(json!({
            "type": "assistant", "error": kind, "isApiErrorMessage": true, "message": {
                "id": new_id(), "role": "assistant", "model": "<synthetic>",
                "content": [{"type": "text", "text": text}], "stop_reason": "stop_sequence",
            },
        }));
        self.print("● ", text);
        self.show();
        self.reach(At::Stopping).await?;
        self.hook("StopFailure", json!({"error": kind, "last_assistant_message": text})).await?;
        Err(Cut::Failed)
    }

    async fn clear(&mut self) -> Result<(), Cut> {
        self.hook("SessionEnd", json!({"reason": "clear"})).await?;
        let id = new_id();
        self.transcript.begin(&id);
        self.show();
        self.hook("SessionStart", json!({"source": "clear", "model": self.model})).await?;
        Ok(())
    }
}

fn copy(cut: &Cut) -> Cut {
    match cut {
        Cut::Interrupted => Cut::Interrupted,
        Cut::Failed => Cut::Failed,
        Cut::End { code, reason } => Cut::End { code: *code, reason },
    }
}

async fn crash(how: Crash) {
    match how {
        Crash::Code(code) => std::process::exit(code),
        Crash::Signal(number) => {
            if let Some(signal) = Signal::from_named_raw(number) {
                let _ = kill_process(getpid(), signal);
            }
            // The signal takes a moment.
            std::future::pending::<()>().await;
        }
    }
}
