//! What Claude asks, and plans.

use aegis::claude::keys;
use aegis::rehearsal::Reply;
use aegis::rehearsal::api::{Choice, Question};
use serde_json::json;

use crate::scenario::{RIGHT, Scenario, case};

/// The last line of a question.
const ASKED: &str = "Chat about this|Enter to select";

/// The cases of AskUserQuestion.
pub(super) fn cases() -> Vec<Scenario> {
    let single = |name| case(name).asks("ask me", [Reply::questions([colour()])]).until(ASKED);
    let multi = |name| case(name).asks("ask me", [Reply::questions([features(true)])]).until(ASKED);
    let several =
        |name| case(name).asks("ask me", [Reply::questions([colour(), features(false)])]).until(ASKED);
    let free = |name| single(name).press(keys::DOWN).sees(r"❯ 2\.").press(keys::DOWN).until(r"❯ 3\.");
    let ticked = |name| multi(name).press(keys::ENTER).until("[✔✓x☑◉☒].{0,2} Cache");
    vec![
        single("question-single"),
        single("question-single-moved").press(keys::DOWN).until(r"❯ 2\."),
        free("question-single-free"),
        free("question-single-typed").press("violet").until("violet"),
        multi("question-multi"),
        ticked("question-multi-ticked"),
        ticked("question-multi-review").press(RIGHT).until("Review your answers"),
        several("question-several"),
        several("question-several-second").press("1").until("Which features"),
    ]
}

/// The cases of plan mode.
pub(super) fn plans() -> Vec<Scenario> {
    let steps: String = (1..=40)
        .map(|step| format!("{step}. Step number {step} of the plan that changes file{step}.rs\n"))
        .collect();
    let planned = |name: &'static str, plan: String| {
        case(name).arguments(&["--permission-mode", "plan"]).asks("plan it", [Reply::plan(plan)])
    };
    let asked = "Would you like to|Ready to code";
    vec![
        planned("plan", "# Plan\n\n1. First step\n2. Second step\n".into()).until(asked),
        planned("plan-long", format!("# Plan\n\n{steps}")).until("Would you like to"),
        case("plan-none")
            .arguments(&["--permission-mode", "plan"])
            .asks("plan it", [Reply::tool("ExitPlanMode", json!({}))])
            .until("Exit plan mode|Would you like to"),
    ]
}

fn colour() -> Question {
    let mut question = Question::new("Which colour do you prefer?", "Colour", ["Red", "Blue"]);
    describe(&mut question.options, &["a warm one", "a cold one"]);
    question
}

fn features(three: bool) -> Question {
    let labels: &[&str] = if three { &["Cache", "Log", "Retry"] } else { &["Cache", "Log"] };
    let mut question =
        Question::new("Which features do you want?", "Features", labels.iter().copied()).multi();
    let long =
        "A description that is long enough to wrap over the edge of a screen of eighty columns, surely";
    describe(&mut question.options, &["c", "l", long]);
    question
}

fn describe(options: &mut [Choice], descriptions: &[&str]) {
    for (option, description) in options.iter_mut().zip(descriptions) {
        (*description).clone_into(&mut option.description);
    }
}
