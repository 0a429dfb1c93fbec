//! `aegis keys`: the keys that programs call with over HTTP. Needs no server; what is done counts at all of them at
//! once.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use super::args::Format;
use super::{Cx, Exit, text};
use crate::domain::{ApiKey, KeyRole, OpError, Permission, Timestamp};
use crate::ops::{CreateKey, KeyDeleted, KeyMade, KeyRef, ListKeys, RotateKey};

/// What to do with keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key and print it; it is shown this once
    Create(CreateKeyArgs),
    /// List the keys, oldest first
    #[command(visible_alias = "ls")]
    List(Format),
    /// Give a key another text; the old one counts for a while longer
    Rotate(RotateKeyArgs),
    /// Remove a key, which is refused from then on
    #[command(visible_alias = "delete")]
    Revoke(KeyTarget),
}

/// What to make.
#[derive(Clone, Debug, Args)]
pub struct CreateKeyArgs {
    /// Its name, which asks, events and the audit log tell
    pub name: String,
    /// What it may do: admin everything, operator everything with its own sessions, viewer only look
    #[arg(long, value_parser = role(), default_value = "viewer")]
    pub role: KeyRole,
    /// What exactly it may do, in place of what its role may; separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = permission())]
    pub permissions: Option<Vec<Permission>>,
    /// How many calls it may make in a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate_limit: Option<u32>,
    /// In how many days it ends
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36500))]
    pub days: Option<u32>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Names a key.
#[derive(Clone, Debug, Args)]
pub struct KeyTarget {
    /// The key: its id, or its name if no other has it
    #[arg(value_name = "KEY")]
    pub key: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Which key gets another text.
#[derive(Clone, Debug, Args)]
pub struct RotateKeyArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: KeyTarget,
    /// For how long the old text still counts
    #[arg(long, value_name = "TIME", value_parser = text::parse_duration, default_value = "1h")]
    pub grace: std::time::Duration,
    /// In how many days it ends from now
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36500))]
    pub days: Option<u32>,
}

fn role() -> impl TypedValueParser<Value = KeyRole> {
    PossibleValuesParser::new(KeyRole::ALL.map(KeyRole::as_str))
        .try_map(|word| KeyRole::ALL.into_iter().find(|role| role.as_str() == word).ok_or("not a role"))
}

fn permission() -> impl TypedValueParser<Value = Permission> {
    PossibleValuesParser::new(Permission::ALL.map(Permission::as_str)).try_map(|word| {
        Permission::ALL.into_iter().find(|one| one.as_str() == word).ok_or("not a permission")
    })
}

impl KeysCommand {
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Create(args) => args.format.json,
            Self::List(format) => format.json,
            Self::Rotate(args) => args.target.format.json,
            Self::Revoke(args) => args.format.json,
        }
    }
}

pub(super) async fn run(cx: &Cx, command: KeysCommand) -> Result<Exit, OpError> {
    match command {
        KeysCommand::Create(args) => {
            let request = CreateKey {
                name: args.name,
                role: Some(args.role),
                permissions: args.permissions,
                rate_limit: args.rate_limit,
                ttl_days: args.days,
            };
            let made = cx.aegis.create_key(&cx.caller, request).await?;
            show(cx, &made)?;
        }
        KeysCommand::List(_) => {
            let list = cx.aegis.list_keys(&cx.caller, ListKeys {}).await?;
            cx.out.give(&list, |list| render(&list.keys, Timestamp::now()))?;
        }
        KeysCommand::Rotate(args) => {
            let request = RotateKey {
                key_id: args.target.key,
                grace_period_seconds: Some(u32::try_from(args.grace.as_secs()).unwrap_or(u32::MAX)),
                ttl_days: args.days,
            };
            let made = cx.aegis.rotate_key(&cx.caller, request).await?;
            show(cx, &made)?;
        }
        KeysCommand::Revoke(args) => {
            let gone = cx.aegis.revoke_key(&cx.caller, KeyRef { key_id: args.key }).await?;
            cx.out.give(&gone, |KeyDeleted { id, name }| {
                format!("key {} ({id}) is removed", text::prose(name))
            })?;
        }
    }
    Ok(Exit::Done)
}

/// The text alone on stdout, for a script to keep; the rest beside it.
fn show(cx: &Cx, made: &KeyMade) -> Result<(), OpError> {
    cx.out.give(made, |made| made.key.clone())?;
    if !cx.out.json {
        let KeyMade { made, grace_expires_at, .. } = made;
        cx.out.note(&format!("key {} ({}); it is not shown again", text::prose(&made.name), made.id));
        match grace_expires_at {
            Some(at) => cx.out.note(&format!("the old text counts until {at}")),
            None => cx.out.note("HTTP calls need a key or the configured token from now on"),
        }
    }
    Ok(())
}

/// A line a key: its id, name, role, what it may do, when it was used, when it ends.
fn render(keys: &[ApiKey], now: Timestamp) -> String {
    if keys.is_empty() {
        return "there are no keys\n".into();
    }
    let row = |key: &ApiKey| {
        let may: Vec<_> = key.permissions.iter().map(|one| one.as_str()).collect();
        vec![
            key.id.clone(),
            text::prose(&key.name),
            key.role.as_str().to_owned(),
            may.join(","),
            key.last_used_at.map_or("never used".into(), |at| format!("used {} ago", text::ago(now, at))),
            match key.expires_at {
                None => "stays".to_owned(),
                Some(at) if at <= now => "has ended".to_owned(),
                Some(at) => format!("for {}", text::ago(at, now)),
            },
        ]
    };
    text::table(&keys.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_line() {
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        let key = ApiKey {
            id: "0123456789abcdef".into(),
            name: "ci".into(),
            role: KeyRole::Operator,
            permissions: vec![Permission::Create, Permission::Send],
            rate_limit: None,
            created_at: at(0),
            expires_at: Some(at(90_000)),
            last_used_at: None,
        };
        assert_eq!(
            render(&[key], at(60_000)),
            "0123456789abcdef  ci  operator  create,send  never used  for 30s\n"
        );
    }
}
