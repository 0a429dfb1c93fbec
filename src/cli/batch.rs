//! `aegis batch`: many sessions at once, from JSON.

use std::io::Read;

use clap::Args;

use super::args::Format;
use super::{Cx, Exit, text};
use crate::domain::{ErrorCode, OpError};
use crate::ops::{BatchCreateSessions, BatchResult, SessionsCreated};

/// Which sessions to start.
#[derive(Clone, Debug, Args)]
pub struct BatchArgs {
    /// A JSON file `{"sessions": [{"workDir": …, "prompt": …}, …]}`, as for the tool `batch_create_sessions`; `-` reads
    /// stdin
    pub file: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub format: Format,
}

pub(super) async fn run(cx: &Cx, args: BatchArgs) -> Result<Exit, OpError> {
    let request: BatchCreateSessions = serde_json::from_str(&contents(&args.file)?).map_err(|error| {
        OpError::new(ErrorCode::InvalidArgument, format!("{}: {error}", args.file))
            .hint("give {\"sessions\": [{\"workDir\": \"/…\"}]}; schemas/tools has every field")
    })?;
    let created = cx.aegis.batch_create_sessions(&cx.caller, request).await?;
    cx.out.give(&created, render)?;
    Ok(if created.failed == 0 { Exit::Done } else { Exit::Failed })
}

fn contents(file: &str) -> Result<String, OpError> {
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().read_to_string(&mut text),
        path => std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|error| OpError::new(ErrorCode::InvalidArgument, format!("cannot read {file}: {error}")))?;
    Ok(text)
}

fn render(created: &SessionsCreated) -> String {
    let row = |(at, result): (usize, &BatchResult)| {
        let told = match (&result.session, &result.error) {
            (Some(created), _) => {
                let session = &created.session;
                [text::short(session.id), text::prose(&session.name), session.status.as_str().into()]
            }
            (None, Some(error)) => ["-".into(), error.code.as_str().into(), text::clip(&error.message, 80)],
            (None, None) => ["-".into(), "?".into(), String::new()],
        };
        std::iter::once((at + 1).to_string()).chain(told).collect()
    };
    text::table(&created.results.iter().enumerate().map(row).collect::<Vec<_>>())
}
