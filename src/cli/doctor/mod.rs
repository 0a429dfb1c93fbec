//! `aegis doctor`: everything a session needs, checked, with a next step for what is wrong.

mod checks;

use std::path::PathBuf;
use std::pin::Pin;

use clap::Args;
use serde::Serialize;

use super::args::Format;
use super::{Cx, Exit, text};
use crate::domain::{ErrorCode, OpError};
use crate::ops::ServerHealthRequest;

/// What to check.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Also try the installed Claude Code against a scripted API: no account, no network
    #[arg(long)]
    pub rehearse: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Runs the rehearsal and tells what it found.
pub type Rehearsal =
    Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<Vec<Check>, OpError>> + Send>> + Send>;

/// What only the composition root can give the doctor.
#[derive(Default)]
pub struct Doctoring {
    /// Where holders put their sockets.
    pub socket_dir: Option<PathBuf>,
    /// The rehearsal.
    pub rehearse: Option<Rehearsal>,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Check {
    /// All is well.
    #[must_use]
    pub fn good(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.into(), ok: true, found: found.into(), next: None }
    }

    /// Something is wrong, and this is what to do.
    #[must_use]
    pub fn bad(name: &str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name: name.into(), ok: false, found: found.into(), next: Some(next.into()) }
    }
}

/// The answer of `doctor --json`.
#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
}

pub(super) async fn run(cx: &Cx, args: DoctorArgs, doctoring: Doctoring) -> Result<Exit, OpError> {
    let health = cx.aegis.server_health(&cx.caller, ServerHealthRequest::default()).await?;
    let mut checks = vec![checks::claude(&health), checks::state_dir(&health.store.state_dir)];
    checks.extend(doctoring.socket_dir.as_deref().map(checks::sockets));
    checks.push(checks::store(&health));
    checks.push(checks::steward(&health));
    checks.push(checks::holders(cx).await);
    if !health.claude.found {
        checks.push(checks::npm().await);
    }
    if args.rehearse {
        checks.extend(rehearse(doctoring.rehearse).await);
    }
    let report = Report { ok: checks.iter().all(|check| check.ok), checks };
    let exit = if report.ok { Exit::Done } else { Exit::Failed };
    cx.out.give(&report, |report| render(&report.checks))?;
    Ok(exit)
}

async fn rehearse(rehearsal: Option<Rehearsal>) -> Vec<Check> {
    let outcome = match rehearsal {
        Some(rehearsal) => rehearsal().await,
        None => Err(OpError::new(ErrorCode::Unsupported, "this program has no rehearsal")
            .hint("`aegis rehearse` runs it by itself")),
    };
    outcome.unwrap_or_else(|error| vec![Check::bad("rehearsal", error.message, error.hint)])
}

fn render(checks: &[Check]) -> String {
    let mut rows = Vec::new();
    for check in checks {
        let mark = if check.ok { "✓" } else { "✗" };
        rows.push(vec![mark.to_owned(), check.name.clone(), text::prose(&check.found)]);
        if let Some(next) = &check.next {
            rows.push(vec![String::new(), String::new(), format!("→ {}", text::hint(next))]);
        }
    }
    text::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_has_a_next_step_below_it() {
        let checks =
            [Check::good("claude", "2.1.0"), Check::bad("store", "does not answer", "look at server_health")];
        assert_eq!(
            render(&checks),
            "✓  claude  2.1.0\n✗  store   does not answer\n           → look at `aegis health`\n"
        );
    }
}
