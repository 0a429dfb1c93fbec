//! The table of Claude Code's own tools against what it offers to a model.

use aegis::claude::builtin::TOOLS;
use aegis::domain::StatusWord;
use aegis::rehearsal::{Reply, Script};
use rstest::rstest;

use crate::support::Lab;
use crate::support::tasks::Driver;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_tool_that_a_model_is_offered_is_in_the_table(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, Script::new().on("GREET", [Reply::text("Hello.")])).await;
    let driver = Driver::new(&lab);
    let id = driver.create(Some("GREET")).await.session.id.to_string();
    driver.until(&id, StatusWord::Idle).await;
    let requests = lab.api.requests();
    let offered = requests.iter().find(|request| request.is_main()).unwrap().tools();
    assert!(offered.len() > 5, "{offered:?}");
    // What stands for tools that are loaded when they are asked for.
    let placeholder = |name: &str| name == "DeferredToolPlaceholder";
    let unknown: Vec<_> = offered
        .iter()
        .filter(|name| !placeholder(name) && !TOOLS.iter().any(|tool| tool.name == **name))
        .collect();
    assert!(unknown.is_empty(), "not in the table: {unknown:?}; offered: {offered:?}");
    driver.kill(&id).await;
}
