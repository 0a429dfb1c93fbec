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
