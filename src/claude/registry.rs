//! Who else runs: what Claude Code's processes look like, and what it writes down about them below its configuration
//! directory. Undocumented, found by running 2.1.197 and, for teams, read in the bundle of 2.1.330.
//!
//! Only names, ids, directories and states are read. Prompts stand in some of these files and in arguments; they stay
//! there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::live::Live;
use crate::domain::{ConversationId, Timestamp};

/// Claude Code's configuration directory in this environment: `CLAUDE_CONFIG_DIR`, else `.claude` in the home.
#[must_use]
pub fn config_dir(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(Path::new);
    set("CLAUDE_CONFIG_DIR").map(PathBuf::from).or_else(|| Some(set("HOME")?.join(".claude")))
}

/// A process as its live file, `sessions/<pid>.json`, tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// What the holder reads of it too.
    pub live: Live,
    /// The directory it was started in.
    pub work_dir: Option<String>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// Claude Code's own word for what kind of session it is: `interactive`, `bg`.
    pub kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRegistered {
    cwd: Option<String>,
    started_at: Option<i64>,
    kind: Option<String>,
}

impl Registered {
    /// Reads a live file's bytes; `None` while they are not whole.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let raw: RawRegistered = serde_json::from_slice(bytes).ok()?;
        Some(Self {
            live: Live::parse(bytes)?,
            work_dir: raw.cwd,
            started_at: raw.started_at.and_then(Timestamp::from_millis),
            kind: raw.kind,
        })
    }
}

/// A team, as `teams/<name>/config.json` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// The conversation that leads it.
    pub lead: ConversationId,
    /// Those it leads.
    pub members: Vec<Member>,
}

/// A member of a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name in the team.
    pub name: String,
    /// Its kind of agent.
    pub kind: Option<String>,
    /// Whether it works, where that is told.
    pub active: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTeam {
    lead_agent_id: Option<String>,
    lead_session_id: Option<String>,
    #[serde(default)]
    members: Vec<RawMember>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMember {
    agent_id: Option<String>,
    name: Option<String>,
    agent_type: Option<String>,
    is_active: Option<bool>,
}

impl Team {
    /// Reads a team's file; `None` if it is not whole or names no leading conversation.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let raw: RawTeam = serde_json::from_slice(bytes).ok()?;
        let lead = raw.lead_session_id?.parse().ok()?;
        let led = raw.members.into_iter().filter(|member| member.agent_id != raw.lead_agent_id);
        let members = led
            .filter_map(|member| {
                Some(Member { name: member.name?, kind: member.agent_type, active: member.is_active })
            })
            .collect();
        Some(Self { lead, members })
    }
}

/// Reads of a background job's `jobs/<id>/state.json` which conversation it is, and its state in Claude Code's word
/// (`working`, `blocked`, `stopped`).
#[must_use]
pub fn job(bytes: &[u8]) -> Option<(ConversationId, String)> {
    let job: Value = serde_json::from_slice(bytes).ok()?;
    Some((job.get("sessionId")?.as_str()?.parse().ok()?, job.get("state")?.as_str()?.to_owned()))
}

/// Reads of a subagent's `agent-<id>.meta.json` what kind of agent it is.
#[must_use]
pub fn agent_kind(bytes: &[u8]) -> Option<String> {
    let meta: Value = serde_json::from_slice(bytes).ok()?;
    Some(meta.get("agentType")?.as_str()?.to_owned())
}

/// The id of the subagent whose transcript has this file name.
#[must_use]
pub fn agent_id(file_name: &str) -> Option<&str> {
    file_name.strip_prefix("agent-")?.strip_suffix(".jsonl")
}

/// Whether a process with these arguments is Claude Code: the native program, or the script of the npm package.
#[must_use]
pub fn is_claude(arguments: &[String]) -> bool {
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let named = |path: &String| matches!(base(path).as_str(), "claude" | "claude.exe");
    match arguments {
        [] => false,
        [program, rest @ ..] => {
            let script = |path: &String| path.ends_with("/claude-code/cli.js") || named(path);
            named(program)
                || (matches!(base(program).as_str(), "node" | "bun") && rest.first().is_some_and(script))
        }
    }
}

/// The conversation that arguments name. Nothing else of them is told: they may hold a prompt.
#[must_use]
pub fn conversation(arguments: &[String]) -> Option<ConversationId> {
    let options = arguments.iter().take_while(|argument| *argument != "--");
    let after = |name: &str| {
        let at = options.clone().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    after("--session-id").or_else(|| after("--resume")).or_else(|| after("-r"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ID: &str = "06c89f1c-2dad-43ac-bffc-9723d61b9c8b";

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_live_file_of_2_1_197_tells_the_process() {
        let told = Registered::parse(
            br#"{"pid":1135,"sessionId":"06c89f1c-2dad-43ac-bffc-9723d61b9c8b","cwd":"/w","startedAt":1795337042671,"procStart":"458100","version":"2.1.197","kind":"interactive","name":"live one","status":"idle","updatedAt":1795337048950}"#,
        )
        .unwrap();
        assert_eq!(
            (told.live.pid, told.work_dir.as_deref(), told.kind.as_deref()),
            (1135, Some("/w"), Some("interactive"))
        );
        assert_eq!(told.started_at.unwrap().millis(), 1_795_337_042_671);
        assert_eq!(Registered::parse(b"{\"pid\":11"), None);
    }

    #[test]
    fn a_team_is_its_members_without_the_lead_and_without_their_prompts() {
        let team = Team::parse(
            br#"{"name":"t","leadAgentId":"lead@t","leadSessionId":"06c89f1c-2dad-43ac-bffc-9723d61b9c8b","members":[
                {"agentId":"lead@t","name":"team-lead","agentType":"team-lead"},
                {"agentId":"a@t","name":"a","agentType":"general-purpose","prompt":"secret","isActive":false},
                {"agentId":"b@t"}]}"#,
        )
        .unwrap();
        let member = Member { name: "a".into(), kind: Some("general-purpose".into()), active: Some(false) };
        assert_eq!(team, Team { lead: ID.parse().unwrap(), members: vec![member] });
        assert_eq!(Team::parse(br#"{"members":[]}"#), None);
    }

    #[test]
    fn jobs_and_agents_are_told_by_id_and_kind() {
        let state = format!(r#"{{"state":"working","sessionId":"{ID}","intent":"secret"}}"#);
        assert_eq!(job(state.as_bytes()), Some((ID.parse().unwrap(), "working".into())));
        assert_eq!(agent_kind(br#"{"agentType":"Explore","description":"x"}"#), Some("Explore".into()));
        assert_eq!(agent_id("agent-a1.jsonl"), Some("a1"));
        assert_eq!(agent_id("agent-a1.meta.json"), None);
    }

    #[rstest]
    #[case("claude", true)]
    #[case("/home/u/.local/bin/claude --resume x", true)]
    #[case("/n/@anthropic-ai/claude-code/bin/claude.exe -p hi", true)]
    #[case("node /n/@anthropic-ai/claude-code/cli.js", true)]
    #[case("/usr/bin/node /usr/local/bin/claude", true)]
    #[case("vim /home/u/claude", false)]
    #[case("bash -c claude", false)]
    #[case("claude-desktop", false)]
    #[case("", false)]
    fn a_process_is_known_by_its_arguments(#[case] line: &str, #[case] claude: bool) {
        assert_eq!(is_claude(&words(line)), claude);
    }

    #[test]
    fn of_arguments_only_the_conversation_is_told() {
        let id = ID.parse().unwrap();
        assert_eq!(conversation(&words(&format!("claude --session-id {ID} -- hello"))), Some(id));
        assert_eq!(conversation(&words(&format!("claude -r {ID}"))), Some(id));
        assert_eq!(conversation(&words(&format!("claude -- --resume {ID}"))), None, "that is a prompt");
        assert_eq!(conversation(&words("claude --resume named")), None);
    }
}
