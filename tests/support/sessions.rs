//! Rows of sessions that never ran, for tests of what only reads them.

use aegis::domain::{ConversationId, PermissionMode, Policy, SessionId, SessionSpec, Timestamp};
use aegis::store::SessionRow;

/// A live session that was created at `created`, in milliseconds.
pub fn row(name: &str, created: i64) -> SessionRow {
    let id = SessionId::mint();
    SessionRow {
        spec: SessionSpec {
            id,
            name: name.into(),
            work_dir: "/work".into(),
            permission_mode: PermissionMode::Default,
            model: None,
            resume: None,
            fork: false,
            conversation_id: ConversationId::mint(),
            append_system_prompt: None,
            add_dirs: vec!["/more".into()],
            env_names: Vec::new(),
            owner: "ada".into(),
            parent_id: None,
            owner_key: None,
            settings_key: "settings".into(),
            worktree: None,
            stall_threshold_ms: 300_000,
            trusted: false,
            policy: Policy::default(),
            created_at: Timestamp::from_millis(created).unwrap(),
        },
        session_dir: format!("/state/sessions/{id}").into(),
        socket: format!("/run/{id}").into(),
        boot_id: "boot".into(),
        holder_pid: None,
        holder_start: None,
        ended: None,
    }
}
