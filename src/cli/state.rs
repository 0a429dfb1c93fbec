//! `aegis state`: the memory, texts under keys that all sessions and servers share.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::args::{Format, Page, text_or_stdin};
use super::{Cx, Exit, text};
use crate::domain::{MemoryEntry, OpError, Timestamp};
use crate::ops::{ListState, SetState, StateDeleted, StateList, StateRef};

/// What to do with the memory.
#[derive(Clone, Debug, Args)]
pub struct StateArgs {
    /// What to do
    #[command(subcommand)]
    pub command: StateCommand,
}

/// What to do with the memory.
#[derive(Clone, Debug, Subcommand)]
pub enum StateCommand {
    /// Keep a text under a key, in place of what was kept there
    Set(SetArgs),
    /// Print what is kept under a key
    Get(KeyArgs),
    /// Forget what is kept under a key
    Delete(KeyArgs),
    /// List what is kept, in the order of the keys
    #[command(visible_alias = "ls")]
    List(ListStateArgs),
}

/// What to keep.
#[derive(Clone, Debug, Args)]
pub struct SetArgs {
    /// The key: namespace/name
    pub key: String,
    /// The text, at most 100 KiB; `-` reads it from stdin
    pub value: String,
    /// Forget it after this long (10m, 12h, 30d)
    #[arg(long, value_name = "TIME", value_parser = text::parse_duration)]
    pub ttl: Option<Duration>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Which key.
#[derive(Clone, Debug, Args)]
pub struct KeyArgs {
    /// The key: namespace/name
    pub key: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Which keys to list.
#[derive(Clone, Debug, Args)]
pub struct ListStateArgs {
    /// Only keys that begin so
    pub prefix: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub page: Page,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

impl StateCommand {
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Set(args) => args.format.json,
            Self::Get(args) | Self::Delete(args) => args.format.json,
            Self::List(args) => args.format.json,
        }
    }
}

pub(super) async fn run(cx: &Cx, args: StateArgs) -> Result<Exit, OpError> {
    match args.command {
        StateCommand::Set(args) => {
            let ttl_seconds = args.ttl.map(|ttl| ttl.as_secs());
            let request = SetState { key: args.key, value: text_or_stdin(args.value)?, ttl_seconds };
            let entry = cx.aegis.state_set(&cx.caller, request).await?;
            cx.out
                .give(&entry, |entry| format!("{} is kept{}", text::prose(entry.key.as_str()), end(entry)))?;
        }
        StateCommand::Get(args) => {
            let entry = cx.aegis.state_get(&cx.caller, StateRef { key: args.key }).await?;
            let shown = |entry: &MemoryEntry| match cx.out.is_terminal() {
                true => text::prose(&entry.value),
                false => entry.value.clone(),
            };
            cx.out.give(&entry, shown)?;
        }
        StateCommand::Delete(args) => {
            let deleted = cx.aegis.state_delete(&cx.caller, StateRef { key: args.key }).await?;
            cx.out.give(&deleted, |StateDeleted { key, deleted }| {
                let what = if *deleted { "is forgotten" } else { "was not kept" };
                format!("{} {what}", text::prose(key))
            })?;
        }
        StateCommand::List(args) => {
            let request = ListState { prefix: args.prefix, limit: args.page.limit, cursor: args.page.cursor };
            let list = cx.aegis.state_list(&cx.caller, request).await?;
            cx.out.give(&list, |list| render(list, Timestamp::now()))?;
            if let (Some(cursor), false) = (&list.next_cursor, cx.out.json) {
                cx.out.note(&format!("there are more: --cursor '{cursor}'"));
            }
        }
    }
    Ok(Exit::Done)
}

fn end(entry: &MemoryEntry) -> String {
    entry.expires_at.map(|at| format!(" until {at}")).unwrap_or_default()
}

/// A line an entry: its key, who set it, how long ago, for how long it stays, and how it begins.
fn render(list: &StateList, now: Timestamp) -> String {
    if list.entries.is_empty() {
        return "nothing is kept\n".into();
    }
    let rows: Vec<_> = list
        .entries
        .iter()
        .map(|entry| {
            let owner = entry.owner.strip_prefix("session:").map_or(entry.owner.as_str(), |id| id);
            vec![
                text::prose(entry.key.as_str()),
                text::short(owner),
                text::ago(now, entry.updated_at),
                entry.expires_at.map_or("stays".into(), |at| format!("for {}", text::ago(at, now))),
                text::clip(&entry.value, 60),
            ]
        })
        .collect();
    text::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line() {
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        let entry = MemoryEntry {
            key: "team/rules".parse().unwrap(),
            value: "Tabs.\nNo spaces.".into(),
            owner: "cli".into(),
            created_at: at(0),
            updated_at: at(0),
            expires_at: None,
        };
        let brief = MemoryEntry { expires_at: Some(at(90_000)), ..entry.clone() };
        let list = StateList { entries: vec![entry, brief], next_cursor: None };
        let lines = "team/rules  cli  1m  stays    Tabs. No spaces.\nteam/rules  cli  1m  for 30s  Tabs. No spaces.\n";
        assert_eq!(render(&list, at(60_000)), lines);
    }
}
