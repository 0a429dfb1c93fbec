//! Creating a session: checked first, then an idle one taken, else a new one launched.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use sha2::{Digest, Sha256};

use super::link::{LISTED_WITHIN, Observed, outline, refused};
use super::names::{LONGEST_NAME, below_any, check_name, check_worktree, make_name, work_dir};
use super::passed::check_passed;
use super::rebuild::{known, record_of};
use super::{Created, Engine, NewSession};
use crate::claude::launch::environment;
use crate::claude::prompt::{self, Unsendable};
use crate::claude::registry;
use crate::config::OnTimeout;
use crate::domain::{
    ConversationId, Delivery, ErrorCode, OpError, Policy, Receipt, SessionId, SessionSpec, StatusWord,
    Timestamp,
};
use crate::fault;
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::launch::FirstPrompt;
use crate::holder::{HolderError, HolderLaunch, SessionDir, process};
use crate::store::{SessionRow, Store};
use crate::wire::{Claimed, Request};

/// The silences after which a turn may count as stalled, in milliseconds; as in the configuration.
const STALL_THRESHOLDS: std::ops::RangeInclusive<u64> = 1000..=86_400_000;

/// How long the file of a conversation that has begun may take to be there.
const TRANSCRIPT_WITHIN: Duration = Duration::from_secs(2);

/// The most directories that can be added.
const MOST_DIRS: usize = 20;

impl Engine {
    /// Creates a session, or takes an idle one.
    ///
    /// # Errors
    ///
    /// Those of `create_session`.
    pub async fn create(&self, new: NewSession) -> Result<Created, OpError> {
        match new.idempotency_key.clone() {
            // Two callers may choose the same.
            Some(key) => {
                let key = scoped(new.owner_key.as_deref(), key);
                self.create_under(&key, fingerprint(&new), &new).await
            }
            None => self.create_once(SessionId::mint(), &new).await,
        }
    }

    pub(super) async fn create_once(&self, id: SessionId, asked: &NewSession) -> Result<Created, OpError> {
        let mut new = self.prepared(asked).await?;
        if let (None, Some(parent)) = (&new.owner_key, new.parent) {
            new.owner_key =
                self.db(move |store| store.session(parent)).await?.and_then(|row| row.spec.owner_key);
        }
        let new = &new;
        let dir = work_dir(&new.work_dir, &self.config(), &self.paths.state_dir)?;
        if let Some(name) = &new.name {
            check_name(name, LONGEST_NAME)?;
        }
        if let Some(name) = &new.worktree {
            check_worktree(name, &dir)?;
        }
        check_passed(new)?;
        if new.stall_threshold_ms.is_some_and(|millis| !STALL_THRESHOLDS.contains(&millis)) {
            let what = "stallThresholdMs must be from 1000 to 86400000";
            return Err(OpError::new(ErrorCode::InvalidArgument, what));
        }
        Policy { rules: new.policy.clone() }
            .check()
            .map_err(|what| OpError::new(ErrorCode::InvalidArgument, format!("permissionPolicy: {what}")))?;
        let add_dirs = self.added(&new.add_dirs)?;
        let resume = match &new.resume {
            Some(reference) => {
                let (conversation, goes_on) = self.conversation(reference).await?;
                Some((conversation, goes_on || new.fork))
            }
            None => None,
        };
        let spec = self.spec(id, new, dir, add_dirs, resume);
        if new.reuse
            && resume.is_none()
            && new.worktree.is_none()
            && let Some(created) = self.take_idle(&spec, new).await?
        {
            return Ok(created);
        }
        // The key stands for what was asked: a template or the memory may be another when it is asked again.
        let key = new.idempotency_key.clone().map(|key| (key, fingerprint(asked)));
        self.launch(spec, new, key).await
    }

    /// Checks a prompt before anything is started for it.
    pub(super) fn check_prompt(&self, text: &str) -> Result<(), OpError> {
        prompt::typed(text, self.prompt_limit()).map(drop).map_err(|unsendable| {
            let code = match unsendable {
                Unsendable::TooLong { .. } => ErrorCode::PromptTooLarge,
                Unsendable::Blank | Unsendable::Control { .. } => ErrorCode::PromptRefused,
            };
            OpError::new(code, unsendable.to_string())
        })
    }

    fn prompt_limit(&self) -> usize {
        usize::try_from(self.config().max_prompt_bytes).unwrap_or(usize::MAX)
    }

    fn added(&self, dirs: &[String]) -> Result<Vec<PathBuf>, OpError> {
        if dirs.len() > MOST_DIRS {
            return Err(OpError::new(
                ErrorCode::InvalidArgument,
                format!("addDirs names more than {MOST_DIRS}"),
            ));
        }
        dirs.iter().map(|dir| work_dir(dir, &self.config(), &self.paths.state_dir)).collect()
    }

    fn spec(
        &self,
        id: SessionId,
        new: &NewSession,
        dir: PathBuf,
        add_dirs: Vec<PathBuf>,
        resume: Option<(ConversationId, bool)>,
    ) -> SessionSpec {
        let (conversation, fork) = match resume {
            Some((conversation, false)) => (conversation, false),
            Some((_, true)) | None => (fresh_conversation(), resume.is_some()),
        };
        let mut spec = SessionSpec {
            id,
            name: new.name.clone().unwrap_or_else(|| make_name(&dir, id)),
            permission_mode: new.permission_mode.unwrap_or(self.config().permission_mode),
            model: new.model.clone().or_else(|| self.config().model.clone()),
            resume: resume.map(|(conversation, _)| conversation),
            fork,
            conversation_id: conversation,
            append_system_prompt: new.append_system_prompt.clone(),
            add_dirs,
            env_names: new.env.keys().cloned().collect(),
            owner: match (new.parent, &new.owner_key) {
                (Some(parent), _) => format!("session:{parent}"),
                (None, Some(key)) => format!("key:{key}"),
                (None, None) => "local".into(),
            },
            owner_key: new.owner_key.clone(),
            parent_id: new.parent,
            settings_key: String::new(),
            worktree: new.worktree.clone(),
            stall_threshold_ms: new.stall_threshold_ms.unwrap_or(self.config().stall_threshold_ms),
            trusted: below_any(&dir, &self.config().trusted_roots),
            policy: Policy { rules: [&*new.policy, &*self.config().permission_policy.rules].concat() },
            created_at: Timestamp::now(),
            work_dir: dir,
        };
        spec.settings_key = settings_key(&spec, new);
        spec
    }

    /// Finds the conversation to resume, and whether it must be copied because it goes on elsewhere.
    pub(super) async fn conversation(&self, reference: &str) -> Result<(ConversationId, bool), OpError> {
        let none = |what: String| OpError::new(ErrorCode::NoSuchConversation, what);
        let found = self.db({
            let reference = reference.trim().to_owned();
            move |store| store.find_sessions(&reference)
        });
        if !found.await?.is_empty() {
            let row = self.row(reference).await?;
            return match self.observe(&row, ANSWERS_WITHIN).await? {
                Observed::Live(snapshot) => {
                    let last = snapshot.conversations.last().copied();
                    // Bound at the start, but in no file before the first prompt.
                    let written = match (&snapshot.transcript_path, &snapshot.session.last_message) {
                        (Some(path), Some(_)) => appears(Path::new(path)).await,
                        (Some(path), None) => Path::new(path).is_file(),
                        (None, _) => false,
                    };
                    let last = last.filter(|_| written);
                    Ok((
                        last.ok_or_else(|| none(format!("session `{reference}` has no conversation yet")))?,
                        true,
                    ))
                }
                Observed::Ended(session) => {
                    // The one it was launched with, if a damaged journal does not tell of another.
                    let last = session.conversation_id.unwrap_or(row.spec.conversation_id);
                    self.must_exist(last)?;
                    Ok((last, self.is_live(last).await?))
                }
                Observed::Silent | Observed::Launching => Err(OpError::new(
                    ErrorCode::HolderUnreachable,
                    format!("session `{reference}` does not answer"),
                )),
            };
        }
        let conversation: ConversationId = reference
            .trim()
            .parse()
            .map_err(|_| none(format!("`{reference}` is neither a session nor a conversation id")))?;
        self.must_exist(conversation)?;
        Ok((conversation, self.is_live(conversation).await?))
    }

    /// A conversation that never got a prompt has no file and cannot be resumed; Claude Code would only exit.
    fn must_exist(&self, conversation: ConversationId) -> Result<(), OpError> {
        let file = format!("{conversation}.jsonl");
        let projects = registry::config_dir(&self.environment).map(|dir| dir.join("projects"));
        let dirs =
            projects.into_iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().filter_map(Result::ok);
        if dirs.map(|dir| dir.path().join(&file)).any(|path| path.is_file()) {
            return Ok(());
        }
        let what = format!("Claude Code has no conversation {conversation}");
        Err(OpError::new(ErrorCode::NoSuchConversation, what))
    }

    async fn is_live(&self, conversation: ConversationId) -> Result<bool, OpError> {
        let rows = self.db(|store| store.live_sessions()).await?;
        let observed = join_all(rows.iter().map(|row| self.observe(row, LISTED_WITHIN))).await;
        for (row, observed) in rows.iter().zip(observed) {
            let here = match observed? {
                Observed::Live(snapshot) => snapshot.conversations.last() == Some(&conversation),
                // It may be: a copy harms nobody, two writers of one file would.
                Observed::Silent | Observed::Launching => {
                    [Some(row.spec.conversation_id), row.spec.resume].contains(&Some(conversation))
                }
                Observed::Ended(_) => false,
            };
            if here {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes an idle session with the same directory, owner and settings, if there is one. Each holder gives itself
    /// to one caller only.
    async fn take_idle(&self, spec: &SessionSpec, new: &NewSession) -> Result<Option<Created>, OpError> {
        let (dir, owner, settings) = (spec.work_dir.clone(), spec.owner.clone(), spec.settings_key.clone());
        let rows = self.db(move |store| store.reusable(&dir, &owner, &settings)).await?;
        let named = |row: &SessionRow| new.name.as_ref().is_none_or(|name| *name == row.spec.name);
        // A session never takes itself or its ancestors.
        let line = match new.parent {
            Some(parent) => self.lineage(parent).await?,
            None => Vec::new(),
        };
        let rows: Vec<_> =
            rows.into_iter().filter(|row| named(row) && !line.contains(&row.spec.id)).collect();
        let observed = join_all(rows.iter().map(|row| self.observe(row, LISTED_WITHIN))).await;
        for (row, observed) in rows.iter().zip(observed) {
            let Observed::Live(snapshot) = observed? else { continue };
            // Whoever asked before with this key was killed before it could write down which session it took.
            let ours = |receipt: &&Receipt| {
                receipt.idempotency_key.is_some() && receipt.idempotency_key == new.idempotency_key
            };
            if let Some(receipt) = snapshot.receipts.iter().find(ours).cloned() {
                return Ok(Some(Created { session: snapshot.session, reused: true, receipt: Some(receipt) }));
            }
            // Its mode may have been changed since; then it is not the session that is asked for.
            if snapshot.session.status != StatusWord::Idle || snapshot.permission_mode != spec.permission_mode
            {
                continue;
            }
            let request = Request::Claim {
                prompt: new.prompt.clone(),
                key: new.idempotency_key.clone(),
                by: new.by.clone(),
            };
            let claimed = match self.link(row.spec.id, &row.socket, LISTED_WITHIN).await {
                Ok(client) => client.ask::<Claimed>(request, LISTED_WITHIN).await,
                Err(error) => Err(error),
            };
            match claimed {
                Ok(Claimed { snapshot, receipt }) => {
                    return Ok(Some(Created { session: snapshot.session, reused: true, receipt }));
                }
                Err(HolderError::Refused(refusal))
                    if refusal.code == crate::wire::RefusalCode::NotClaimable => {}
                Err(HolderError::Refused(refusal)) => return Err(refused(refusal)),
                Err(error) => {
                    tracing::debug!(%error, session = %row.spec.id, "an idle session could not be taken")
                }
            }
        }
        Ok(None)
    }

    async fn launch(
        &self,
        spec: SessionSpec,
        new: &NewSession,
        key: Option<(String, String)>,
    ) -> Result<Created, OpError> {
        let program = self.supported_program().await?;
        let id = spec.id;
        let storage = |error: std::io::Error| {
            OpError::new(ErrorCode::StorageFailed, format!("the session's directory cannot be made: {error}"))
        };
        let dir = SessionDir::new(self.paths.session_dir(id));
        dir.create().map_err(storage)?;
        let row = SessionRow {
            spec: spec.clone(),
            session_dir: dir.root().to_owned(),
            socket: self.paths.socket(id),
            boot_id: process::boot_id(),
            holder_pid: None,
            holder_start: None,
            ended: None,
        };
        record_of(&row, key).write(&dir).map_err(storage)?;
        let record = row.clone();
        let insert = move |store: &dyn Store| {
            let inserted = store.insert_session(&record);
            if known(&inserted, id) { Ok(()) } else { inserted }
        };
        if let Err(error) = self.db(insert).await {
            let _ = dir.remove();
            return Err(error);
        }
        fault::point("server.create.row");
        let launch = self.holder_launch(spec, new, &row, program.path, program.version);
        match self.start_holder(&launch).await {
            Ok(holder) => {
                fault::point("server.create.holder");
                self.db(move |store| store.set_holder(id, holder.pid, holder.start)).await?;
            }
            Err(error) => {
                // The holder may have launched Claude Code after all; only its lock tells that nothing runs.
                if let Ok(Some(_lock)) = dir.try_lock() {
                    self.db(move |store| store.delete_session(id)).await?;
                    let _ = dir.remove();
                }
                return Err(error);
            }
        }
        let row = self.row_of(id).await?;
        let (session, receipts) = match self.observe(&row, ANSWERS_WITHIN).await? {
            Observed::Live(snapshot) => (snapshot.session, snapshot.receipts),
            Observed::Ended(session) => (*session, Vec::new()),
            Observed::Silent | Observed::Launching => (outline(&row, StatusWord::Starting), Vec::new()),
        };
        let receipt = receipts.into_iter().next().or(launch.prompt.map(|first| first.receipt));
        Ok(Created { session, reused: false, receipt })
    }

    fn holder_launch(
        &self,
        spec: SessionSpec,
        new: &NewSession,
        row: &SessionRow,
        program: PathBuf,
        program_version: Option<String>,
    ) -> HolderLaunch {
        let limit = self.prompt_limit();
        let prompt = new.prompt.as_ref().map(|text| FirstPrompt {
            as_argument: prompt::fits_argument(text, limit),
            receipt: Receipt::new(
                spec.id,
                new.idempotency_key.clone(),
                Delivery::Paste,
                text.len(),
                Timestamp::now(),
            ),
            text: text.clone(),
        });
        HolderLaunch {
            spec,
            dir: row.session_dir.clone(),
            socket: row.socket.clone(),
            program,
            program_version,
            aegis: self.aegis.clone(),
            environment: environment(&self.environment, &self.config().pass_env, &new.env),
            prompt,
            size: (self.config().terminal.cols, self.config().terminal.rows),
            max_prompt_bytes: limit,
            startup_timeout_ms: self.config().startup_timeout_ms,
            deny_after_ms: (self.config().on_timeout == OnTimeout::Deny)
                .then_some(self.config().hook_ask_timeout_ms),
        }
    }
}

/// A caller's idempotency key as it is kept.
pub(super) fn scoped(owner_key: Option<&str>, key: String) -> String {
    match owner_key {
        Some(owner) => format!("key:{owner}/{key}"),
        None => key,
    }
}

/// Waits for the transcript of a conversation that has begun: its first lines come up to a second after they are told.
async fn appears(path: &Path) -> bool {
    let until = tokio::time::Instant::now() + TRANSCRIPT_WITHIN;
    // Claude Code tells nobody when it has written.
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    while !path.is_file() {
        if tokio::time::Instant::now() > until {
            return false;
        }
        pause.tick().await;
    }
    true
}

fn fresh_conversation() -> ConversationId {
    ConversationId::mint()
}

/// A hash over all settings that a reuse must share. Values of variables go in only here.
fn settings_key(spec: &SessionSpec, new: &NewSession) -> String {
    let settings = serde_json::json!([
        spec.permission_mode,
        spec.model,
        spec.append_system_prompt,
        spec.add_dirs,
        new.env,
        spec.stall_threshold_ms,
        spec.policy,
    ]);
    match new.pipeline {
        None => digest(&settings),
        Some(pipeline) => digest(&serde_json::json!([settings, pipeline])),
    }
}

/// A hash over a whole request, so that a key cannot stand for two.
fn fingerprint(new: &NewSession) -> String {
    let mut whole = serde_json::json!([
        new.work_dir,
        new.name,
        new.prompt,
        new.permission_mode,
        new.model,
        new.resume,
        new.append_system_prompt,
        new.add_dirs,
        new.env,
        new.worktree,
        new.reuse,
        new.policy,
    ]);
    // A request without these has the hash that it had before there were these.
    let more = new.template.is_some() || new.memory_keys.is_some() || !new.variables.is_empty();
    if let (true, Some(parts)) = (more, whole.as_array_mut()) {
        parts.push(serde_json::json!([new.template, new.variables, new.memory_keys]));
    }
    if let (true, Some(parts)) = (new.fork || new.stall_threshold_ms.is_some(), whole.as_array_mut()) {
        parts.push(serde_json::json!({ "fork": new.fork, "stall": new.stall_threshold_ms }));
    }
    digest(&whole)
}

pub(super) fn digest(value: &serde_json::Value) -> String {
    Sha256::digest(value.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
