//! Adding up.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{Histogram, Session, StatusWord, Timestamp};
use crate::ops::{Figures, SessionFigures, SessionMetrics, TokenUsage};

use super::super::overview::ended_well;

/// Tokens of several sessions.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TokenSums")]
pub(super) struct Tokens {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) cache_creation_tokens: u64,
    pub(super) cache_read_tokens: u64,
    /// US dollars by list price, of the models whose price is known.
    pub(super) estimated_cost_usd: f64,
}

impl Tokens {
    fn add(&mut self, used: &TokenUsage) {
        self.input_tokens += used.input_tokens;
        self.output_tokens += used.output_tokens;
        self.cache_creation_tokens += used.cache_creation_tokens;
        self.cache_read_tokens += used.cache_read_tokens;
        self.estimated_cost_usd = cents(self.estimated_cost_usd + used.estimated_cost_usd.unwrap_or(0.0));
    }

    pub(super) fn total(&self) -> u64 {
        self.input_tokens + self.output_tokens + self.cache_creation_tokens + self.cache_read_tokens
    }
}

/// To a millionth of a dollar.
fn cents(dollars: f64) -> f64 {
    (dollars * 1e6).round() / 1e6
}

/// What one session cost, in US dollars, by the models whose price is known.
pub(super) fn cost(metrics: &SessionMetrics) -> f64 {
    cents(metrics.models.iter().filter_map(|used| used.tokens.estimated_cost_usd).sum())
}

/// A mean over so many; 0 over none.
pub(super) fn mean(sum: u64, count: usize) -> f64 {
    // Exact up to 2^53.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    if count == 0 { 0.0 } else { (sum as f64 / count as f64 * 1000.0).round() / 1000.0 }
}

/// The sessions that were created on one day.
#[derive(Clone, Debug, Default)]
pub(super) struct Day {
    pub(super) sessions: usize,
    pub(super) duration_sec: u64,
    /// US dollars.
    pub(super) cost: f64,
}

/// Sums over sessions.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) created: usize,
    pub(super) active: usize,
    pub(super) completed: usize,
    pub(super) failed: usize,
    pub(super) duration_sec: u64,
    pub(super) messages: u64,
    pub(super) turns: u64,
    pub(super) tool_calls: u64,
    pub(super) asks: u64,
    pub(super) approvals: u64,
    pub(super) auto_approvals: u64,
    pub(super) rejections: u64,
    /// Turns that fell silent for too long.
    pub(super) stalls: u64,
    /// Answers of the API.
    pub(super) api_messages: u64,
    pub(super) hook: Histogram,
    pub(super) answer: Histogram,
    pub(super) submitted: Histogram,
    pub(super) turn: Histogram,
    /// By model.
    pub(super) models: BTreeMap<String, Tokens>,
    /// By day in UTC.
    pub(super) days: BTreeMap<String, Day>,
    unpriced: BTreeSet<String>,
    pub(super) partial: bool,
}

impl Sums {
    /// Adds up the sessions whose time of creation is wanted.
    pub(super) fn of(figures: &Figures, wanted: impl Fn(Timestamp) -> bool) -> Self {
        let all = Self::by(figures, |session| wanted(session.created_at).then_some(())).remove(&());
        all.unwrap_or_else(|| Self { partial: figures.partial, ..Self::default() })
    }

    /// Adds up sessions in groups: each in the one that is picked for it, if one is.
    pub(super) fn by<K: Ord>(figures: &Figures, pick: impl Fn(&Session) -> Option<K>) -> BTreeMap<K, Self> {
        let mut groups: BTreeMap<K, Self> = BTreeMap::new();
        for (one, metrics) in figures.sessions.iter().zip(figures.metrics()) {
            if let Some(group) = pick(&one.session) {
                let sums = groups.entry(group).or_default();
                sums.partial = figures.partial;
                sums.add(one, &metrics);
            }
        }
        groups
    }

    fn add(&mut self, one: &SessionFigures, metrics: &SessionMetrics) {
        let session = &one.session;
        self.created += 1;
        match session.status {
            StatusWord::Ended if ended_well(session.ending.as_ref()) => self.completed += 1,
            StatusWord::Ended => self.failed += 1,
            _ => self.active += 1,
        }
        self.duration_sec += metrics.duration_sec;
        self.messages += metrics.messages;
        self.turns += metrics.turns;
        self.tool_calls += metrics.tool_calls;
        self.asks += metrics.asks;
        self.approvals += metrics.approvals;
        self.auto_approvals += metrics.auto_approvals;
        self.rejections += metrics.rejections;
        let events = &one.stats.events;
        self.stalls += events.stalls;
        self.hook.merge(&events.hook);
        self.answer.merge(&events.answer);
        self.submitted.merge(&events.submitted);
        self.turn.merge(&events.turn);
        let date = session.created_at.to_string().chars().take(10).collect();
        let day = self.days.entry(date).or_default();
        day.sessions += 1;
        day.duration_sec += metrics.duration_sec;
        for used in &metrics.models {
            self.api_messages += used.api_messages;
            self.models.entry(used.model.clone()).or_default().add(&used.tokens);
            match used.tokens.estimated_cost_usd {
                Some(cost) => day.cost = cents(day.cost + cost),
                None => drop(self.unpriced.insert(used.model.clone())),
            }
        }
    }

    /// The mean over all sessions.
    pub(super) fn mean(&self, sum: u64) -> f64 {
        mean(sum, self.created)
    }

    /// The tokens of all models.
    pub(super) fn tokens(&self) -> Tokens {
        self.models.values().fold(Tokens::default(), |sum, one| Tokens {
            input_tokens: sum.input_tokens + one.input_tokens,
            output_tokens: sum.output_tokens + one.output_tokens,
            cache_creation_tokens: sum.cache_creation_tokens + one.cache_creation_tokens,
            cache_read_tokens: sum.cache_read_tokens + one.cache_read_tokens,
            estimated_cost_usd: cents(sum.estimated_cost_usd + one.estimated_cost_usd),
        })
    }

    /// Models whose price is not known.
    pub(super) fn unpriced(&self) -> Vec<String> {
        self.unpriced.iter().cloned().collect()
    }
}
