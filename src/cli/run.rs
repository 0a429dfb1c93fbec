//! `aegis run`: a prompt, its turn, and what Claude said.

use std::future::pending;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::args::{Format, text_or_stdin};
use super::create::Settings;
use super::dialog::{self, Choice, Lines};
use super::follow::Follower;
use super::report::{Ended, Report, Verdict, judge, said};
use super::{Cx, Exit, asks, text};
use crate::domain::{Ask, ContentType, ErrorCode, Message, OpError, Receipt, Session, StatusWord, Timestamp};
use crate::ops::{KillSession, SessionRef};

/// Waits between two looks while the receipt lags behind the status.
const LOOK: Duration = Duration::from_secs(1);

/// What to run.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The prompt; `-` reads it from stdin. May be left to the template
    #[arg(required_unless_present = "template")]
    pub prompt: Option<String>,
    /// The directory to work in; without it the template's, or this one if there is no template
    #[arg(long, short, value_name = "DIR")]
    pub dir: Option<String>,
    /// Take an idle session that fits instead of starting one
    #[arg(long)]
    pub reuse: bool,
    /// Stop waiting after this long (10m, 30s, 1500ms) with exit code 4; the session goes on
    #[arg(long, value_name = "TIME", value_parser = text::parse_duration)]
    pub timeout: Option<Duration>,
    /// Keep the session when the turn is over; the default
    #[arg(long, conflicts_with = "kill")]
    pub keep: bool,
    /// End the session when the turn is over
    #[arg(long)]
    pub kill: bool,
    /// Tell nothing on stderr but asks and errors
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: Settings,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// A turn as it goes.
struct Turn {
    session: Session,
    receipt: Option<Receipt>,
    messages: Vec<Message>,
    quiet: bool,
}

pub(super) async fn run(cx: &Cx, args: RunArgs) -> Result<Exit, OpError> {
    let prompt = args.prompt.map(text_or_stdin).transpose()?;
    let request = args.settings.request(args.dir.as_deref(), prompt, args.reuse)?;
    let created = cx.aegis.create_session(&cx.caller, request).await?;
    let mut turn =
        Turn { session: created.session, receipt: created.receipt, messages: Vec::new(), quiet: args.quiet };
    let id = turn.session.id.to_string();
    turn.note(cx, &format!("· session {} ({})", text::short(&id), text::prose(&turn.session.name)));
    let ended = tokio::select! {
        ended = drive(cx, &mut turn) => ended?,
        () = alarm(args.timeout) => Ended::TimedOut,
        _ = tokio::signal::ctrl_c() => Ended::Interrupted,
    };
    if ended == Ended::Interrupted {
        interrupt(cx, &id).await;
    }
    let over = !matches!(ended, Ended::NeedsAnswer | Ended::TimedOut | Ended::Interrupted);
    let failure = if args.kill && over { end(cx, &mut turn, &id).await.err() } else { None };
    give(cx, &turn, ended)?;
    failure.map_or(Ok(ended.exit()), Err)
}

async fn alarm(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => pending().await,
    }
}

/// Stops the turn; a second Ctrl-C stops waiting for that.
async fn interrupt(cx: &Cx, id: &str) {
    let request = SessionRef { session_id: id.to_owned() };
    tokio::select! {
        stopped = cx.aegis.interrupt_session(&cx.caller, request) => {
            if let Err(error) = stopped {
                cx.out.error(&error);
            }
        }
        _ = tokio::signal::ctrl_c() => {}
    }
}

async fn end(cx: &Cx, turn: &mut Turn, id: &str) -> Result<(), OpError> {
    if turn.session.status == StatusWord::Ended {
        return Ok(());
    }
    let request = KillSession { session_id: id.to_owned(), force: None };
    turn.session = cx.aegis.kill_session(&cx.caller, request).await?;
    Ok(())
}

/// Follows the turn to its end.
async fn drive(cx: &Cx, turn: &mut Turn) -> Result<Ended, OpError> {
    let mut follower = Follower::new(cx, &turn.session, 0);
    let mut lines = None;
    loop {
        let detail = follower.detail().await?;
        turn.see(cx, detail.session, detail.receipts);
        // A holder that does not answer just now may do so a moment later, or turn out to have ended.
        let missed = match follower.messages().await {
            Ok(messages) => {
                turn.hear(cx, messages);
                None
            }
            Err(error) if error.code == ErrorCode::HolderUnreachable => Some(error),
            Err(error) => return Err(error),
        };
        match judge(&turn.session, turn.receipt.as_ref(), Timestamp::now()) {
            Verdict::GoOn => {}
            Verdict::Over(Ended::Done) => return missed.map_or(Ok(Ended::Done), Err),
            Verdict::Over(ended) => return Ok(ended),
            Verdict::Ask if cx.out.json || !cx.out.has_person() => return Ok(Ended::NeedsAnswer),
            Verdict::Ask => {
                let Some(ask) = turn.session.open_asks.first().cloned() else { continue };
                let lines = lines.get_or_insert_with(Lines::start);
                if !settle(cx, &mut follower, lines, turn, &ask).await? {
                    return Ok(Ended::NeedsAnswer);
                }
                continue;
            }
        }
        follower.wait(LOOK).await?;
    }
}

/// Puts one ask to the person and carries the answer out; returns false if they leave it open.
async fn settle(
    cx: &Cx,
    follower: &mut Follower<'_>,
    lines: &mut Lines,
    turn: &Turn,
    ask: &Ask,
) -> Result<bool, OpError> {
    let choice = tokio::select! {
        choice = dialog::put(cx, lines, ask) => choice,
        gone = gone(follower, ask) => {
            gone?;
            cx.out.note("\n· answered elsewhere");
            return Ok(true);
        }
    };
    if choice == Choice::Detach {
        return Ok(false);
    }
    match dialog::carry_out(cx, &turn.session.id.to_string(), ask, choice).await {
        Ok(told) => cx.out.note(&format!("· {told}")),
        Err(error) if passing(error.code) => cx.out.error(&error),
        Err(error) => return Err(error),
    }
    Ok(true)
}

/// Failures that another look at the session settles.
fn passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::AlreadyResolved
            | ErrorCode::InputChanged
            | ErrorCode::NothingToApprove
            | ErrorCode::NoSuchAsk
            | ErrorCode::InvalidAnswer
            | ErrorCode::SessionBlocked
            | ErrorCode::SessionEnded
            | ErrorCode::NotConfirmed
    )
}

/// Ends when the ask is no longer open.
async fn gone(follower: &mut Follower<'_>, ask: &Ask) -> Result<(), OpError> {
    loop {
        follower.wait(LOOK * 2).await?;
        if !follower.detail().await?.session.open_asks.iter().any(|open| open.id == ask.id) {
            return Ok(());
        }
    }
}

impl Turn {
    fn note(&self, cx: &Cx, text: &str) {
        if !self.quiet {
            cx.out.note(text);
        }
    }

    fn see(&mut self, cx: &Cx, session: Session, receipts: Vec<Receipt>) {
        if session.status != self.session.status {
            self.note(cx, &format!("· {}", session.status.as_str()));
        }
        self.session = session;
        if let Some(receipt) = &mut self.receipt
            && let Some(now) = receipts.into_iter().find(|known| known.id == receipt.id)
        {
            *receipt = now;
        }
    }

    fn hear(&mut self, cx: &Cx, messages: Vec<Message>) {
        let since = self.since();
        for message in &messages {
            if message.content_type == ContentType::ToolUse && since.is_none_or(|since| message.at >= since) {
                self.note(cx, &format!("· {}", tool(message)));
            }
        }
        self.messages.extend(messages);
    }

    /// When the prompt was stored: what is older belongs to another turn.
    fn since(&self) -> Option<Timestamp> {
        self.receipt.as_ref().and_then(|receipt| receipt.steps.first()).map(|step| step.at)
    }
}

/// A tool call in a line: its name and what it is about.
fn tool(message: &Message) -> String {
    const ABOUT: [&str; 7] = ["command", "file_path", "path", "pattern", "url", "query", "description"];
    let input: Option<Value> = serde_json::from_str(&message.text).ok();
    let about = input.as_ref().and_then(|input| ABOUT.iter().find_map(|key| input.get(key)?.as_str()));
    let name = message.tool_name.as_deref().unwrap_or("tool");
    text::clip(&format!("{name} {}", about.unwrap_or_default()), 100)
}

fn give(cx: &Cx, turn: &Turn, outcome: Ended) -> Result<(), OpError> {
    let result = said(&turn.messages, turn.since());
    if cx.out.json {
        let asks = if outcome == Ended::NeedsAnswer { turn.session.open_asks.clone() } else { Vec::new() };
        let (session, receipt) = (turn.session.clone(), turn.receipt.clone());
        cx.out.document(&Report { outcome, result, session, receipt, asks })?;
    } else if !result.is_empty() {
        cx.out.answer(&if cx.out.is_terminal() { text::prose(&result) } else { result });
    }
    if !cx.out.json {
        if outcome == Ended::NeedsAnswer && !cx.out.has_person() {
            cx.out.note(&turn.session.open_asks.iter().map(asks::show).collect::<String>());
        }
        cx.out.note(&closing(turn, outcome));
    } else if outcome == Ended::NeedsAnswer {
        cx.out.note(&asks::commands(&turn.session));
    }
    Ok(())
}

/// The last word on stderr: how it ended, and how to go on.
fn closing(turn: &Turn, outcome: Ended) -> String {
    let session = &turn.session;
    let id = text::short(session.id);
    match outcome {
        Ended::Done if session.status == StatusWord::Ended => format!("· session {id} ended"),
        Ended::Done => format!("· session {id} is kept: aegis send {id} '…', aegis kill {id}"),
        Ended::NeedsAnswer => {
            format!("session {id} waits for an answer:\n{}", asks::commands(session))
        }
        Ended::TimedOut => format!("timed out; session {id} goes on: aegis wait {id}, aegis read {id}"),
        Ended::TurnFailed => format!("the turn failed: {}", text::summary(session)),
        Ended::SessionGone => format!("the session ended: {}", text::summary(session)),
        Ended::NotDelivered => match &turn.receipt {
            Some(receipt) => {
                format!("the prompt was not delivered: {}; session {id}", text::receipt(receipt))
            }
            None => format!("the prompt was not delivered; session {id}"),
        },
        Ended::Interrupted => {
            format!("interrupted; session {id} is kept: aegis send {id} '…', aegis kill {id}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing;
    use crate::domain::Role;

    #[test]
    fn a_tool_call_is_a_line() {
        let message = Message {
            id: 1,
            role: Role::Assistant,
            content_type: ContentType::ToolUse,
            text: r#"{"description":"List","command":"ls\n-l"}"#.into(),
            tool_name: Some("Bash".into()),
            tool_use_id: None,
            at: Timestamp::from_millis(0).unwrap(),
            truncated: false,
        };
        assert_eq!(tool(&message), "Bash ls -l");
    }

    #[test]
    fn a_time_out_tells_the_session() {
        let session = testing::session(StatusWord::Working);
        let turn = Turn { session, receipt: None, messages: Vec::new(), quiet: false };
        let told = closing(&turn, Ended::TimedOut);
        assert!(told.contains(&format!("aegis read {}", text::short(turn.session.id))), "{told}");
    }
}
