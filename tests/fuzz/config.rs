//! The configuration: the input is a file, and after a NUL the values of our variables, each up to the next NUL.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use aegis::config::{Config, ConfigError, Loaded, Origin, Sources};

/// In the order in which the input sets them.
const VARIABLES: [&str; 18] = [
    "AEGIS_TERMINAL_COLS",
    "AEGIS_PERMISSION_MODE",
    "AEGIS_TRUSTED_ROOTS",
    "AEGIS_PASS_ENV",
    "AEGIS_MAX_PROMPT_BYTES",
    "AEGIS_STATE_DIR",
    "AEGIS_CLAUDE_PATH",
    "AEGIS_LOG",
    "AEGIS_ON_TIMEOUT",
    "AEGIS_MODEL",
    "AEGIS_ALLOWED_ROOTS",
    "AEGIS_RUNTIME_DIR",
    "AEGIS_STALL_THRESHOLD_MS",
    "AEGIS_TERMINAL_ROWS",
    "AEGIS_STARTUP_TIMEOUT_MS",
    "AEGIS_HOOK_ASK_TIMEOUT_MS",
    "AEGIS_PERMISSION_POLICY",
    "AEGIS_ELICIT",
];

/// The longest complaint, in bytes; it goes to a terminal or into a tool's answer.
const COMPLAINT: usize = 2048;

/// A configuration is good and reads back as written, or a short complaint names the place. A file that came with
/// a project sets nothing that is the user's.
pub fn check(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let dir = tempfile::tempdir().expect("a directory");
    let (file, project) = (dir.path().join("named.json"), dir.path().join("aegis.config.json"));
    std::fs::write(&file, text).expect("a file");
    std::fs::write(&project, text).expect("a file");
    let env: BTreeMap<String, OsString> = VARIABLES
        .iter()
        .map(|name| (*name).to_owned())
        .zip(parts.map(|v| OsString::from_vec(v.into())))
        .collect();

    let named =
        Sources { file: Some(file.clone()), cwd: dir.path().into(), home: Some("/home/u".into()), env };
    let place = file.display().to_string();
    let loaded = same_twice(&named, &place);
    let written = loaded.as_ref().map(|loaded| serde_json::to_string(&loaded.config).expect("writable"));
    // What is secret is not written.
    if let (Some(loaded), Some(written)) = (&loaded, written.filter(|text| !text.contains("[REDACTED]"))) {
        std::fs::write(&file, written).expect("a file");
        let again = Sources { env: BTreeMap::new(), ..named.clone() };
        let again = Config::load(&again).unwrap_or_else(|error| panic!("{error}, in our own writing"));
        assert_eq!(again.config, loaded.config, "not what was written");
    }
    for home in [None, Some("/home/u".into())] {
        let clone = Sources { file: None, home, env: BTreeMap::new(), ..named.clone() };
        let Some(loaded) = same_twice(&clone, &project.display().to_string()) else { continue };
        let (config, ours) = (loaded.config, Config::default());
        assert_eq!(config.claude_path, ours.claude_path, "a project chose the program");
        assert_eq!(config.trusted_roots, ours.trusted_roots, "a project is trusted on its own word");
        assert_eq!(config.pass_env, ours.pass_env, "a project got variables");
        assert_eq!(config.permission_mode, ours.permission_mode, "a project chose what is allowed");
        assert_eq!(config.permission_policy, ours.permission_policy, "a project chose what is allowed");
    }
}

fn same_twice(sources: &Sources, file: &str) -> Option<Loaded> {
    match (Config::load(sources), Config::load(sources)) {
        (Ok(loaded), Ok(again)) => {
            assert_eq!(loaded, again, "read twice, not the same");
            good(&loaded);
            Some(loaded)
        }
        (Err(error), Err(again)) => {
            let told = error.to_string();
            assert_eq!(told, again.to_string(), "read twice, not the same");
            let variable = VARIABLES.iter().any(|variable| told.contains(variable));
            assert!(variable || told.contains(file), "no place is named: {told}");
            assert!(told.len() <= COMPLAINT, "a complaint of {} bytes", told.len());
            assert!(!matches!(error, ConfigError::Unreadable { .. }), "{told}");
            None
        }
        (one, other) => panic!("read twice, not the same: {one:?} {other:?}"),
    }
}

fn good(Loaded { config, origins }: &Loaded) {
    assert!((40..=500).contains(&config.terminal.cols) && (10..=200).contains(&config.terminal.rows));
    assert!((1000..=86_400_000).contains(&config.stall_threshold_ms), "{}", config.stall_threshold_ms);
    assert!((1000..=600_000).contains(&config.startup_timeout_ms), "{}", config.startup_timeout_ms);
    assert!((1024..=16_777_216).contains(&config.max_prompt_bytes), "{}", config.max_prompt_bytes);
    assert!((1000..=86_400_000).contains(&config.hook_ask_timeout_ms), "{}", config.hook_ask_timeout_ms);
    assert!(config.model.as_deref() != Some(""), "a model without a name");
    assert!(config.pass_env.iter().all(|name| !name.is_empty() && !name.contains(['=', '\0'])));
    let roots = config.trusted_roots.iter().chain(&config.allowed_roots);
    assert!(roots.chain(&config.state_dir).chain(&config.runtime_dir).all(|path| path.is_absolute()));
    assert!(origins.len() > VARIABLES.len(), "keys without an origin");
    let set = origins.iter().filter(|(_, origin)| **origin != Origin::Default);
    assert!(set.clone().all(|(key, origin)| !origin.place(key).is_empty()), "no place for a value");
}
