use std::time::{Duration, Instant};

use aegis::rehearsal::api::{Hold, HoldAt, Message, Rule};
use aegis::rehearsal::{Reply, Script};
use serde_json::{Value, json};

use super::bench::{VERSION, answer, begin_wait, call, lab};
use super::idle::{kill, sessions};
use super::launch::{gone, received};
use super::support::Lab;
use super::support::outside::McpClient;
use super::table::{Samples, Table, Target, Unit};
use super::terminal::Bare;
use super::tmux::Tmux;

const ROUNDS: usize = 12;

/// Whose figures: each has a session of its own, and all take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Aegis,
    Bare,
    Tmux,
}

/// What is measured of each.
#[derive(Default)]
struct Figures {
    sent: Samples,
    ended: Samples,
    approved: Samples,
    interrupted: Samples,
}

/// One of the figures.
type Column = fn(&mut Figures) -> &mut Samples;

/// One session of each kind, all idle.
struct Sessions {
    lab: Lab,
    client: McpClient,
    id: String,
    bare: Bare,
    tmux: Option<Tmux>,
}

/// The name of tmux's session.
const PANE: &str = "one";

/// Whether the screen shows this word below the prompt.
fn below(pane: &str, prompt: &str, word: &str) -> bool {
    pane.rfind(prompt).is_some_and(|at| pane[at..].contains(word))
}

/// The mark of a turn that is over: `✻ Baked for 0s`; a running one has an ellipsis.
fn over(pane: &str, prompt: &str) -> bool {
    pane.rfind(prompt).is_some_and(|at| {
        pane[at..].lines().any(|line| line.starts_with('✻') && line.contains(" for ") && !line.contains('…'))
    })
}

impl Sessions {
    async fn start() -> Self {
        let lab = lab(Lab::builder(VERSION, Script::new())).await;
        let mut client = McpClient::start(&lab).await;
        let id = sessions(&lab, &mut client, 1).await.remove(0);
        let mut bare = Bare::start(&lab, &["--permission-mode", "default"]);
        bare.0.until("? for shortcuts").await;
        let tmux = Tmux::new(&lab);
        if let Some(tmux) = &tmux {
            tmux.start(PANE, &["--permission-mode", "default"]).await;
            tmux.until(PANE, "the input box", |pane| pane.contains("? for shortcuts")).await;
        }
        // Claude Code does things of its own in its first seconds.
        tokio::time::sleep(Duration::from_secs(5)).await;
        Self { lab, client, id, bare, tmux }
    }

    /// Sends a prompt; the time from the call until the model has it.
    async fn send(&mut self, who: Who, prompt: &str) -> Duration {
        let start = Instant::now();
        match who {
            Who::Aegis => {
                let send =
                    json!({"name": "send_message", "arguments": {"sessionId": self.id, "text": prompt}});
                self.client.begin("tools/call", send).await;
                let at = received(&self.lab, prompt).await;
                answer(&mut self.client).await;
                return at - start;
            }
            Who::Bare => self.bare.send(prompt).await,
            Who::Tmux => self.tmux.as_ref().unwrap().send(PANE, prompt).await,
        }
        received(&self.lab, prompt).await - start
    }

    /// Waits until the screen is so.
    async fn shows(&mut self, who: Who, what: &str, wanted: impl Fn(&str) -> bool) {
        match who {
            Who::Aegis => {
                let arguments = json!({"sessionId": self.id});
                loop {
                    let pane = self.client.ask("capture_pane", arguments.clone()).await;
                    if wanted(pane["pane"].as_str().unwrap_or_default()) {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            Who::Bare => self.bare.0.until_shows(what, wanted).await,
            Who::Tmux => self.tmux.as_ref().unwrap().until(PANE, what, wanted).await,
        }
    }

    /// Does something while whoever waits for the status (`wanted` on the screen, without Aegis) is waiting; the time
    /// from there until it is told.
    async fn told(
        &mut self,
        who: Who,
        status: &str,
        wanted: impl Fn(&str) -> bool,
        act: impl FnOnce(&mut Self),
    ) -> Duration {
        if who == Who::Aegis {
            begin_wait(&mut self.client, &self.id, &[status]).await;
        }
        let start = Instant::now();
        act(self);
        match who {
            Who::Aegis => {
                let (told, at) = answer(&mut self.client).await;
                assert_eq!(told["woke"][0]["session"]["status"], status, "{told:#}");
                at - start
            }
            Who::Bare | Who::Tmux => {
                self.shows(who, status, wanted).await;
                start.elapsed()
            }
        }
    }

    /// A turn whose end is held back.
    async fn turn(&mut self, who: Who, round: usize, figures: &mut Figures) {
        let (prompt, name) = (format!("{who:?} says {round}"), format!("{who:?} end {round}"));
        let hold = Some(Hold { name: name.clone(), at: HoldAt::End });
        let reply = Reply::Message(Message { text: Some("Said.".into()), hold, ..Message::default() });
        self.lab.api.add(Rule::new(&prompt, [reply]));
        figures.sent.add(self.send(who, &prompt).await);
        self.shows(who, "the answer", |pane| below(pane, &prompt, "Said.")).await;
        let ended = self.told(who, "idle", |pane| over(pane, &prompt), |all| all.lab.api.release(name)).await;
        figures.ended.add(ended);
    }

    /// A turn that asks for a permission, and gets it.
    async fn permission(&mut self, who: Who, round: usize, figures: &mut Figures) {
        let prompt = format!("{who:?} makes {round}");
        let input = json!({"command": format!("touch {who:?}-{round}"), "description": "Make a file"});
        self.lab.api.add(Rule::new(&prompt, [Reply::tool("Bash", input), Reply::text("Made.")]));
        self.send(who, &prompt).await;
        let dialog = |pane: &str| below(pane, &prompt, "Do you want to proceed?");
        // The dialog stands for all before anybody answers.
        self.shows(who, "the dialog", dialog).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let start = Instant::now();
        match who {
            Who::Aegis => {
                call(&mut self.client, "approve_permission", json!({"sessionId": self.id})).await;
            }
            Who::Bare => self.bare.0.keys("1"),
            Who::Tmux => self.tmux.as_ref().unwrap().keys(PANE, "1").await,
        }
        let has_result = |request: &aegis::rehearsal::api::Recorded| {
            request.is_main() && request.spoken() == 1 && request.prompt().as_deref() == Some(&prompt)
        };
        self.lab.api.wait_for("the tool's result", has_result).await.unwrap();
        figures.approved.add(start.elapsed());
        self.settle(who, |pane| over(pane, &prompt)).await;
    }

    /// A turn that is stopped in the middle of its answer.
    async fn interrupt(&mut self, who: Who, round: usize, figures: &mut Figures) {
        let (prompt, name) = (format!("{who:?} stops {round}"), format!("{who:?} never {round}"));
        let hold = Some(Hold { name, at: HoldAt::End });
        let reply = Reply::Message(Message { text: Some("Said.".into()), hold, ..Message::default() });
        self.lab.api.add(Rule::new(&prompt, [reply]));
        self.send(who, &prompt).await;
        self.shows(who, "the answer", |pane| below(pane, &prompt, "Said.")).await;
        let start = Instant::now();
        let stopped = |pane: &str| below(pane, &prompt, "Interrupted");
        match who {
            Who::Aegis => {
                let (told, _): (Value, _) =
                    call(&mut self.client, "interrupt_session", json!({"sessionId": self.id})).await;
                assert_eq!(told["status"], "idle");
            }
            Who::Bare => {
                self.bare.0.keys("\x1b");
                self.bare.0.until_shows("the interrupt", stopped).await;
            }
            Who::Tmux => {
                let tmux = self.tmux.as_ref().unwrap();
                tmux.keys(PANE, "Escape").await;
                tmux.until(PANE, "the interrupt", stopped).await;
            }
        }
        figures.interrupted.add(start.elapsed());
        self.settle(who, stopped).await;
    }

    /// The turn is over for all.
    async fn settle(&mut self, who: Who, over: impl Fn(&str) -> bool) {
        self.shows(who, "the turn's end", over).await;
        if who == Who::Aegis {
            self.client.until(&self.id, "idle").await;
        }
    }
}

pub async fn measure(table: &mut Table) {
    let mut all = Sessions::start().await;
    let mut who = vec![Who::Aegis, Who::Bare];
    who.extend(all.tmux.is_some().then_some(Who::Tmux));
    let mut figures: Vec<Figures> = who.iter().map(|_| Figures::default()).collect();
    for round in 0..=ROUNDS {
        for (who, figures) in who.iter().zip(&mut figures) {
            // The first round is not counted.
            let figures = if round == 0 { &mut Figures::default() } else { figures };
            // What the program still does after a turn is nobody's figure.
            let pause = Duration::from_millis(400);
            all.turn(*who, round, figures).await;
            tokio::time::sleep(pause).await;
            all.permission(*who, round, figures).await;
            tokio::time::sleep(pause).await;
            all.interrupt(*who, round, figures).await;
            tokio::time::sleep(pause).await;
        }
    }
    let mut column = |of: Column| {
        let mut columns = figures.iter_mut().map(|figures| std::mem::take(of(figures)));
        (columns.next().unwrap(), columns.next(), columns.next())
    };
    let rows: [(&str, Target, Column); 4] = [
        ("send_message called → the model has it", Target::OverBare(60.0), |figures| &mut figures.sent),
        ("the model's last byte → idle told", Target::None, |figures| &mut figures.ended),
        ("approve called → the model has the tool's result", Target::None, |figures| &mut figures.approved),
        ("interrupt called → idle told", Target::Under(100.0), |figures| &mut figures.interrupted),
    ];
    for (what, target, of) in rows {
        let (ours, bare, tmux) = column(of);
        table.compare(what, Unit::Ms, target, ours, bare, tmux);
    }
    kill(&mut all.client, &[all.id.clone()]).await;
    gone(all.bare.0.pid()).await;
    if let Some(tmux) = all.tmux.take() {
        tmux.end().await;
    }
}
