//! `aegis health`: how Aegis and what it stands on are.

use super::{Cx, Exit, text};
use crate::domain::OpError;
use crate::ops::{ServerHealth, ServerHealthRequest, StewardPlace};

pub(super) async fn run(cx: &Cx) -> Result<Exit, OpError> {
    let health = cx.aegis.server_health(&cx.caller, ServerHealthRequest::default()).await?;
    cx.out.give(&health, render)?;
    Ok(Exit::Done)
}

fn render(health: &ServerHealth) -> String {
    let sessions: Vec<String> = health.sessions.iter().map(|(word, n)| format!("{n} {word}")).collect();
    let mut pairs = vec![
        ("aegis", health.version.clone()),
        ("claude", claude(health)),
        ("sessions", if sessions.is_empty() { "none live".into() } else { sessions.join(", ") }),
        (
            "store",
            format!(
                "{} ({})",
                if health.store.ok { "answers" } else { "does not answer" },
                health.store.kind
            ),
        ),
        ("state", text::prose(&health.store.state_dir)),
        ("steward", steward(health.steward).into()),
    ];
    if let Some(hint) = &health.claude.hint {
        pairs.push(("hint", text::hint(hint)));
    }
    text::fields(&pairs)
}

/// The `claude` program in a line.
pub(super) fn claude(health: &ServerHealth) -> String {
    let claude = &health.claude;
    if !claude.found {
        return "not found".into();
    }
    format!(
        "{} {} at {}",
        claude.version.as_deref().unwrap_or("of unknown version"),
        if claude.supported { "(supported)" } else { "(NOT supported)" },
        text::prose(claude.path.as_deref().unwrap_or("?"))
    )
}

/// Where the steward runs, in words.
pub(super) fn steward(place: StewardPlace) -> &'static str {
    match place {
        StewardPlace::Here => "in this process",
        StewardPlace::Elsewhere => "in another server",
        StewardPlace::None => "nowhere: no server is running, only commands",
    }
}
