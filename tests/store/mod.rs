mod channels;
mod contract;
mod file;
mod memory;
mod templates;
mod together;

use std::path::Path;

use aegis::domain::{
    Action, Confidence, EndCause, Ending, Epoch, Event, EventData, PermissionMode, Pipeline, PipelineId,
    PipelineSpec, Session, SessionId, Source, StatusWord, StepSpec, Timestamp,
};
use aegis::store::{SessionRow, SqliteStore};

use crate::support::sessions::row;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(&directory.join("state/aegis.db")).unwrap()
}

/// The last state of a session that exited.
fn last(row: &SessionRow, code: i32) -> Session {
    let spec = &row.spec;
    Session {
        id: spec.id,
        name: spec.name.clone(),
        status: StatusWord::Ended,
        since: at(9_000),
        source: Source::Process,
        confidence: Confidence::High,
        work_dir: "/work".into(),
        model: None,
        permission_mode: spec.permission_mode,
        created_at: spec.created_at,
        last_activity: at(9_000),
        open_asks: Vec::new(),
        last_message: None,
        conversation_id: None,
        parent_id: None,
        owner_key: None,
        worktree: None,
        error: None,
        limit: None,
        ending: Some(Ending {
            cause: EndCause::Exited,
            exit_code: Some(code),
            signal: None,
            by: None,
            detail: None,
        }),
        stall_threshold_ms: None,
    }
}

/// A pipeline of two stages that wait for nothing.
fn pipeline(name: &str, created: i64) -> Pipeline {
    let step = |name: &str| StepSpec {
        name: Some(name.into()),
        prompt: "do it".into(),
        work_dir: "/work".into(),
        depends_on: Some(Vec::new()),
        permission_mode: PermissionMode::Default,
        model: None,
        timeout_ms: None,
    };
    let spec = PipelineSpec {
        id: PipelineId::mint(),
        name: name.into(),
        reuse: false,
        parent_id: None,
        owner_key: None,
        created_at: at(created),
        steps: vec![step("a"), step("b")],
    };
    Pipeline::plan(spec).unwrap()
}

fn events(session_id: SessionId, epoch: Epoch, seqs: std::ops::RangeInclusive<u64>) -> Vec<Event> {
    let data = EventData::Action { action: Action::Escape, by: "mcp".into() };
    seqs.map(|seq| Event { epoch, seq, session_id, at: at(1_000), data: data.clone() }).collect()
}
