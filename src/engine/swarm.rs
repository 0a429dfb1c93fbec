//! Every Claude Code process of this user: from the process table, and from what Claude Code writes down itself.
//!
//! Read-only: nothing here is ever signalled, and of arguments and files only what [`registry`] reads is told.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;

use super::Engine;
use super::link::{LISTED_WITHIN, Observed, holder_id, outline};
use crate::claude::live::Activity;
use crate::claude::registry::{self, Registered, Team};
use crate::domain::{ConversationId, ErrorCode, OpError, SessionId, StatusWord, Timestamp};
use crate::holder::process::ProcessId;
use crate::holder::table::{self, Entry};

/// How many processes are told.
const PROCESSES: usize = 200;

/// How many files of one directory are looked at, and how many bytes of one: the real ones have a few hundred.
const FILES: usize = 10_000;
const FILE_BYTES: u64 = 1 << 20;

/// How many subagents and teammates are told of one process, the latest subagents.
const AGENTS: usize = 20;

/// How far up a process's ancestors are followed.
const DEEPEST: usize = 64;

/// All Claude Code processes of this user.
#[derive(Clone, Debug, Default)]
pub struct Swarm {
    /// The oldest first.
    pub processes: Vec<SwarmProcess>,
    /// How many were left off because there were too many.
    pub left_off: usize,
}

/// One Claude Code process.
#[derive(Clone, Debug)]
pub struct SwarmProcess {
    /// Its process id.
    pub pid: u32,
    /// The session of ours that it is, or runs in, with its name.
    pub session: Option<(SessionId, String)>,
    /// Its directory.
    pub work_dir: Option<String>,
    /// Its conversation, where known.
    pub conversation_id: Option<ConversationId>,
    /// What it is doing, where known.
    pub status: Option<StatusWord>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// Claude Code's word for its kind of session.
    pub kind: Option<String>,
    /// Claude Code's version.
    pub version: Option<String>,
    /// Claude Code's word for the state of its background job.
    pub job: Option<String>,
    /// Subagents of its conversation, the latest last.
    pub subagents: Vec<Subagent>,
    /// Members of the team that it leads.
    pub teammates: Vec<registry::Member>,
}

/// A subagent that has a transcript.
#[derive(Clone, Debug)]
pub struct Subagent {
    /// Claude Code's id for it.
    pub id: String,
    /// Its kind of agent.
    pub kind: Option<String>,
    /// When it last said something.
    pub active_at: Timestamp,
}

/// One of our sessions.
struct Ours {
    id: SessionId,
    name: String,
    status: StatusWord,
    /// Its Claude Code process.
    pid: Option<u32>,
    conversation_id: Option<ConversationId>,
    holder: Option<ProcessId>,
}

impl Engine {
    /// Finds every Claude Code process of this user.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn swarm(&self) -> Result<Swarm, OpError> {
        let rows = self.db(|store| store.live_sessions()).await?;
        let seen = join_all(rows.iter().map(|row| self.observe(row, LISTED_WITHIN))).await;
        let mut ours = Vec::new();
        for (row, observed) in rows.iter().zip(seen) {
            let (session, pid) = match observed? {
                Observed::Live(snapshot) => (snapshot.session, snapshot.pid),
                Observed::Ended(_) => continue,
                Observed::Silent => (outline(row, StatusWord::Unknown), None),
                Observed::Launching => (outline(row, StatusWord::Starting), None),
            };
            ours.push(Ours {
                id: session.id,
                name: session.name,
                status: session.status,
                pid,
                conversation_id: session.conversation_id,
                holder: holder_id(row),
            });
        }
        let config_dir = registry::config_dir(&self.environment);
        let found = tokio::task::spawn_blocking(move || gather(&ours, config_dir.as_deref())).await;
        found.map_err(|error| OpError::new(ErrorCode::Internal, format!("the look did not finish: {error}")))
    }
}

fn gather(ours: &[Ours], config_dir: Option<&Path>) -> Swarm {
    let table = table::own_processes();
    let known = Known::read(config_dir);
    let by_pid: HashMap<u32, &Entry> = table.iter().map(|entry| (entry.id.pid, entry)).collect();
    let mut processes: Vec<_> = table.iter().filter_map(|entry| known.tell(entry, &by_pid, ours)).collect();
    processes.sort_by_key(|process| (process.started_at, process.pid));
    let left_off = processes.len().saturating_sub(PROCESSES);
    processes.truncate(PROCESSES);
    for process in &mut processes {
        let Some(id) = process.conversation_id else { continue };
        process.subagents = config_dir.map(|dir| subagents(dir, id)).unwrap_or_default();
        process.teammates = known.teammates(id);
        process.job = known.jobs.get(&id).cloned();
    }
    Swarm { processes, left_off }
}

/// What Claude Code has written down.
#[derive(Default)]
struct Known {
    processes: HashMap<u32, Registered>,
    teams: Vec<Team>,
    jobs: BTreeMap<ConversationId, String>,
}

impl Known {
    fn read(config_dir: Option<&Path>) -> Self {
        let Some(dir) = config_dir else { return Self::default() };
        let live = files(&dir.join("sessions")).filter_map(|path| Registered::parse(&bytes(&path)?));
        let mut processes = HashMap::new();
        for told in live {
            // A second file of one process may lack the status (2.1.260).
            let known = processes.entry(told.live.pid).or_insert_with(|| told.clone());
            if told.live.activity.is_some() {
                *known = told;
            }
        }
        let below = |name: &str, file: &'static str| {
            files(&dir.join(name)).filter_map(move |path| bytes(&path.join(file)))
        };
        Self {
            processes,
            teams: below("teams", "config.json").filter_map(|bytes| Team::parse(&bytes)).collect(),
            jobs: below("jobs", "state.json").filter_map(|bytes| registry::job(&bytes)).collect(),
        }
    }

    /// Tells a process, if it is Claude Code: it looks like it, it is written down as such, or a holder started it.
    fn tell(&self, entry: &Entry, table: &HashMap<u32, &Entry>, ours: &[Ours]) -> Option<SwarmProcess> {
        let pid = entry.id.pid;
        let same = |told: &&Registered| {
            told.live.proc_start.as_ref().is_none_or(|start| *start == entry.id.start.to_string())
        };
        let told = self.processes.get(&pid).filter(same);
        let own = ours.iter().find(|session| session.pid == Some(pid));
        if told.is_none() && own.is_none() && !registry::is_claude(&entry.arguments) {
            return None;
        }
        let session = own.or_else(|| holder_of(entry, table, ours));
        let conversation = told.and_then(|told| told.live.conversation_id);
        let work_dir = told.and_then(|told| told.work_dir.clone());
        let status = told.and_then(|told| told.live.activity.as_ref()).map(status);
        Some(SwarmProcess {
            pid,
            session: session.map(|session| (session.id, session.name.clone())),
            work_dir: work_dir.or_else(|| Some(entry.work_dir.as_ref()?.display().to_string())),
            conversation_id: own
                .and_then(|session| session.conversation_id)
                .or(conversation)
                .or_else(|| registry::conversation(&entry.arguments)),
            status: own.map(|session| session.status).or(status),
            started_at: told.and_then(|told| told.started_at).or(entry.started_at),
            kind: told.and_then(|told| told.kind.clone()),
            version: told.and_then(|told| told.live.version.clone()),
            job: None,
            subagents: Vec::new(),
            teammates: Vec::new(),
        })
    }

    fn teammates(&self, lead: ConversationId) -> Vec<registry::Member> {
        let led = self.teams.iter().filter(|team| team.lead == lead);
        led.flat_map(|team| team.members.iter().cloned()).take(AGENTS).collect()
    }
}

/// The session below whose holder the process runs.
fn holder_of<'a>(entry: &Entry, table: &HashMap<u32, &Entry>, ours: &'a [Ours]) -> Option<&'a Ours> {
    let mut ancestors = std::iter::successors(table.get(&entry.parent), |above| table.get(&above.parent));
    ancestors
        .by_ref()
        .take(DEEPEST)
        .find_map(|above| ours.iter().find(|session| session.holder == Some(above.id)))
}

/// Claude Code's word in ours.
fn status(activity: &Activity) -> StatusWord {
    match activity {
        Activity::Busy => StatusWord::Working,
        Activity::Idle | Activity::Shell => StatusWord::Idle,
        Activity::Waiting(_) => StatusWord::PermissionPrompt,
        Activity::Other(_) => StatusWord::Unknown,
    }
}

/// The subagents of a conversation: `projects/<any>/<conversation>/subagents/agent-<id>.jsonl`.
fn subagents(config_dir: &Path, conversation: ConversationId) -> Vec<Subagent> {
    let below = Path::new(&conversation.to_string()).join("subagents");
    let dirs = files(&config_dir.join("projects")).map(|project| project.join(&below));
    let told = dirs.flat_map(|dir| files(&dir).collect::<Vec<_>>()).filter_map(|path| {
        let id = registry::agent_id(path.file_name()?.to_str()?)?.to_owned();
        let written = fs::metadata(&path).ok()?.modified().ok()?;
        let millis = written.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
        let active_at = Timestamp::from_millis(i64::try_from(millis).ok()?)?;
        Some((path, Subagent { id, kind: None, active_at }))
    });
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(|(_, agent)| agent.active_at);
    let latest = told.split_off(told.len().saturating_sub(AGENTS));
    let with_kind = latest.into_iter().map(|(path, agent)| {
        let kind = bytes(&path.with_extension("meta.json")).and_then(|meta| registry::agent_kind(&meta));
        Subagent { kind, ..agent }
    });
    with_kind.collect()
}

/// What stands in a directory; nothing if it cannot be read.
fn files(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(dir).into_iter().flatten().take(FILES);
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

/// A small file's bytes.
fn bytes(path: &Path) -> Option<Vec<u8>> {
    (fs::metadata(path).ok()?.len() <= FILE_BYTES).then(|| fs::read(path).ok())?
}
