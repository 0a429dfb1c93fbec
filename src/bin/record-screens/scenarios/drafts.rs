//! The input box, and what a person has typed into it.

use aegis::claude::keys;

use crate::scenario::{Scenario, case};

/// The cases.
pub(super) fn cases() -> Vec<Scenario> {
    vec![
        case("idle-fresh").ready(),
        case("draft").ready().press("hello draft").until("hello draft"),
    ]
}
