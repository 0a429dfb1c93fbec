//! Every key with its variable and its kind: the one table that both the file and the environment are read by.

/// How a key's value is written.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A path. Relative ones count from where they were written.
    Path,
    /// A path, or a bare name that is looked up in `PATH` later.
    Program,
    /// Paths; in a variable separated as in `PATH`.
    Paths,
    /// Names of variables; in a variable separated by commas.
    Names,
    /// Text, or one of a few words.
    Text,
    /// Rules that decide on tool calls; in a variable as JSON.
    Policy,
    /// Text that is never shown.
    Secret,
    /// Receivers of webhooks; in a variable addresses separated by commas, or JSON. Never shown.
    Webhooks,
    /// Events; in a variable separated by commas, or as JSON.
    Topics,
    /// Numbers of people; in a variable separated by commas.
    Users,
    /// A whole number, which may be negative.
    Integer,
    /// `true` or `false`.
    Flag,
    /// A whole number in a range, bounds included.
    Number(u64, u64),
}

/// One key of the configuration.
pub(super) struct Key {
    /// Its name in the file; a dot leads into an object.
    pub(super) name: &'static str,
    /// The variable that overrides it.
    pub(super) variable: &'static str,
    /// How its value is written.
    pub(super) kind: Kind,
    /// Whether only the user may set it: a project's file comes with a clone, and must not choose a program to run,
    /// what a session may do or learn, or where its records go.
    pub(super) users: bool,
}

const fn key(name: &'static str, variable: &'static str, kind: Kind) -> Key {
    Key { name, variable, kind, users: false }
}

const fn users(name: &'static str, variable: &'static str, kind: Kind) -> Key {
    Key { name, variable, kind, users: true }
}

pub(super) const KEYS: &[Key] = &[
    users("stateDir", "AEGIS_STATE_DIR", Kind::Path),
    users("runtimeDir", "AEGIS_RUNTIME_DIR", Kind::Path),
    users("claudePath", "AEGIS_CLAUDE_PATH", Kind::Program),
    users("trustedRoots", "AEGIS_TRUSTED_ROOTS", Kind::Paths),
    users("allowedRoots", "AEGIS_ALLOWED_ROOTS", Kind::Paths),
    users("passEnv", "AEGIS_PASS_ENV", Kind::Names),
    key("stallThresholdMs", "AEGIS_STALL_THRESHOLD_MS", Kind::Number(1000, 86_400_000)),
    key("terminal.cols", "AEGIS_TERMINAL_COLS", Kind::Number(40, 500)),
    key("terminal.rows", "AEGIS_TERMINAL_ROWS", Kind::Number(10, 200)),
    users("permissionMode", "AEGIS_PERMISSION_MODE", Kind::Text),
    key("model", "AEGIS_MODEL", Kind::Text),
    key("startupTimeoutMs", "AEGIS_STARTUP_TIMEOUT_MS", Kind::Number(1000, 600_000)),
    key("maxPromptBytes", "AEGIS_MAX_PROMPT_BYTES", Kind::Number(1024, 16_777_216)),
    key("hookAskTimeoutMs", "AEGIS_HOOK_ASK_TIMEOUT_MS", Kind::Number(1000, 86_400_000)),
    key("onTimeout", "AEGIS_ON_TIMEOUT", Kind::Text),
    users("host", "AEGIS_HOST", Kind::Text),
    users("port", "AEGIS_PORT", Kind::Number(0, 65_535)),
    users("authToken", "AEGIS_AUTH_TOKEN", Kind::Secret),
    users("allowedHosts", "AEGIS_ALLOWED_HOSTS", Kind::Names),
    users("tmuxSession", "AEGIS_TMUX_SESSION", Kind::Text),
    users("browserPath", "AEGIS_BROWSER_PATH", Kind::Path),
    users("browserReach", "AEGIS_BROWSER_REACH", Kind::Text),
    users("permissionPolicy", "AEGIS_PERMISSION_POLICY", Kind::Policy),
    key("elicit", "AEGIS_ELICIT", Kind::Flag),
    users("webhooks", "AEGIS_WEBHOOKS", Kind::Webhooks),
    users("tgToken", "AEGIS_TG_TOKEN", Kind::Secret),
    users("tgGroup", "AEGIS_TG_GROUP", Kind::Integer),
    users("tgAllowedUsers", "AEGIS_TG_ALLOWED_USERS", Kind::Users),
    users("tgEvents", "AEGIS_TG_EVENTS", Kind::Topics),
    users("tgApiUrl", "AEGIS_TG_API_URL", Kind::Text),
    users("slackWebhookUrl", "AEGIS_SLACK_WEBHOOK_URL", Kind::Secret),
    users("slackEvents", "AEGIS_SLACK_EVENTS", Kind::Topics),
    users("email.host", "AEGIS_EMAIL_HOST", Kind::Text),
    users("email.port", "AEGIS_EMAIL_PORT", Kind::Number(1, 65_535)),
    users("email.user", "AEGIS_EMAIL_USER", Kind::Text),
    users("email.pass", "AEGIS_EMAIL_PASS", Kind::Secret),
    users("email.from", "AEGIS_EMAIL_FROM", Kind::Text),
    users("email.to", "AEGIS_EMAIL_TO", Kind::Text),
    users("email.secure", "AEGIS_EMAIL_SECURE", Kind::Flag),
    users("email.events", "AEGIS_EMAIL_EVENTS", Kind::Topics),
    users("alerting.webhooks", "AEGIS_ALERT_WEBHOOKS", Kind::Webhooks),
    users("alerting.failureThreshold", "AEGIS_ALERT_FAILURE_THRESHOLD", Kind::Number(1, 1000)),
    users("alerting.cooldownMs", "AEGIS_ALERT_COOLDOWN_MS", Kind::Number(1000, 86_400_000)),
    users("caFile", "AEGIS_CA_FILE", Kind::Path),
    key("streamHeartbeatMs", "AEGIS_STREAM_HEARTBEAT_MS", Kind::Number(100, 600_000)),
    users("rateLimit.enabled", "AEGIS_RATE_LIMIT_ENABLED", Kind::Flag),
    users("rateLimit.sessionsMax", "AEGIS_RATE_LIMIT_SESSIONS_MAX", Kind::Number(1, 1_000_000)),
    users("rateLimit.generalMax", "AEGIS_RATE_LIMIT_GENERAL_MAX", Kind::Number(1, 1_000_000)),
    users("rateLimit.timeWindowSec", "AEGIS_RATE_LIMIT_TIME_WINDOW_SEC", Kind::Number(1, 86_400)),
    users("hookSecretHeaderOnly", "AEGIS_HOOK_SECRET_HEADER_ONLY", Kind::Flag),
    key("logLevel", "AEGIS_LOG", Kind::Text),
];

/// Longer names than this, in bytes, are no mistyped keys; comparing takes time and memory by their length.
const LONGEST_NAME: usize = 64;

/// The key that `last` most likely meant in the object `parent`, which is empty for the file itself.
pub(super) fn nearest(parent: &str, last: &str) -> Option<String> {
    // A third of the letters wrong is a typing mistake; more is another word.
    let most = (last.len() / 3).max(2);
    if last.len() > LONGEST_NAME {
        return None;
    }
    let distance =
        |other: &str| strsim::osa_distance(&last.to_ascii_lowercase(), &other.to_ascii_lowercase());
    KEYS.iter()
        .filter_map(|key| match parent {
            "" => Some(key.name.split('.').next().unwrap_or(key.name)),
            _ => (split(key.name).0 == parent).then_some(split(key.name).1),
        })
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::config::Config;

    fn leaves(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
        if let Value::Object(map) = value {
            for (name, value) in map {
                leaves(&format!("{prefix}.{name}"), value, into);
            }
        } else {
            into.insert(prefix.trim_start_matches('.').to_owned());
        }
    }

    #[test]
    fn the_table_has_every_key_once() {
        let mut expected = BTreeSet::new();
        leaves("", &serde_json::to_value(Config::default()).unwrap(), &mut expected);
        let names: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
        assert_eq!(names.len(), expected.len());
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn ranges_and_variables_are_those_of_the_schema() {
        let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap();
        for key in KEYS {
            let pointer = format!("/properties/{}", key.name.replace('.', "/properties/"));
            let property = schema.pointer(&pointer).unwrap();
            let description = property["description"].as_str().unwrap();
            assert!(description.contains(&format!("`{}`", key.variable)), "{}: {description}", key.name);
            if let Kind::Number(min, max) = key.kind {
                assert_eq!(
                    (property["minimum"].as_u64(), property["maximum"].as_u64()),
                    (Some(min), Some(max))
                );
            }
        }
    }

    #[test]
    fn a_mistyped_key_finds_its_neighbour() {
        assert_eq!(nearest("", "stallTresholdMs").as_deref(), Some("stallThresholdMs"));
        assert_eq!(nearest("terminal", "columns").as_deref(), None);
        assert_eq!(nearest("terminal", "cls").as_deref(), Some("cols"));
        assert_eq!(nearest("", "somethingElse"), None);
        assert_eq!(nearest("", &"model".repeat(1000)), None);
    }
}
