//! `aegis channels`: who is told, how they do, what did not arrive.

use clap::{Args, Subcommand};

use super::args::Format;
use super::{Cx, Exit, text};
use crate::domain::{OpError, Timestamp};
use crate::ops::{
    ChannelHealthView, ChannelInfo, ChannelRef, ChannelTested, DeadLetter, DeliveryView, RefusalView,
    RetryDeliveries,
};

/// How much of an error a line shows, in characters.
const ROOM: usize = 80;

/// What to do with channels.
#[derive(Clone, Debug, Subcommand)]
pub enum ChannelsCommand {
    /// List the channels of the configuration
    #[command(visible_alias = "ls")]
    List(Format),
    /// Tell how each channel does
    Health(Format),
    /// Send a test notice through one channel, or all
    Test(ChannelArgs),
    /// List what was given up
    DeadLetters(ChannelArgs),
    /// List the newest deliveries and what became of them
    Deliveries(ChannelArgs),
    /// Send what was given up again
    Retry(RetryArgs),
    /// List what came in through channels and was refused
    Refusals(Format),
    /// Tell how alerts stand
    Alerts(Format),
}

/// Which channel.
#[derive(Clone, Debug, Args)]
pub struct ChannelArgs {
    /// The channel's name; all unless given
    pub channel: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// What to send again.
#[derive(Clone, Debug, Args)]
pub struct RetryArgs {
    /// Only this channel's
    pub channel: Option<String>,
    /// Only this delivery
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

impl ChannelsCommand {
    pub(super) fn json(&self) -> bool {
        match self {
            Self::List(format) | Self::Health(format) | Self::Refusals(format) | Self::Alerts(format) => {
                format.json
            }
            Self::Test(args) | Self::DeadLetters(args) | Self::Deliveries(args) => args.format.json,
            Self::Retry(args) => args.format.json,
        }
    }
}

pub(super) async fn run(cx: &Cx, command: ChannelsCommand) -> Result<Exit, OpError> {
    let caller = &cx.caller;
    match command {
        ChannelsCommand::List(_) => cx.out.give(&cx.aegis.list_channels(caller).await?, |all| list(all))?,
        ChannelsCommand::Health(_) => {
            cx.out.give(&cx.aegis.channels_health(caller).await?, |all| health(all, Timestamp::now()))?;
        }
        ChannelsCommand::Test(args) => {
            let tested = cx.aegis.test_channels(caller, ChannelRef { channel: args.channel }).await?;
            cx.out.give(&tested, |all| tests(all))?;
            if tested.iter().any(|test| !test.sent) {
                return Ok(Exit::Failed);
            }
        }
        ChannelsCommand::DeadLetters(args) => {
            let letters = cx.aegis.list_dead_letters(caller, ChannelRef { channel: args.channel }).await?;
            cx.out.give(&letters, |all| dead_letters(all))?;
        }
        ChannelsCommand::Deliveries(args) => {
            let all = cx.aegis.list_deliveries(caller, ChannelRef { channel: args.channel }).await?;
            cx.out.give(&all, |all| deliveries(all))?;
        }
        ChannelsCommand::Retry(args) => {
            let request = RetryDeliveries { channel: args.channel, id: args.id };
            let retried = cx.aegis.retry_deliveries(caller, request).await?;
            cx.out.give(&retried, |retried| format!("{} will be sent again", retried.retried))?;
        }
        ChannelsCommand::Refusals(_) => {
            cx.out.give(&cx.aegis.list_refusals(caller).await?, |all| refusals(all))?;
        }
        ChannelsCommand::Alerts(_) => {
            let stats = cx.aegis.alert_stats(caller).await?;
            cx.out.give(&stats, |stats| {
                let mut lines = format!("{} delivered, {} failed\n", stats.delivered, stats.failed);
                for (kind, tracker) in &stats.trackers {
                    lines.push_str(&format!("{kind}: {} failures\n", tracker.count));
                }
                lines
            })?;
        }
    }
    Ok(Exit::Done)
}

/// The lines, or that there are none.
fn table(rows: &[Vec<String>], none: &str) -> String {
    if rows.is_empty() { format!("{none}\n") } else { text::table(rows) }
}

fn list(all: &[ChannelInfo]) -> String {
    let rows: Vec<_> = all
        .iter()
        .map(|channel| {
            let what = channel.note.clone().unwrap_or_else(|| format!("{} events", channel.events.len()));
            vec![channel.name.clone(), channel.kind.clone(), text::prose(&channel.target), text::prose(&what)]
        })
        .collect();
    table(&rows, "no channels are configured")
}

fn health(all: &[ChannelHealthView], now: Timestamp) -> String {
    let rows: Vec<_> = all
        .iter()
        .map(|channel| {
            let success = channel.last_success.and_then(Timestamp::from_millis);
            let mut notes = Vec::new();
            notes.extend(channel.note.as_ref().map(|note| text::prose(note)));
            if let (false, Some(error)) = (channel.healthy, &channel.last_error) {
                notes.push(text::clip(error, ROOM));
            }
            if let Some(until) = channel.paused_until.filter(|until| *until > now) {
                notes.push(format!("tried again in {}", text::ago(until, now)));
            }
            vec![
                channel.channel.clone(),
                if channel.healthy { "healthy" } else { "NOT healthy" }.into(),
                success.map_or("nothing sent yet".into(), |at| format!("sent {} ago", text::ago(now, at))),
                format!(
                    "{} pending, {} given up",
                    channel.pending_count + channel.behind,
                    channel.dead_count
                ),
                notes.join("; "),
            ]
        })
        .collect();
    table(&rows, "no channels are configured")
}

fn tests(all: &[ChannelTested]) -> String {
    let rows: Vec<_> = all
        .iter()
        .map(|test| {
            let code = test.response_code.map(|code| format!(" ({code})")).unwrap_or_default();
            let what = match (&test.error, test.sent) {
                (_, true) => format!("sent{code}"),
                (Some(error), false) => format!("failed: {}", text::prose(error)),
                (None, false) => "failed".into(),
            };
            vec![test.channel.clone(), what]
        })
        .collect();
    table(&rows, "no channels are configured")
}

fn dead_letters(all: &[DeadLetter]) -> String {
    let rows: Vec<_> = all
        .iter()
        .map(|letter| {
            vec![
                letter.timestamp.to_string(),
                letter.channel.clone(),
                letter.event.to_string(),
                letter.id.clone(),
                format!("{} tries", letter.attempts),
                text::clip(&letter.error, ROOM),
            ]
        })
        .collect();
    table(&rows, "nothing was given up")
}

fn deliveries(all: &[DeliveryView]) -> String {
    let rows: Vec<_> = all
        .iter()
        .map(|delivery| {
            let code = delivery.response_code.map(|code| code.to_string()).unwrap_or_default();
            let error = delivery.error.as_deref().unwrap_or_default();
            vec![
                delivery.timestamp.to_string(),
                delivery.event.to_string(),
                delivery.status.clone(),
                code,
                text::clip(error, ROOM),
            ]
        })
        .collect();
    table(&rows, "nothing was sent yet")
}

fn refusals(all: &[RefusalView]) -> String {
    let rows: Vec<_> = all
        .iter()
        .map(|refusal| {
            vec![
                refusal.at.to_string(),
                refusal.channel.clone(),
                text::prose(&refusal.who),
                text::prose(&refusal.what),
            ]
        })
        .collect();
    table(&rows, "nothing was refused")
}
