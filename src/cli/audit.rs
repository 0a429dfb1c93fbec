//! `aegis audit`: what was done, and by whom.

use clap::{Args, Subcommand, ValueEnum};

use super::args::Format;
use super::{Cx, Exit, text};
use crate::access::audit::{self, AuditRecord, Verdict};
use crate::domain::{ErrorCode, OpError, Timestamp};
use crate::ops::{AuditPage, AuditQuery, ExportAudit, GetAudit, VerifyAudit};

/// What to do with the log.
#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// List what was done, the newest last
    #[command(visible_alias = "ls")]
    List(ListAuditArgs),
    /// Print all that fits, as lines of JSON or CSV
    Export(ExportAuditArgs),
    /// Tell whether anything was changed, left out, added or cut off
    Verify(Format),
}

/// Which records.
#[derive(Clone, Debug, Default, Args)]
pub struct AuditFilter {
    /// Only this actor's: local, session:ID, master, key:NAME
    #[arg(long)]
    pub actor: Option<String>,
    /// Only the key's with this id
    #[arg(long, value_name = "ID")]
    pub key: Option<String>,
    /// Only this operation, such as `create_session`
    #[arg(long)]
    pub action: Option<String>,
    /// Only those about the session with this id
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// Not before this time (2026-11-25T09:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Not after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Timestamp>,
}

/// Which records to list.
#[derive(Clone, Debug, Args)]
pub struct ListAuditArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub filter: AuditFilter,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: Option<u16>,
    /// Go back from where the page before began
    #[arg(long)]
    pub cursor: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// Which records to print.
#[derive(Clone, Debug, Args)]
pub struct ExportAuditArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub filter: AuditFilter,
    /// How: csv, or ndjson
    #[arg(long = "as", value_enum, value_name = "FORMAT", default_value = "ndjson")]
    pub kind: ExportKind,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

/// How records are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportKind {
    /// Comma-separated values
    Csv,
    /// One JSON object a line
    Ndjson,
}

impl AuditCommand {
    pub(super) fn json(&self) -> bool {
        match self {
            Self::List(args) => args.format.json,
            Self::Export(args) => args.format.json,
            Self::Verify(format) => format.json,
        }
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "a time as 2026-11-25T09:00:00Z".to_owned())
}

impl From<AuditFilter> for AuditQuery {
    fn from(filter: AuditFilter) -> Self {
        let AuditFilter { actor, key, action, session, from, to } = filter;
        Self { actor, actor_key_id: key, action, session_id: session, from, to }
    }
}

pub(super) async fn run(cx: &Cx, command: AuditCommand) -> Result<Exit, OpError> {
    match command {
        AuditCommand::List(args) => {
            let request = GetAudit {
                query: args.filter.into(),
                limit: args.limit.map(usize::from),
                cursor: args.cursor,
                page: None,
            };
            let page = cx.aegis.get_audit(&cx.caller, request).await?;
            cx.out.give(&page, render)?;
            if let (Some(cursor), false) = (&page.next_cursor, cx.out.json) {
                cx.out.note(&format!("there are older ones: --cursor {cursor}"));
            }
            Ok(Exit::Done)
        }
        AuditCommand::Export(args) => {
            let format = match args.kind {
                ExportKind::Csv => audit::Format::Csv,
                ExportKind::Ndjson => audit::Format::Ndjson,
            };
            let request = ExportAudit { query: args.filter.into(), format };
            let export = cx.aegis.export_audit(&cx.caller, request).await?;
            let out = cx.out;
            let written = tokio::task::spawn_blocking(move || export.write(|line| out.answer(&line))).await;
            written.map_err(|error| OpError::new(ErrorCode::Internal, error.to_string()))??;
            Ok(Exit::Done)
        }
        AuditCommand::Verify(_) => {
            let verdict = cx.aegis.verify_audit(&cx.caller, VerifyAudit {}).await?;
            cx.out.give(&verdict, told)?;
            Ok(if verdict.valid { Exit::Done } else { Exit::Failed })
        }
    }
}

fn told(verdict: &Verdict) -> String {
    match &verdict.broken {
        None if verdict.records == 0 => "nothing was written down yet".into(),
        None => format!(
            "whole: {}; the last one's hash is {}",
            text::count(usize::try_from(verdict.records).unwrap_or(usize::MAX), "record"),
            verdict.last_hash
        ),
        Some(broken) if broken.line == 0 => format!("broken: {}: {}", broken.file, broken.what),
        Some(broken) => format!("broken: {}, line {}: {}", broken.file, broken.line, broken.what),
    }
}

/// A line a record: when, who, through what, which operation, which session, how it came out, and more about what.
fn render(page: &AuditPage) -> String {
    if page.records.is_empty() {
        return "nothing was written down\n".into();
    }
    let row = |record: &AuditRecord| {
        vec![
            record.ts.to_string(),
            text::prose(&record.actor),
            text::prose(&record.surface),
            text::prose(&record.action),
            record.session_id.map_or("-".into(), text::short),
            text::prose(&record.outcome),
            text::clip(&record.detail, 60),
        ]
    };
    text::table(&page.records.iter().map(row).collect::<Vec<_>>())
}
