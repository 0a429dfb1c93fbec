//! Claude Code processes, ours and others'.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::terse;
use super::{Aegis, Caller};
use crate::domain::{ConversationId, OpError, SessionId, StatusWord, Timestamp};
use crate::engine;

/// Asks for all Claude Code processes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetSwarm {}

/// All Claude Code processes of this user.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = terse)]
pub struct Swarm {
    /// The oldest first, at most 200.
    pub processes: Vec<SwarmProcess>,
    /// How many more there are.
    pub left_off: usize,
    /// When this was looked at.
    pub scanned_at: Timestamp,
}

/// One Claude Code process.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct SwarmProcess {
    /// Its process id.
    pub pid: u32,
    /// The session of ours that it is, or runs inside of; absent for others'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// That session's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    /// Its directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_dir: Option<String>,
    /// Its conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// What it is doing, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusWord>,
    /// When it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Claude Code's word for its kind of session: `interactive`, `bg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Claude Code's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The state of its background job, in Claude Code's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_state: Option<String>,
    /// Subagents that its conversation has had, the latest 20.
    pub subagents: Vec<SwarmAgent>,
    /// Members of the team that it leads.
    pub teammates: Vec<Teammate>,
}

/// A subagent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct SwarmAgent {
    /// Claude Code's id for it.
    pub id: String,
    /// Its kind of agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    /// When it last said something.
    pub last_activity: Timestamp,
}

/// A member of a team.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Teammate {
    /// Its name in the team.
    pub name: String,
    /// Its kind of agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    /// Whether it works, where that is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

impl Aegis {
    /// Finds every Claude Code process of this user, ours and others'. Nothing is touched.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn get_swarm(&self, caller: &Caller, _: GetSwarm) -> Result<Swarm, OpError> {
        let engine::Swarm { mut processes, left_off } = self.engine.swarm().await?;
        if caller.confined().is_some() {
            // Who sees only its own sessions sees no other process of the user's either.
            let own = self.roster(caller).await?.ids();
            processes.retain(|process| process.session.as_ref().is_some_and(|(id, _)| own.contains(id)));
        }
        let processes = processes.into_iter().map(process).collect();
        Ok(Swarm { processes, left_off, scanned_at: Timestamp::now() })
    }
}

fn process(found: engine::SwarmProcess) -> SwarmProcess {
    let (session_id, session_name) = found.session.unzip();
    let agent = |agent: engine::Subagent| SwarmAgent {
        id: agent.id,
        agent_type: agent.kind,
        last_activity: agent.active_at,
    };
    let member = |member: crate::claude::registry::Member| Teammate {
        name: member.name,
        agent_type: member.kind,
        active: member.active,
    };
    SwarmProcess {
        pid: found.pid,
        session_id,
        session_name,
        work_dir: found.work_dir,
        conversation_id: found.conversation_id,
        status: found.status,
        started_at: found.started_at,
        kind: found.kind,
        version: found.version,
        job_state: found.job,
        subagents: found.subagents.into_iter().map(agent).collect(),
        teammates: found.teammates.into_iter().map(member).collect(),
    }
}
