//! The rehearsal's own story.

use aegis::rehearsal::story::{self, Stage};
use rstest::rstest;

use crate::support::Lab;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_the_rehearsal_passes(#[values("2.1.197", "2.1.330")] version: &str) {
    let lab = Lab::new(version, story::script()).await;
    let (aegis, caller) = lab.aegis();
    let stage = Stage { aegis: &aegis, caller: &caller, api: &lab.api, work_dir: &lab.project };
    let steps = story::play(&stage, |_| {}).await;
    let failed: Vec<_> = steps.iter().filter(|step| !step.ok).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(steps.len(), 12);
    assert_eq!(lab.processes(), [], "processes are left");
}
