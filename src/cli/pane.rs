//! `aegis pane`: a session's screen as it is now.

use clap::Args;

use super::{Cx, Exit, Target, text};
use crate::domain::OpError;
use crate::ops::{CapturePane, ScreenPane};

/// What to print of the screen.
#[derive(Clone, Debug, Args)]
pub struct PaneArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: Target,
    /// With colours, as escape sequences
    #[arg(long)]
    pub ansi: bool,
    /// So many lines above the screen too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub scrollback: Option<u32>,
}

pub(super) async fn run(cx: &Cx, args: PaneArgs) -> Result<Exit, OpError> {
    let request =
        CapturePane { session_id: args.target.session, ansi: Some(args.ansi), scrollback: args.scrollback };
    let pane = cx.aegis.capture_pane(&cx.caller, request).await?;
    cx.out.give(&pane, |pane| render(pane, args.ansi))?;
    Ok(Exit::Done)
}

/// The lines without the empty ones below; colours end with the last of them.
fn render(pane: &ScreenPane, ansi: bool) -> String {
    let lines = pane.pane.trim_end_matches(['\n', '\r', ' ']);
    if ansi { format!("{lines}\x1b[0m") } else { text::prose(lines) }
}
