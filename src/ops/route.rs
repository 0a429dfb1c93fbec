//! Advice on the model for a task. It changes no session.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Aegis, Caller};
use crate::claude::tiers::{self, Task, Tier};
use crate::domain::{ErrorCode, OpError};

/// Asks which model a task needs.
#[derive(Clone, Debug, Default)]
pub struct RouteTask {
    /// What is to be done, in a line of 1 to 500 characters.
    pub title: String,
    /// The task's labels, at most 50 of 100 characters.
    pub labels: Vec<String>,
    /// More about it, at most 10,000 characters.
    pub description: String,
}

/// The model that a task needs, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskRoute {
    /// The tier: `fast`, `standard` or `power`.
    pub tier: String,
    /// Its model.
    pub model: String,
    /// From 0 to 100: up to 30 is fast, from 71 on power.
    #[schemars(range(min = 0, max = 100))]
    pub score: u8,
    /// A sentence for each sign that counted.
    pub reasoning: Vec<String>,
}

/// The model of each tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModelTiers {
    /// For small changes.
    pub fast: String,
    /// For most.
    pub standard: String,
    /// For what must not go wrong.
    pub power: String,
}

impl Aegis {
    /// Tells the model of each tier.
    #[must_use]
    pub fn model_tiers(&self, _: &Caller) -> ModelTiers {
        let [fast, standard, power] = [Tier::Fast, Tier::Standard, Tier::Power].map(|tier| self.model(tier));
        ModelTiers { fast, standard, power }
    }

    /// Tells which model a task needs.
    ///
    /// # Errors
    ///
    /// `invalid_argument`.
    pub fn route_task(&self, _: &Caller, req: &RouteTask) -> Result<TaskRoute, OpError> {
        let within = |text: &str, most: usize| text.chars().count() <= most;
        let fits = !req.title.trim().is_empty()
            && within(&req.title, 500)
            && within(&req.description, 10_000)
            && req.labels.len() <= 50
            && req.labels.iter().all(|label| within(label, 100));
        if !fits {
            let what =
                "title has 1 to 500 characters, description at most 10000, labels are at most 50 of 100";
            return Err(OpError::new(ErrorCode::InvalidArgument, what));
        }
        let task = Task { title: &req.title, labels: &req.labels, description: &req.description };
        let advice = tiers::advise(&task);
        let tier = Tier::of(advice.score);
        Ok(TaskRoute {
            tier: tier.as_str().into(),
            model: self.model(tier),
            score: advice.score,
            reasoning: advice.reasons,
        })
    }

    fn model(&self, tier: Tier) -> String {
        // Each names another model for its tier.
        let variable = match tier {
            Tier::Fast => "MODEL_FAST",
            Tier::Standard => "MODEL_STANDARD",
            Tier::Power => "MODEL_POWER",
        };
        self.engine.variable(variable).unwrap_or(tier.model()).to_owned()
    }
}
