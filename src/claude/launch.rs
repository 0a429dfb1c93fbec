//! How Claude Code is started: its arguments and its environment.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::SessionSpec;

/// Variables by name that a session gets from its caller.
const PASSED: &[&str] = &[
    "HOME",
    "PATH",
    "SHELL",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TMP",
    "TEMP",
    "COLORTERM",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSH_AUTH_SOCK",
    "GPG_TTY",
    "EDITOR",
    "VISUAL",
    "CLOUD_ML_REGION",
    "CLAUDE_CONFIG_DIR",
    "IS_SANDBOX",
    "MAX_THINKING_TOKENS",
    "MAX_MCP_OUTPUT_TOKENS",
    "MCP_TIMEOUT",
    "MCP_TOOL_TIMEOUT",
    "API_TIMEOUT_MS",
    "BASH_DEFAULT_TIMEOUT_MS",
    "BASH_MAX_TIMEOUT_MS",
    "BASH_MAX_OUTPUT_LENGTH",
    "ENABLE_TOOL_SEARCH",
    "SYSTEMROOT",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "COMSPEC",
    "PATHEXT",
];

/// Variables by prefix that a session gets from its caller: locale, directories, the provider's own.
const PASSED_PREFIXES: &[&str] =
    &["LC_", "XDG_", "ANTHROPIC_", "AWS_", "GOOGLE_", "VERTEX_", "AZURE_", "DISABLE_", "OTEL_"];

/// Prefixes of Claude Code's own documented choices.
const CHOICES: &[&str] = &[
    "CLAUDE_CODE_USE_",
    "CLAUDE_CODE_SKIP_",
    "CLAUDE_CODE_MAX_",
    "CLAUDE_CODE_DISABLE_",
    "CLAUDE_CODE_ENABLE_",
    "CLAUDE_CODE_AUTO_COMPACT",
    "CLAUDE_CODE_API_KEY_HELPER",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_SUBAGENT_MODEL",
    "CLAUDE_CODE_EFFORT",
    "CLAUDE_CODE_SHELL",
    "CLAUDE_CODE_CLIENT_",
    "CLAUDE_CODE_GIT_BASH_PATH",
    "CLAUDE_CODE_TMPDIR",
    "CLAUDE_CODE_NO_FLICKER",
    "CLAUDE_CODE_SIMPLE",
    "CLAUDE_CODE_EXTRA_BODY",
];

/// Marks of a session that a child must not inherit, whatever allows them: with them Claude Code takes itself for
/// a nested run, answers into somebody else's conversation, or stops writing a transcript.
const NEVER: &[&str] = &[
    "CLAUDECODE",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_PROJECT_DIR",
    "CLAUDE_ENV_FILE",
    "AI_AGENT",
];

/// The variable that tells a hook where its holder listens.
pub const SOCKET_VARIABLE: &str = "AEGIS_HOOK_SOCKET";
/// The variable that carries the session's secret.
pub const SECRET_VARIABLE: &str = "AEGIS_HOOK_SECRET";
/// The variable that tells a program which session it runs inside of.
pub const SESSION_VARIABLE: &str = "AEGIS_SESSION_ID";

/// Picks from the caller's environment what a session gets. `extra` names more variables to pass; `own` are the
/// session's own and win over all but the marks that never pass.
#[must_use]
pub fn environment(
    caller: &BTreeMap<String, String>,
    extra: &[String],
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let passes = |name: &str| {
        PASSED.contains(&name)
            || PASSED_PREFIXES.iter().chain(CHOICES).any(|prefix| name.starts_with(prefix))
            || extra.iter().any(|wanted| wanted == name)
    };
    let mut env: BTreeMap<_, _> =
        caller.iter().filter(|(name, _)| passes(name)).map(|(k, v)| (k.clone(), v.clone())).collect();
    // What our terminal is, whatever the caller sits at.
    env.insert("TERM".into(), "xterm-256color".into());
    // Marks each frame's end, so that the screen is read only when it is whole; 2.1.197 does not ask for it.
    env.insert("CLAUDE_CODE_FORCE_SYNC_OUTPUT".into(), "1".into());
    env.extend(own.iter().map(|(k, v)| (k.clone(), v.clone())));
    env.retain(|name, _| !never(name));
    env
}

/// Tells whether a variable never reaches a session.
#[must_use]
pub fn never(name: &str) -> bool {
    NEVER.contains(&name) || name.starts_with("AEGIS_")
}

/// Gives the arguments. The permission mode is always explicit, because Claude Code's own default changes between
/// versions; `prompt` goes last, behind `--`.
#[must_use]
pub fn arguments(spec: &SessionSpec, settings: &Path, prompt: Option<&str>) -> Vec<String> {
    let mut args = Vec::new();
    let mut pair = |flag: &str, value: String| args.extend([flag.to_owned(), value]);
    match spec.resume {
        Some(from) if spec.fork => {
            pair("--resume", from.to_string());
            pair("--session-id", spec.conversation_id.to_string());
        }
        Some(from) => pair("--resume", from.to_string()),
        None => pair("--session-id", spec.conversation_id.to_string()),
    }
    pair("--permission-mode", spec.permission_mode.as_str().into());
    pair("--settings", settings.to_string_lossy().into_owned());
    if let Some(model) = &spec.model {
        pair("--model", model.clone());
    }
    if let Some(text) = &spec.append_system_prompt {
        pair("--append-system-prompt", text.clone());
    }
    if let Some(name) = &spec.worktree {
        pair("--worktree", name.clone());
    }
    for dir in &spec.add_dirs {
        pair("--add-dir", dir.to_string_lossy().into_owned());
    }
    if spec.resume.is_some() && spec.fork {
        args.push("--fork-session".into());
    }
    if let Some(prompt) = prompt {
        args.extend(["--".to_owned(), prompt.to_owned()]);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    #[test]
    fn only_what_is_allowed_reaches_a_session() {
        let caller = map(&[
            ("HOME", "/h"),
            ("LC_ALL", "C"),
            ("ANTHROPIC_BASE_URL", "http://127.0.0.1"),
            ("CLAUDECODE", "1"),
            ("CLAUDE_CODE_SESSION_ID", "x"),
            ("CLAUDE_CODE_USE_BEDROCK", "1"),
            ("AEGIS_AUTH_TOKEN", "secret"),
            ("TELEGRAM_TOKEN", "secret"),
            ("MY_VAR", "yes"),
            ("TERM", "dumb"),
        ]);
        let own = map(&[("FOO", "bar"), ("CLAUDECODE", "1")]);
        let env = environment(&caller, &["MY_VAR".into()], &own);
        assert_eq!(
            env,
            map(&[
                ("ANTHROPIC_BASE_URL", "http://127.0.0.1"),
                ("CLAUDE_CODE_FORCE_SYNC_OUTPUT", "1"),
                ("CLAUDE_CODE_USE_BEDROCK", "1"),
                ("FOO", "bar"),
                ("HOME", "/h"),
                ("LC_ALL", "C"),
                ("MY_VAR", "yes"),
                ("TERM", "xterm-256color"),
            ])
        );
    }
}
