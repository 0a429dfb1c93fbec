//! `aegis swarm`: every Claude Code process of this user.

use super::args::Format;
use super::{Cx, Exit, text};
use crate::domain::{OpError, Timestamp};
use crate::ops::{GetSwarm, Swarm, SwarmProcess};

pub(super) async fn run(cx: &Cx, _: Format) -> Result<Exit, OpError> {
    let swarm = cx.aegis.get_swarm(&cx.caller, GetSwarm {}).await?;
    cx.out.give(&swarm, |swarm| render(swarm, Timestamp::now()))?;
    Ok(Exit::Done)
}

fn render(swarm: &Swarm, now: Timestamp) -> String {
    if swarm.processes.is_empty() {
        return "no Claude Code process runs\n".into();
    }
    let heads = ["PID", "SESSION", "STATUS", "AGE", "AGENTS", "CONVERSATION", "DIRECTORY"];
    let mut rows = vec![heads.map(String::from).to_vec()];
    rows.extend(swarm.processes.iter().map(|process| row(process, now)));
    let mut shown = text::table(&rows);
    if swarm.left_off > 0 {
        shown.push_str(&format!("{} more are left off\n", swarm.left_off));
    }
    shown
}

fn row(process: &SwarmProcess, now: Timestamp) -> Vec<String> {
    let none = || "–".to_owned();
    let agents = process.subagents.len() + process.teammates.len();
    vec![
        process.pid.to_string(),
        process.session_name.as_ref().map_or_else(none, |name| text::clip(name, 30)),
        process.status.map_or_else(none, |status| status.as_str().to_owned()),
        process.started_at.map_or_else(none, |at| text::ago(at, now)),
        if agents == 0 { none() } else { agents.to_string() },
        process.conversation_id.map_or_else(none, text::short),
        process.work_dir.as_ref().map_or_else(none, |dir| text::prose(dir)),
    ]
}
