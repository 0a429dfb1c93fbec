//! Records as lines of JSON or CSV, as many as there are.

use std::ops::ControlFlow;

use super::log::{AuditError, AuditLog};
use super::query::{AuditQuery, Chain};
use super::record::AuditRecord;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values, with a line of names first (RFC 4180).
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// The records that fit, to be written.
#[derive(Debug)]
pub struct Export {
    log: AuditLog,
    query: AuditQuery,
    format: Format,
    /// All of them, summed up.
    pub chain: Chain,
}

impl AuditLog {
    /// Counts the records that fit; the export then writes exactly those.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn export(&self, query: AuditQuery, format: Format) -> Result<Export, AuditError> {
        let mut chain = Chain::default();
        self.each(|record| {
            if query.wants(&record) {
                chain.add(&record);
            }
            ControlFlow::Continue(())
        })?;
        chain.close();
        Ok(Export { log: self.clone(), query, format, chain })
    }
}

impl Export {
    /// Writes everything through `tell`, a line at a time, until that says that nobody reads any more.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn write(self, mut tell: impl FnMut(String) -> bool) -> Result<(), AuditError> {
        let Self { log, query, format, chain } = self;
        if format == Format::Csv
            && !tell("ts,actor,action,sessionId,detail,outcome,surface,prevHash,hash\r\n".into())
        {
            return Ok(());
        }
        let mut left = chain.count;
        if left == 0 {
            return Ok(());
        }
        log.each(|record| {
            if !query.wants(&record) {
                return ControlFlow::Continue(());
            }
            left -= 1;
            let line = match format {
                Format::Ndjson => format!("{}\n", record.text()),
                Format::Csv => row(&record),
            };
            if tell(line) && left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    }
}

fn row(record: &AuditRecord) -> String {
    let cells = [
        record.ts.to_string(),
        record.actor.clone(),
        record.action.clone(),
        record.session_id.map(|id| id.to_string()).unwrap_or_default(),
        record.detail.clone(),
        record.outcome.clone(),
        record.surface.clone(),
        record.prev_hash.clone(),
        record.hash.clone(),
    ];
    format!("{}\r\n", cells.map(|cell| cell_of(&cell)).join(","))
}

/// One cell. What a spreadsheet would run as a formula gets an apostrophe before it, which makes it a text.
fn cell_of(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r', '\t']) || formula {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
