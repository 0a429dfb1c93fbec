use rstest::rstest;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

/// A step from `name < dependency, dependency: prompt`; without `<` it does not say what it depends on.
fn step(text: &str) -> StepSpec {
    let (head, prompt) = text.split_once(':').unwrap_or((text, "do it"));
    let (name, on) = head.split_once('<').map_or((head, None), |(name, on)| (name, Some(on)));
    let on =
        on.map(|on| on.split(',').map(str::trim).filter(|on| !on.is_empty()).map(str::to_owned).collect());
    StepSpec {
        name: Some(name.trim().to_owned()).filter(|name| !name.is_empty()),
        prompt: prompt.trim().into(),
        work_dir: "/work".into(),
        depends_on: on,
        permission_mode: PermissionMode::Default,
        model: None,
        timeout_ms: None,
    }
}

fn spec(steps: &[&str]) -> PipelineSpec {
    PipelineSpec {
        id: PipelineId::mint(),
        name: "ship".into(),
        reuse: false,
        parent_id: None,
        owner_key: None,
        created_at: at(0),
        steps: steps.iter().map(|text| step(text)).collect(),
    }
}

fn plan(steps: &[&str]) -> Pipeline {
    Pipeline::plan(spec(steps)).unwrap()
}

/// What each stage is, in a word.
fn words(pipeline: &Pipeline) -> Vec<&'static str> {
    pipeline.stages.iter().map(|stage| stage.state.as_str()).collect()
}

fn happens(pipeline: &mut Pipeline, stage: usize, event: StageEvent) {
    let event = PipelineEvent::Stage { at: stage, event };
    *pipeline = pipeline.after(&event, at(1)).unwrap_or_else(|| panic!("{event:?} changes nothing"));
}

fn begin(pipeline: &mut Pipeline, stage: usize) -> SessionId {
    let session_id = SessionId::mint();
    begin_in(pipeline, stage, session_id);
    session_id
}

fn begin_in(pipeline: &mut Pipeline, stage: usize, session_id: SessionId) {
    happens(pipeline, stage, StageEvent::Chosen);
    happens(pipeline, stage, StageEvent::Begun { session_id, receipt_id: None });
}

fn answer(pipeline: &mut Pipeline, stage: usize, output: &str) {
    happens(pipeline, stage, StageEvent::Answered { output: output.into(), truncated: false });
}

fn fail(pipeline: &mut Pipeline, stage: usize) {
    happens(pipeline, stage, StageEvent::Failed(StageFailure::new(FailureKind::TurnFailed, "529")));
}

#[rstest]
#[case::none(&[], "a pipeline has 1 to 50 steps, not 0")]
#[case::two_of_a_name(&["a", "a"], "two steps are named `a`")]
#[case::a_default_name_taken(&["step-2", ""], "two steps are named `step-2`")]
#[case::a_name_with_a_dot(&["a.b"], "`a.b` cannot name a step: 1 to 64 letters, digits, `-` and `_`, as references hold them")]
#[case::unknown(&["a <", "b < c"], "step `b` depends on `c`, and there is no such step")]
#[case::itself(&["a < a"], "steps wait for each other: a → a")]
#[case::a_cycle(&["a <", "b < a, d", "c < b", "d < c"], "steps wait for each other: b → d → c → b")]
#[case::no_such_reference(&["a: {{stages.x.output}}"], "step `a` wants the output of `x`, and there is no such step")]
#[case::its_own_output(&["a: {{stages.a.output}}"], "step `a` wants the output of `a` without depending on it")]
#[case::a_later_one(&["a: {{stages.b.output}}", "b"], "step `a` wants the output of `b` without depending on it")]
#[case::a_neighbour(&["a <", "b <: {{stages.a.output}}"], "step `b` wants the output of `a` without depending on it")]
#[case::another_field(&["a", "b: {{stages.a.text}}"], "step `b`: `{{stages.a.text}}` is no reference; write `{{stages.NAME.output}}`")]
fn what_cannot_run_is_refused(#[case] steps: &[&str], #[case] why: &str) {
    assert_eq!(Pipeline::plan(spec(steps)).unwrap_err().to_string(), why);
}

#[test]
fn fifty_steps_fit_and_one_more_does_not() {
    assert_eq!(plan(&[""; 50]).stages[49].depends_on, ["step-49"]);
    assert_eq!(Pipeline::plan(spec(&[""; 51])), Err(PlanError::Count { count: 51 }));
}

#[test]
fn bounds_of_names_and_times_are_held() {
    for name in ["", " ", "a\nb", &"x".repeat(65)] {
        let named = PipelineSpec { name: name.into(), ..spec(&["a"]) };
        assert_eq!(Pipeline::plan(named), Err(PlanError::PipelineName), "{name:?}");
    }
    for (limit, fits) in [(999, false), (1000, true), (604_800_000, true), (604_800_001, false)] {
        let mut timed = spec(&["a"]);
        timed.steps[0].timeout_ms = Some(limit);
        assert_eq!(Pipeline::plan(timed).is_ok(), fits, "{limit}");
    }
}

#[test]
fn without_a_word_on_dependencies_steps_are_in_sequence() {
    let on =
        |steps: &[&str]| plan(steps).stages.into_iter().map(|stage| stage.depends_on).collect::<Vec<_>>();
    assert_eq!(on(&["a", "b", "c"]), [vec![], vec!["a".to_owned()], vec!["b".to_owned()]]);
    assert_eq!(on(&["a", "b <", "c < a, a"]), [vec![], vec![], vec!["a".to_owned()]]);
}

#[test]
fn a_diamond_runs_and_hands_its_answers_on() {
    let join = "d < b, c: {{stages.b.output}} {{stages.a.output}} {{stages.c.output}}";
    let mut pipeline = plan(&["a <", "b < a", "c < a", join]);
    assert_eq!((pipeline.due(8), pipeline.status), (vec![0], PipelineStatus::Pending));
    begin(&mut pipeline, 0);
    assert_eq!((pipeline.due(8), pipeline.status), (vec![0], PipelineStatus::Running));
    answer(&mut pipeline, 0, "A");
    assert_eq!(pipeline.due(8), [1, 2]);
    assert_eq!(pipeline.due(1), [1]);
    begin(&mut pipeline, 2);
    assert_eq!((pipeline.due(1), pipeline.due(2)), (vec![2], vec![1, 2]));
    answer(&mut pipeline, 2, "C");
    begin(&mut pipeline, 1);
    assert_eq!((pipeline.due(8), pipeline.prompt(3)), (vec![1], None));
    answer(&mut pipeline, 1, "B");
    assert_eq!((pipeline.due(8), pipeline.prompt(3).as_deref()), (vec![3], Some("B A C")));
    begin(&mut pipeline, 3);
    assert_eq!(pipeline.after(&PipelineEvent::Close, at(2)), None);
    answer(&mut pipeline, 3, "");
    assert_eq!((pipeline.due(8), pipeline.status), (vec![], PipelineStatus::Running));
    let over = pipeline.after(&PipelineEvent::Close, at(2)).unwrap();
    assert_eq!((over.status, over.ended_at), (PipelineStatus::Completed, Some(at(2))));
    assert_eq!(over.after(&PipelineEvent::Cancel { by: "cli".into() }, at(3)), None);
}

#[test]
fn a_failure_skips_what_depends_on_it_and_nothing_else() {
    let mut pipeline = plan(&["c < b", "a <", "b < a", "other <"]);
    begin(&mut pipeline, 1);
    fail(&mut pipeline, 1);
    assert_eq!(words(&pipeline), ["skipped", "failed", "skipped", "pending"]);
    let skipped = StageState::Skipped { ended_at: at(1), because: "a".into() };
    assert_eq!(pipeline.stages[0].state, skipped);
    assert_eq!(pipeline.due(8), [3]);
    begin(&mut pipeline, 3);
    answer(&mut pipeline, 3, "");
    assert_eq!(pipeline.after(&PipelineEvent::Close, at(2)).unwrap().status, PipelineStatus::Failed);
}

#[test]
fn a_cancelled_pipeline_is_over_once_what_runs_has_stopped() {
    let cancel = PipelineEvent::Cancel { by: "cli".into() };
    let fresh = plan(&["a", "b"]).after(&cancel, at(1)).unwrap();
    assert_eq!((fresh.status, words(&fresh)), (PipelineStatus::Cancelled, vec!["cancelled"; 2]));

    let mut pipeline = plan(&["a", "b"]);
    let session = begin(&mut pipeline, 0);
    pipeline = pipeline.after(&cancel, at(1)).unwrap();
    assert_eq!(words(&pipeline), ["running", "cancelled"]);
    assert_eq!((pipeline.status, pipeline.due(8)), (PipelineStatus::Cancelling, vec![0]));
    assert_eq!(pipeline.after(&cancel, at(1)), None);
    happens(&mut pipeline, 0, StageEvent::Stopped { session_id: None });
    assert_eq!((pipeline.spent(), pipeline.due(8)), (vec![session], vec![]));
    assert_eq!(pipeline.after(&PipelineEvent::Close, at(2)).unwrap().status, PipelineStatus::Cancelled);
}

#[test]
fn what_comes_late_changes_nothing() {
    let mut pipeline = plan(&["a"]);
    begin(&mut pipeline, 0);
    answer(&mut pipeline, 0, "A");
    let late = [
        StageEvent::Chosen,
        StageEvent::Begun { session_id: SessionId::mint(), receipt_id: None },
        StageEvent::Answered { output: "B".into(), truncated: false },
        StageEvent::Failed(StageFailure::new(FailureKind::TimedOut, "")),
        StageEvent::Stopped { session_id: None },
    ];
    for event in late {
        assert_eq!(pipeline.after(&PipelineEvent::Stage { at: 0, event }, at(9)), None);
    }
    assert_eq!(pipeline.after(&PipelineEvent::Stage { at: 7, event: StageEvent::Chosen }, at(9)), None);
}

#[test]
fn a_session_is_shared_along_a_line_and_ended_behind_its_last_stage() {
    let mut shared = spec(&["a <", "b < a", "c < b", "side < a", "join < c, side"]);
    shared.reuse = true;
    shared.steps[2].model = Some("other".into());
    let mut pipeline = Pipeline::plan(shared).unwrap();
    let before: Vec<_> = (0..5).map(|at| pipeline.predecessor(at)).collect();
    assert_eq!(before, [None, Some(0), None, None, None]);
    let session = begin(&mut pipeline, 0);
    answer(&mut pipeline, 0, "");
    assert_eq!(pipeline.spent(), [], "the next stage goes on in it");
    begin_in(&mut pipeline, 1, session);
    let side = begin(&mut pipeline, 3);
    answer(&mut pipeline, 1, "");
    assert_eq!(pipeline.spent(), [session]);
    fail(&mut pipeline, 3);
    assert_eq!(pipeline.spent(), [session], "{side} is kept for whoever looks");
}

#[test]
fn a_pipeline_reads_back_as_it_was_written() {
    let mut pipeline = plan(&["a <", "b < a", "c < b", "d <", "e <"]);
    begin(&mut pipeline, 0);
    answer(&mut pipeline, 0, "A");
    begin(&mut pipeline, 1);
    fail(&mut pipeline, 1);
    begin(&mut pipeline, 3);
    happens(&mut pipeline, 4, StageEvent::Chosen);
    let json = serde_json::to_value(&pipeline).unwrap();
    assert_eq!(
        (&json["stages"][0]["status"], &json["stages"][0]["output"]),
        (&"completed".into(), &"A".into())
    );
    assert_eq!(serde_json::from_value::<Pipeline>(json).unwrap(), pipeline);
}

#[test]
fn a_glance_says_what_it_cut() {
    let mut pipeline = plan(&["a: größer als"]);
    begin(&mut pipeline, 0);
    answer(&mut pipeline, 0, "fünf");
    let short = pipeline.glance(4);
    assert_eq!(short.stages[0].prompt, "größ…");
    let StageState::Completed { output, truncated, .. } = &short.stages[0].state else { panic!() };
    assert_eq!((output.as_str(), *truncated), ("fünf", false));
}
