//! The cases, by topic. One entry a case; its name is the folder's.

mod drafts;
mod menus;
mod permissions;
mod questions;
mod startup;
mod turns;

use super::scenario::Scenario;

/// Every case.
pub(crate) fn all() -> Vec<Scenario> {
    let topics = [
        startup::cases(),
        drafts::cases(),
        turns::finished(),
        turns::working(),
        permissions::cases(),
        questions::cases(),
        questions::plans(),
        menus::cases(),
    ];
    topics.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::scenario::{Step, case};

    #[test]
    fn every_case_has_a_name_of_its_own_and_waits_for_what_it_records() {
        let mut names = BTreeSet::new();
        for scenario in super::all() {
            assert!(names.insert(scenario.case), "{} stands twice", scenario.case);
            let last = scenario.steps.last();
            assert!(matches!(last, Some(Step::Until { .. })), "{} does not end with a wait", scenario.case);
            for step in &scenario.steps {
                if let Step::Until { shown, .. } = step {
                    assert!(regex::Regex::new(shown).is_ok(), "{}: {shown}", scenario.case);
                }
            }
        }
    }

    #[test]
    fn a_case_is_known_from_its_first_version_to_the_last() {
        let some = case("x").since("2.1.197").before("2.1.330");
        let known =
            ["2.1.150", "2.1.197", "2.1.300", "2.1.330", "2.2.0"].map(|version| some.known_to(version));
        assert_eq!(known, [false, true, true, false, false]);
        assert!(case("x").known_to("2.1.5"));
    }
}
