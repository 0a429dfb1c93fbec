//! The cases, by topic.

mod drafts;

use super::scenario::Scenario;

/// Every case.
pub(crate) fn all() -> Vec<Scenario> {
    drafts::cases()
}
