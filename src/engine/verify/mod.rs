//! A project's own checks, run in the directory of a session: whether it type-checks, builds and passes its tests.

mod step;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::step::run;
use super::Engine;
use super::repository::read;
use crate::claude::launch::environment;
use crate::domain::{
    Decision, ErrorCode, OpError, Policy, SessionId, SessionSpec, Verdict, Verification, VerificationStep,
};
use crate::holder::client::ANSWERS_WITHIN;
use crate::wire::Request;

/// How many projects one server checks at once: each check may take all cores.
static ROOM: Semaphore = Semaphore::const_new(2);

/// How long types may be checked. As existing clients expect of the call.
const TYPES_WITHIN: Duration = Duration::from_secs(120);

/// How long a build or the tests may take. As existing clients expect of the call.
const SCRIPT_WITHIN: Duration = Duration::from_secs(180);

/// The tool of Claude Code under whose rules programs are run.
const SHELL: &str = "Bash";

/// A program to run.
struct Check {
    name: &'static str,
    line: &'static [&'static str],
    within: Duration,
}

const TYPES: Check =
    Check { name: "tsc", line: &["npx", "--no-install", "tsc", "--noEmit"], within: TYPES_WITHIN };
const BUILD: Check = Check { name: "build", line: &["npm", "run", "build"], within: SCRIPT_WITHIN };
const TEST: Check = Check { name: "test", line: &["npm", "test"], within: SCRIPT_WITHIN };

impl Engine {
    /// Runs the checks that the project in a session's directory has: its types if there is a `tsconfig.json`, and the
    /// scripts `build` and `test` of its `package.json`. All are run, one after the other, whatever fails; none if the
    /// session's permission policy does not let all of them run unasked. Whoever stops waiting ends them.
    ///
    /// # Errors
    ///
    /// As for every call that names a session; `policy_refused`, `holder_unreachable`.
    pub async fn verify(&self, id: SessionId, by: &str) -> Result<Verification, OpError> {
        let row = self.row_of(id).await?;
        let dir = row.spec.directory();
        let at = dir.clone();
        let checks = tokio::task::spawn_blocking(move || checks(&at)).await.unwrap_or_default();
        let policy = self.policy_in_force(&row).await?;
        for check in &checks {
            admit(&policy, &row.spec, check)?;
        }
        let mut env = environment(&self.environment, &self.config().pass_env, &BTreeMap::new());
        let plain =
            [("CI", "true"), ("NO_COLOR", "1"), ("TERM", "dumb"), ("npm_config_update_notifier", "false")];
        env.extend(plain.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let _room = ROOM.acquire().await;
        let start = Instant::now();
        let mut steps = Vec::new();
        for check in &checks {
            steps.push(run(check, &dir, &env).await);
        }
        let ok = !steps.is_empty() && steps.iter().all(|step| step.ok);
        let total_duration_ms = millis(start.elapsed());
        let told = Verification { ok, summary: summary(&steps, &dir), steps, total_duration_ms };
        let request = Request::Verified { outcome: told.without_output(), by: by.to_owned() };
        // A session that has ended has no journal to write to any more; the caller has the outcome all the same.
        if let Err(error) = self.ask::<()>(&row, request, ANSWERS_WITHIN).await {
            tracing::debug!(%error, session = %id, "the outcome of a verification was not journaled");
        }
        Ok(told)
    }
}

/// What there is to check in a directory.
fn checks(dir: &Path) -> Vec<Check> {
    let package = read(&dir.join("package.json")).and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let Some(package) = package else { return Vec::new() };
    let has = |script: &str| package["scripts"][script].is_string();
    let all = [(dir.join("tsconfig.json").is_file(), TYPES), (has("build"), BUILD), (has("test"), TEST)];
    all.into_iter().filter_map(|(there, check)| there.then_some(check)).collect()
}

/// Refuses what the policy would not let Claude run unasked.
fn admit(policy: &Policy, spec: &SessionSpec, check: &Check) -> Result<(), OpError> {
    let line = check.line.join(" ");
    let verdict = policy.decide(SHELL, &json!({ "command": line }), &spec.directory(), Path::to_owned);
    match verdict {
        Some(Verdict { decision: Decision::Deny | Decision::Ask, rule }) => {
            let what = format!("the permission policy does not let `{line}` run unasked ({rule})");
            Err(OpError::new(ErrorCode::PolicyRefused, what))
        }
        Some(Verdict { decision: Decision::Allow, .. }) | None => Ok(()),
    }
}

fn summary(steps: &[VerificationStep], dir: &Path) -> String {
    let names = |ok: bool| {
        let names: Vec<_> = steps.iter().filter(|step| step.ok == ok).map(|step| &*step.name).collect();
        names.join(", ")
    };
    match (names(true), names(false)) {
        (passed, failed) if passed.is_empty() && failed.is_empty() => format!(
            "there is nothing to check: {} has no package.json with a script `build` or `test` or a tsconfig.json beside it",
            dir.display()
        ),
        (passed, failed) if failed.is_empty() => format!("passed: {passed}"),
        (passed, failed) if passed.is_empty() => format!("failed: {failed}"),
        (passed, failed) => format!("failed: {failed}; passed: {passed}"),
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
