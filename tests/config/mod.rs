use std::path::{Path, PathBuf};

use aegis::config::{Config, ConfigError, Loaded, LogLevel, OnTimeout, Origin, Sources};
use aegis::domain::{PermissionMode, Topic};
use rstest::rstest;
use tempfile::TempDir;

/// A working directory and a home of the test's own.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("work")).unwrap();
        std::fs::create_dir_all(root.path().join("home/.aegis")).unwrap();
        Self(root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn sources(&self, env: &[(&str, &str)]) -> Sources {
        Sources {
            file: None,
            cwd: self.path("work"),
            home: Some(self.path("home")),
            env: env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        }
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
        Config::load(&self.sources(env))
    }
}

#[test]
fn nothing_set_gives_the_defaults() {
    let loaded = Place::new().load(&[]).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.origins.values().all(|origin| *origin == Origin::Default));
}

#[test]
fn environment_wins_over_file_over_default_key_by_key() {
    let place = Place::new();
    let file = place.write(
        "work/aegis.config.json",
        r#"{"terminal": {"cols": 100}, "stallThresholdMs": 2000, "model": "opus"}"#,
    );
    let users = place.write(
        "home/.aegis/config.json",
        r#"{"terminal": {"rows": 50}, "model": "haiku", "allowedRoots": ["/a"]}"#,
    );
    let loaded =
        place.load(&[("AEGIS_STALL_THRESHOLD_MS", "3000"), ("AEGIS_LOG", "debug"), ("AEGIS_MODEL", "")]);
    let loaded = loaded.unwrap();
    let mut expected = Config {
        stall_threshold_ms: 3000,
        model: Some("opus".into()),
        log_level: LogLevel::Debug,
        ..Config::default()
    };
    expected.terminal.cols = 100;
    expected.terminal.rows = 50;
    expected.allowed_roots = vec!["/a".into()];
    assert_eq!(loaded.config, expected);
    assert_eq!(loaded.origins["stallThresholdMs"], Origin::Environment("AEGIS_STALL_THRESHOLD_MS"));
    assert_eq!(loaded.origins["terminal.cols"], Origin::File(file));
    assert_eq!(loaded.origins["terminal.rows"], Origin::File(users));
    assert_eq!(loaded.origins["claudePath"], Origin::Default);
}

/// A cloned repository can bring such a file, and Aegis may be started in it without anybody having read it.
#[rstest]
#[case::program("claudePath", r#""./claude""#, "AEGIS_CLAUDE_PATH")]
#[case::trust("trustedRoots", r#"["."]"#, "AEGIS_TRUSTED_ROOTS")]
#[case::reach("allowedRoots", r#"["/"]"#, "AEGIS_ALLOWED_ROOTS")]
#[case::mode("permissionMode", r#""bypassPermissions""#, "AEGIS_PERMISSION_MODE")]
#[case::secrets("passEnv", r#"["TOKEN"]"#, "AEGIS_PASS_ENV")]
#[case::records("stateDir", r#""state""#, "AEGIS_STATE_DIR")]
#[case::sockets("runtimeDir", r#""run""#, "AEGIS_RUNTIME_DIR")]
#[case::receivers("webhooks", r#"["https://a.example"]"#, "AEGIS_WEBHOOKS")]
#[case::bots("tgToken", r#""1:a""#, "AEGIS_TG_TOKEN")]
fn a_project_cannot_choose_what_sessions_may_do(
    #[case] key: &str,
    #[case] value: &str,
    #[case] variable: &str,
) {
    let place = Place::new();
    let text = format!(r#"{{"{key}": {value}}}"#);
    let path = place.write("work/aegis.config.json", &text);
    let message = place.load(&[]).unwrap_err().to_string();
    assert!(
        message.starts_with(&format!("{}: {key} cannot be set by a project", path.display())),
        "{message}"
    );
    assert!(message.contains(variable), "{message}");
    // The user's own word counts, wherever the file lies.
    let mut sources = place.sources(&[]);
    sources.file = Some(path);
    assert!(Config::load(&sources).is_ok());
}

#[test]
fn a_named_file_replaces_the_others_and_must_exist() {
    let place = Place::new();
    place.write("work/aegis.config.json", r#"{"model": "a"}"#);
    place.write("work/named.json", r#"{"permissionMode": "acceptEdits"}"#);
    let mut sources = place.sources(&[]);
    sources.file = Some("named.json".into());
    let config = Config::load(&sources).unwrap().config;
    assert_eq!(config, Config { permission_mode: PermissionMode::AcceptEdits, ..Config::default() });
    sources.file = Some("missing.json".into());
    assert!(matches!(Config::load(&sources), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn relative_paths_count_from_where_they_were_written() {
    let place = Place::new();
    place.write(
        "home/.aegis/config.json",
        r#"{"trustedRoots": ["~/code", "x", "/abs"], "claudePath": "claude"}"#,
    );
    let config =
        place.load(&[("AEGIS_ALLOWED_ROOTS", "sub:/other::"), ("AEGIS_STATE_DIR", "~/s")]).unwrap().config;
    let home = place.path("home");
    assert_eq!(config.trusted_roots, [home.join("code"), home.join(".aegis/x"), "/abs".into()]);
    assert_eq!(config.allowed_roots, [place.path("work/sub"), "/other".into()]);
    assert_eq!(config.state_dir, Some(home.join("s")));
    assert_eq!(config.claude_path.as_deref(), Some(Path::new("claude")));
}

#[test]
fn every_variable_is_read() {
    let config = Place::new()
        .load(&[
            ("AEGIS_CLAUDE_PATH", "/opt/claude"),
            ("AEGIS_TRUSTED_ROOTS", "/a:/b"),
            ("AEGIS_PASS_ENV", "FOO, BAR"),
            ("AEGIS_STARTUP_TIMEOUT_MS", "5000"),
            ("AEGIS_PERMISSION_MODE", "plan"),
            ("AEGIS_ON_TIMEOUT", "deny"),
            ("AEGIS_TERMINAL_ROWS", "60"),
            ("AEGIS_RUNTIME_DIR", "/r"),
            ("AEGIS_ELICIT", "true"),
        ])
        .unwrap()
        .config;
    let mut expected = Config {
        claude_path: Some("/opt/claude".into()),
        trusted_roots: vec!["/a".into(), "/b".into()],
        pass_env: vec!["FOO".into(), "BAR".into()],
        startup_timeout_ms: 5000,
        permission_mode: PermissionMode::Plan,
        on_timeout: OnTimeout::Deny,
        runtime_dir: Some("/r".into()),
        elicit: true,
        ..Config::default()
    };
    expected.terminal.rows = 60;
    assert_eq!(config, expected);
}

#[rstest]
#[case::word("AEGIS_STALL_THRESHOLD_MS", "soon", "soon; expected a whole number from 1000 to 86400000")]
#[case::small("AEGIS_STALL_THRESHOLD_MS", "999", "999; expected a whole number from 1000 to 86400000")]
#[case::large("AEGIS_TERMINAL_COLS", "501", "501; expected a whole number from 40 to 500")]
#[case::negative("AEGIS_STARTUP_TIMEOUT_MS", "-1", "-1; expected a whole number from 1000 to 600000")]
#[case::mode("AEGIS_ON_TIMEOUT", "ask", "\"ask\"; expected `keep` or `deny`")]
#[case::flag("AEGIS_ELICIT", "yes", "yes; expected true or false")]
#[case::name("AEGIS_PASS_ENV", "A=b", "[\"A=b\"]; expected a list of variable names")]
fn a_bad_variable_is_told_with_its_range(#[case] variable: &str, #[case] value: &str, #[case] rest: &str) {
    let error = Place::new().load(&[(variable, value)]).unwrap_err();
    assert_eq!(error.to_string(), format!("{variable} is {rest}"));
}

#[rstest]
#[case::mistyped(r#"{"modle": "x"}"#, r#": there is no key "modle"; did you mean "model"?"#)]
#[case::nested(r#"{"terminal": {"row": 40}}"#, r#": there is no key "terminal.row"; did you mean "rows"?"#)]
#[case::dotted(r#"{"terminal.rows": 40}"#, r#": there is no key "terminal.rows""#)]
#[case::unlike(r#"{"zzz": 1}"#, r#": there is no key "zzz""#)]
#[case::text_for_number(
    r#"{"stallThresholdMs": "5000"}"#,
    r#" is "5000"; expected a whole number from 1000 to 86400000"#
)]
#[case::text_for_flag(r#"{"elicit": "true"}"#, r#" is "true"; expected true or false"#)]
#[case::flat_terminal(r#"{"terminal": 5}"#, r" is 5; expected an object")]
#[case::no_text(r#"{"model": 5}"#, r" is 5; expected a string")]
#[case::no_object("[]", " must be a JSON object")]
#[case::no_json("{", " is not JSON: EOF while parsing an object at line 1 column 1")]
fn a_bad_file_is_told_with_its_place(#[case] text: &str, #[case] end: &str) {
    let place = Place::new();
    let path = place.write("work/aegis.config.json", text);
    let message = place.load(&[]).unwrap_err().to_string();
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    assert!(message.ends_with(end), "{message}");
}

#[test]
fn a_text_is_no_list() {
    let place = Place::new();
    place.write("home/.aegis/config.json", r#"{"trustedRoots": "/a"}"#);
    let message = place.load(&[]).unwrap_err().to_string();
    assert!(message.ends_with(r#"config.json is "/a"; expected a list of paths"#), "{message}");
}

#[test]
fn channels_are_read_from_variables() {
    let config = Place::new()
        .load(&[
            ("AEGIS_WEBHOOKS", "https://a.example/x, https://b.example"),
            ("AEGIS_TG_TOKEN", "1:a"),
            ("AEGIS_TG_GROUP", "-100123"),
            ("AEGIS_TG_ALLOWED_USERS", "1, 22"),
            ("AEGIS_TG_EVENTS", "status.stall,session.ended"),
            ("AEGIS_SLACK_EVENTS", r#"["status.dead"]"#),
            ("AEGIS_EMAIL_PORT", "465"),
            ("AEGIS_EMAIL_SECURE", "true"),
            (
                "AEGIS_ALERT_WEBHOOKS",
                r#"[{"url": "http://localhost:1/", "allowLoopback": true, "timeoutMs": 9}]"#,
            ),
        ])
        .unwrap()
        .config;
    let urls: Vec<_> = config.webhooks.iter().map(|webhook| webhook.url.reveal()).collect();
    assert_eq!(urls, ["https://a.example/x", "https://b.example"]);
    assert_eq!(config.webhooks[0].timeout_ms, 5000);
    assert_eq!((config.tg_group, config.tg_allowed_users), (Some(-100_123), vec![1, 22]));
    assert_eq!(config.tg_events, [Topic::StatusStall, Topic::SessionEnded]);
    assert_eq!(config.slack_events, [Topic::StatusDead]);
    assert_eq!((config.email.port, config.email.secure), (465, true));
    assert_eq!(config.alerting.webhooks[0].timeout_ms, 9);
    assert!(!format!("{:?}", config.tg_token).contains("1:a"));
}

#[rstest]
#[case::plain(r#"["http://a.example/canary"]"#, "number 1: its url must begin with https://")]
#[case::loopback(
    "https://127.0.0.1/canary",
    "number 1: its url is on this machine; allowLoopback permits that"
)]
#[case::mapped("https://[::ffff:127.0.0.1]/canary", "allowLoopback permits that")]
#[case::no_address("canary", "number 1: its url is no address: relative URL without a base")]
#[case::secret(
    r#"[{"url": "https://a.example", "secret": 12345678}]"#,
    "a value is not what is expected: a string"
)]
#[case::key(r#"[{"url": "https://a.example", "sekret": "canary"}]"#, "unknown field `sekret`")]
#[case::event(r#"[{"url": "https://a.example/canary", "events": ["status.idel"]}]"#, "status.idle")]
#[case::header(r#"[{"url": "https://a.example", "headers": {"A b": "canary"}}]"#, "which cannot be sent")]
#[case::time(r#"[{"url": "https://a.example/canary", "timeoutMs": 0}]"#, "timeoutMs must be from 1 to 60000")]
fn a_bad_webhook_is_told_without_its_secrets(#[case] value: &str, #[case] part: &str) {
    let message = Place::new().load(&[("AEGIS_WEBHOOKS", value)]).unwrap_err().to_string();
    assert!(
        message.starts_with("AEGIS_WEBHOOKS is a value that is not shown; expected a list of webhooks"),
        "{message}"
    );
    assert!(message.contains(part), "{message}");
    assert!(!message.contains("canary") && !message.contains("12345678"), "{message}");
}

#[rstest]
#[case::event("AEGIS_TG_EVENTS", "status.idel", "did you mean \"status.idle\"?")]
#[case::user("AEGIS_TG_ALLOWED_USERS", "ada", "numbers separated by commas")]
#[case::group("AEGIS_TG_GROUP", "ada", "a whole number")]
#[case::flag("AEGIS_EMAIL_SECURE", "yes", "true or false")]
fn a_bad_setting_of_a_channel_is_told(#[case] variable: &str, #[case] value: &str, #[case] part: &str) {
    let message = Place::new().load(&[(variable, value)]).unwrap_err().to_string();
    assert!(message.contains(part), "{message}");
}
