//! Values for the unit tests of this door.

use serde_json::Value;

use crate::domain::{
    Ask, AskId, AskKind, AskVia, Confidence, PermissionMode, Session, SessionId, Source, StatusWord,
    Timestamp,
};

/// A session in `status` since the epoch.
pub(super) fn session(status: StatusWord) -> Session {
    let at = Timestamp::from_millis(0).unwrap();
    Session {
        id: SessionId::mint(),
        name: "brave-otter".into(),
        status,
        since: at,
        source: Source::Hook,
        confidence: Confidence::High,
        work_dir: "/work/project".into(),
        model: None,
        permission_mode: PermissionMode::Default,
        created_at: at,
        last_activity: at,
        open_asks: Vec::new(),
        last_message: None,
        conversation_id: None,
        parent_id: None,
        owner_key: None,
        worktree: None,
        error: None,
        limit: None,
        ending: None,
        stall_threshold_ms: None,
    }
}

/// An open permission ask.
pub(super) fn ask(tool: &str, input: Value) -> Ask {
    Ask {
        id: AskId::mint(),
        kind: AskKind::Permission,
        tool: Some(tool.into()),
        title: format!("{tool} wants to run"),
        input: Some(input),
        input_hash: "00".into(),
        options: vec!["Yes".into(), "No".into()],
        opened_at: Timestamp::from_millis(0).unwrap(),
        via: AskVia::Hook,
        agent: None,
        tool_use_id: None,
        resolution: None,
    }
}

/// An open question with two options.
pub(super) fn question(text: &str) -> Ask {
    let input = serde_json::json!({"questions": [{
        "question": text, "header": "Pick", "multiSelect": false,
        "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}],
    }]});
    Ask {
        kind: AskKind::Question,
        options: vec!["Red".into(), "Blue".into()],
        title: text.into(),
        ..ask("AskUserQuestion", input)
    }
}
