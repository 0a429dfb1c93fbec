//! The one state machine of pipelines, and what is to be done in each state.

use super::{Pipeline, PipelineStatus, Stage, StageFailure, StageState};
use crate::domain::id::{ReceiptId, SessionId};
use crate::domain::time::Timestamp;

/// What happens to a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineEvent {
    /// Something happened to a stage.
    Stage {
        /// Which, counted from 0.
        at: usize,
        /// What.
        event: StageEvent,
    },
    /// Somebody cancels it.
    Cancel {
        /// Which surface.
        by: String,
    },
    /// All stages are over, and no session is left that has to be ended.
    Close,
}

/// What happens to a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageEvent {
    /// There is a place for it, and nothing to wait for.
    Chosen,
    /// Its prompt was given to a session.
    Begun {
        /// The session.
        session_id: SessionId,
        /// The prompt's receipt, if it is known yet.
        receipt_id: Option<ReceiptId>,
    },
    /// Its turn ended.
    Answered {
        /// The last text of the answer.
        output: String,
        /// Whether it was cut.
        truncated: bool,
    },
    /// It failed.
    Failed(StageFailure),
    /// A stage that it depends on failed.
    Blocked {
        /// Which stage failed.
        by: String,
    },
    /// The pipeline was cancelled, and nothing of the stage runs any more.
    Stopped {
        /// The session it ran in, if there was one.
        session_id: Option<SessionId>,
    },
}

impl StageState {
    /// Gives the state that `event` leads to, or `None` if it changes nothing.
    #[must_use]
    pub fn after(&self, event: &StageEvent, now: Timestamp) -> Option<Self> {
        let next = match (self, event) {
            (Self::Pending, StageEvent::Chosen) => Self::Starting { started_at: now },
            (Self::Pending, StageEvent::Blocked { by }) => {
                Self::Skipped { ended_at: now, because: by.clone() }
            }
            (Self::Pending, StageEvent::Stopped { .. }) => {
                Self::Cancelled { started_at: None, ended_at: now, session_id: None }
            }
            (Self::Starting { started_at }, StageEvent::Begun { session_id, receipt_id }) => {
                Self::Running { started_at: *started_at, session_id: *session_id, receipt_id: *receipt_id }
            }
            (
                Self::Running { started_at, session_id, receipt_id },
                StageEvent::Answered { output, truncated },
            ) => Self::Completed {
                started_at: *started_at,
                ended_at: now,
                session_id: *session_id,
                receipt_id: *receipt_id,
                output: output.clone(),
                truncated: *truncated,
            },
            (Self::Starting { started_at }, StageEvent::Failed(error)) => Self::Failed {
                started_at: *started_at,
                ended_at: now,
                session_id: None,
                receipt_id: None,
                error: error.clone(),
            },
            (Self::Running { started_at, session_id, receipt_id }, StageEvent::Failed(error)) => {
                Self::Failed {
                    started_at: *started_at,
                    ended_at: now,
                    session_id: Some(*session_id),
                    receipt_id: *receipt_id,
                    error: error.clone(),
                }
            }
            (Self::Starting { started_at }, StageEvent::Stopped { session_id }) => {
                Self::Cancelled { started_at: Some(*started_at), ended_at: now, session_id: *session_id }
            }
            (Self::Running { started_at, session_id, .. }, StageEvent::Stopped { .. }) => Self::Cancelled {
                started_at: Some(*started_at),
                ended_at: now,
                session_id: Some(*session_id),
            },
            (
                Self::Pending,
                StageEvent::Begun { .. } | StageEvent::Answered { .. } | StageEvent::Failed(_),
            )
            | (
                Self::Starting { .. },
                StageEvent::Chosen | StageEvent::Answered { .. } | StageEvent::Blocked { .. },
            )
            | (
                Self::Running { .. },
                StageEvent::Chosen | StageEvent::Begun { .. } | StageEvent::Blocked { .. },
            )
            | (
                Self::Completed { .. } | Self::Failed { .. } | Self::Skipped { .. } | Self::Cancelled { .. },
                _,
            ) => return None,
        };
        Some(next)
    }
}

impl Pipeline {
    /// Gives the pipeline that `event` leads to, or `None` if it changes nothing.
    #[must_use]
    pub fn after(&self, event: &PipelineEvent, now: Timestamp) -> Option<Self> {
        if self.status.over() {
            return None;
        }
        let mut next = self.clone();
        match event {
            PipelineEvent::Stage { at, event } => {
                let stage = next.stages.get_mut(*at)?;
                stage.state = stage.state.after(event, now)?;
                next.skip_blocked(now);
            }
            PipelineEvent::Cancel { by } => {
                if self.cancelled_by.is_some() || self.settled() {
                    return None;
                }
                next.cancelled_by = Some(by.clone());
                for stage in &mut next.stages {
                    if stage.state == StageState::Pending {
                        stage.state =
                            StageState::Cancelled { started_at: None, ended_at: now, session_id: None };
                    }
                }
                // What never ran leaves nothing to be stopped.
                if next.stages.iter().all(|stage| stage.state.started_at().is_none()) {
                    next.ended_at = Some(now);
                }
            }
            PipelineEvent::Close => {
                if !self.settled() {
                    return None;
                }
                next.ended_at = Some(now);
            }
        }
        next.status = next.verdict();
        Some(next)
    }

    /// Tells whether all stages are over.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.stages.iter().all(|stage| stage.state.over())
    }

    /// Gives the stages that somebody must work on now: those under way, and, in their order, those that can begin
    /// while no more than `most` are under way.
    #[must_use]
    pub fn due(&self, most: usize) -> Vec<usize> {
        let at_work = self.stages.iter().filter(|stage| stage.state.at_work()).count();
        let mut places = most.saturating_sub(at_work);
        let mut due = Vec::new();
        for (at, stage) in self.stages.iter().enumerate() {
            if stage.state.at_work() {
                due.push(at);
            } else if places > 0 && self.is_ready(stage) {
                places -= 1;
                due.push(at);
            }
        }
        due
    }

    /// Gives the stage whose session this one goes on in: the only one it depends on, if directory and settings are
    /// the same and no stage before this one in the list takes that session already.
    #[must_use]
    pub fn predecessor(&self, at: usize) -> Option<usize> {
        let [on] = self.stages.get(at)?.depends_on.as_slice() else { return None };
        let before = self.stages.iter().position(|stage| stage.name == *on)?;
        (self.successor(before) == Some(at)).then_some(before)
    }

    /// Gives the sessions that can be ended: those of stages that went well or were cancelled, once no stage is left
    /// that runs in them or will. The session of a stage that failed is kept.
    #[must_use]
    pub fn spent(&self) -> Vec<SessionId> {
        let first = (0..self.stages.len()).filter(|at| self.predecessor(*at).is_none());
        let lines = first.map(|at| std::iter::successors(Some(at), |at| self.successor(*at)));
        let spent = lines.filter_map(|line| {
            let line: Vec<&Stage> = line.filter_map(|at| self.stages.get(at)).collect();
            let kept =
                |stage: &&Stage| matches!(stage.state, StageState::Failed { .. }) || !stage.state.over();
            if line.iter().any(kept) { None } else { line.iter().find_map(|stage| stage.state.session_id()) }
        });
        spent.collect()
    }

    fn successor(&self, at: usize) -> Option<usize> {
        let one = self.stages.get(at).filter(|_| self.reuse)?;
        self.stages.iter().position(|other| {
            matches!(other.depends_on.as_slice(), [on] if *on == one.name)
                && (&other.work_dir, other.permission_mode, &other.model)
                    == (&one.work_dir, one.permission_mode, &one.model)
        })
    }

    fn is_ready(&self, stage: &Stage) -> bool {
        let completed = |name: &String| {
            let on = self.stages.iter().find(|stage| stage.name == *name);
            on.is_some_and(|on| matches!(on.state, StageState::Completed { .. }))
        };
        stage.state == StageState::Pending && stage.depends_on.iter().all(completed)
    }

    /// Skips what can never begin, however far behind the stage that failed.
    fn skip_blocked(&mut self, now: Timestamp) {
        while let Some((at, by)) = self.blocked() {
            let Some(stage) = self.stages.get_mut(at) else { return };
            let Some(state) = stage.state.after(&StageEvent::Blocked { by }, now) else { return };
            stage.state = state;
        }
    }

    /// A stage that waits for one that will not be completed, and the stage whose failure is behind that.
    fn blocked(&self) -> Option<(usize, String)> {
        self.stages.iter().enumerate().filter(|(_, stage)| stage.state == StageState::Pending).find_map(
            |(at, stage)| {
                let mut waits_for = self.stages.iter().filter(|on| stage.depends_on.contains(&on.name));
                let by = waits_for.find_map(|on| match &on.state {
                    StageState::Failed { .. } | StageState::Cancelled { .. } => Some(on.name.clone()),
                    StageState::Skipped { because, .. } => Some(because.clone()),
                    StageState::Pending
                    | StageState::Starting { .. }
                    | StageState::Running { .. }
                    | StageState::Completed { .. } => None,
                });
                Some((at, by?))
            },
        )
    }

    fn verdict(&self) -> PipelineStatus {
        let any = |is: fn(&StageState) -> bool| self.stages.iter().any(|stage| is(&stage.state));
        match self.ended_at {
            None if self.cancelled_by.is_some() => PipelineStatus::Cancelling,
            None if !any(|state| *state != StageState::Pending) => PipelineStatus::Pending,
            None => PipelineStatus::Running,
            Some(_) if any(|state| matches!(state, StageState::Cancelled { .. })) => {
                PipelineStatus::Cancelled
            }
            Some(_) if any(|state| matches!(state, StageState::Failed { .. })) => PipelineStatus::Failed,
            Some(_) => PipelineStatus::Completed,
        }
    }
}
