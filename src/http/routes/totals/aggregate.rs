//! Sums over a span of time, in steps of days or hours, and by key.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;
use super::keys::{self, Names};
use super::sums::{Sums, cost};
use crate::domain::{SessionId, Timestamp};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::Query;
use crate::http::refusal::Reply;
use crate::http::route::Route;
use crate::ops::{Figures, SessionFigures, SessionMetrics};

const HOUR_MS: i64 = 60 * 60 * 1000;

const DAY_MS: i64 = 24 * HOUR_MS;

/// How far back it looks unless told, in milliseconds: a week.
const USUAL_SPAN_MS: i64 = 7 * DAY_MS;

/// How many other sessions it takes to call one's cost unusual.
const LEAST_OTHERS: usize = 4;

/// How many times as much it costs then as 95 of 100 others do.
const UNUSUAL: f64 = 3.0;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/metrics/aggregate", aggregate)
            .says("Sums up the sessions that were created in a span of time, in steps and by key.")
            .operator()
            .query::<Wanted>()
            .gives::<Aggregate>(200),
    ]
}

/// Which sessions, and in which steps.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "AggregateQuery")]
struct Wanted {
    /// Only sessions that were created at this time or later, in ISO 8601; a week before the end unless given.
    from: Option<Timestamp>,
    /// Only sessions that were created at this time or before; now unless given.
    to: Option<Timestamp>,
    /// `day` (unless given) or `hour`, in UTC, for the steps of the series; `key` for sums by key alone.
    group_by: GroupBy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum GroupBy {
    #[default]
    Day,
    Hour,
    Key,
}

impl GroupBy {
    /// The length of a step, in milliseconds.
    fn step(self) -> Option<i64> {
        match self {
            Self::Day => Some(DAY_MS),
            Self::Hour => Some(HOUR_MS),
            Self::Key => None,
        }
    }
}

/// Sums over a span of time, of sessions that live and of those that ended.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Aggregate {
    summary: Summary,
    /// By when sessions were created, oldest first, without steps in which none were; empty where only keys are asked
    /// for.
    time_series: Vec<Step>,
    /// By the key that the sessions belong to.
    by_key: Vec<OfKey>,
    /// Sessions that cost more than three times what 95 of 100 others of the span do; it takes four others
    /// that cost something to tell.
    anomalies: Vec<Anomaly>,
    /// Whether records are missing, so that sums are too low.
    partial: bool,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AggregateSummary")]
struct Summary {
    total_sessions: usize,
    avg_duration_seconds: f64,
    /// US dollars by list price, of the models whose price is known.
    total_token_cost_usd: f64,
    total_messages: u64,
    total_tool_calls: u64,
    /// Asks that somebody or a rule allowed.
    permissions_approved: u64,
    /// Of the asks that were allowed or refused, in percent; null while none was.
    permission_approval_rate: Option<u64>,
    /// How often turns fell silent for longer than their session allows.
    stalls: u64,
}

/// The sessions that were created in one day or hour.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AggregateStep")]
struct Step {
    /// When it begins.
    timestamp: Timestamp,
    #[serde(flatten)]
    sums: StepSums,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AggregateSums")]
struct StepSums {
    sessions: usize,
    messages: u64,
    tool_calls: u64,
    /// US dollars.
    token_cost_usd: f64,
}

impl StepSums {
    fn of(sums: &Sums) -> Self {
        Self {
            sessions: sums.created,
            messages: sums.messages,
            tool_calls: sums.tool_calls,
            token_cost_usd: sums.tokens().estimated_cost_usd,
        }
    }
}

/// The sessions of one key.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AggregateOfKey")]
struct OfKey {
    /// The key's id; `__none__` for sessions that belong to no key.
    key_id: String,
    /// The key's name; its id once it is removed, `no-key` where there is none.
    key_name: String,
    #[serde(flatten)]
    sums: StepSums,
}

/// A session that cost unusually much.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Anomaly {
    session_id: SessionId,
    /// US dollars.
    token_cost_usd: f64,
    reason: String,
}

/// When the step of this length begins in which a time lies.
fn begin(at: Timestamp, step: i64) -> Option<Timestamp> {
    Timestamp::from_millis(at.millis().div_euclid(step) * step)
}

fn summary(sums: &Sums) -> Summary {
    let approved = sums.approvals + sums.auto_approvals;
    let decided = approved + sums.rejections;
    Summary {
        total_sessions: sums.created,
        avg_duration_seconds: sums.mean(sums.duration_sec),
        total_token_cost_usd: sums.tokens().estimated_cost_usd,
        total_messages: sums.messages,
        total_tool_calls: sums.tool_calls,
        permissions_approved: approved,
        // To the nearest percent.
        permission_approval_rate: (approved * 100 + decided / 2).checked_div(decided),
        stalls: sums.stalls,
    }
}

/// The sessions whose cost is unusual among those of these that cost something.
///
/// One is held against the others alone: among few, the largest would else set its own measure.
fn anomalies(mut costs: Vec<(SessionId, f64)>) -> Vec<Anomaly> {
    costs.retain(|(_, cost)| *cost > 0.0);
    costs.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let Some(others) = costs.len().checked_sub(1).filter(|others| *others >= LEAST_OTHERS) else {
        return Vec::new();
    };
    // The place, among the others in their order, of the least that 95 of 100 do not exceed.
    let place = (others * 95).div_ceil(100) - 1;
    let unusual = |(at, &(session_id, cost)): (usize, &(SessionId, f64))| {
        // The one itself is left out.
        let (_, usual) = *costs.get(if at <= place { place + 1 } else { place })?;
        (cost > usual * UNUSUAL).then(|| Anomaly {
            session_id,
            token_cost_usd: cost,
            reason: format!(
                "it cost more than {UNUSUAL} times the ${usual} that 95 of 100 others stay within"
            ),
        })
    };
    costs.iter().enumerate().rev().filter_map(unusual).collect()
}

async fn aggregate(
    State(door): State<HttpDoor>,
    call: Call,
    Query(wanted): Query<Wanted>,
) -> Reply<Json<Aggregate>> {
    let to = wanted.to.unwrap_or_else(Timestamp::now);
    let week_before = || Timestamp::from_millis(to.millis().saturating_sub(USUAL_SPAN_MS));
    let span = Span { from: wanted.from.or_else(week_before), to: Some(to) };
    span.check()?;
    let figures: Figures = door.aegis.get_figures(&call.caller).await?;
    let names = Names::of(&door.aegis.figured_keys(&call.caller).await?);
    let steps: BTreeMap<Timestamp, Sums> = match wanted.group_by.step() {
        Some(step) => Sums::by(&figures, |session| {
            span.has(session.created_at).then(|| begin(session.created_at, step)).flatten()
        }),
        None => BTreeMap::new(),
    };
    let metrics = figures.metrics();
    let costs = figures.sessions.iter().zip(&metrics).filter(|(one, _)| span.has(one.session.created_at));
    let costs =
        costs.map(|(one, metrics): (&SessionFigures, &SessionMetrics)| (one.session.id, cost(metrics)));
    let of_key = |(key, sums): (Option<String>, Sums)| {
        let (key_id, key_name) = names.tell(key.as_deref());
        OfKey { key_id, key_name, sums: StepSums::of(&sums) }
    };
    Ok(Json(Aggregate {
        summary: summary(&Sums::of(&figures, |at| span.has(at))),
        time_series: steps
            .into_iter()
            .map(|(timestamp, sums)| Step { timestamp, sums: StepSums::of(&sums) })
            .collect(),
        by_key: keys::sums(&figures, |at| span.has(at)).into_iter().map(of_key).collect(),
        anomalies: anomalies(costs.collect()),
        partial: figures.partial,
    }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[rstest]
    #[case("2026-11-30T20:18:09.123Z", DAY_MS, "2026-11-30T00:00:00Z")]
    #[case("2026-11-30T20:18:09.123Z", HOUR_MS, "2026-11-30T20:00:00Z")]
    #[case("1969-12-31T23:59:59Z", DAY_MS, "1969-12-31T00:00:00Z")]
    #[case("2026-11-30T00:00:00Z", DAY_MS, "2026-11-30T00:00:00Z")]
    fn steps_begin_with_their_day_or_hour(#[case] time: &str, #[case] step: i64, #[case] begins: &str) {
        assert_eq!(begin(at(time), step), Some(at(begins)));
    }

    #[rstest]
    #[case::few(&[1.0, 1.0, 1.0, 100.0], &[])]
    #[case::enough(&[1.0, 1.0, 1.0, 1.0, 100.0], &[100.0])]
    #[case::just_not(&[1.0, 1.0, 1.0, 1.0, 3.0], &[])]
    #[case::next_to_another(&[1.0, 1.0, 1.0, 1.0, 90.0, 100.0], &[])]
    #[case::nothing_else_cost(&[0.0, 0.0, 0.0, 0.0, 0.1], &[])]
    fn what_costs_much_more_than_the_others_is_told(#[case] costs: &[f64], #[case] told: &[f64]) {
        let costs = costs.iter().map(|cost| (SessionId::mint(), *cost)).collect();
        let found: Vec<_> = anomalies(costs).iter().map(|one| one.token_cost_usd).collect();
        assert_eq!(found, told);
    }

    #[test]
    fn among_many_the_five_in_a_hundred_are_passed_over() {
        let mut costs: Vec<_> = (0..98).map(|_| (SessionId::mint(), 1.0)).collect();
        costs.extend([(SessionId::mint(), 50.0), (SessionId::mint(), 60.0)]);
        let found: Vec<_> = anomalies(costs).iter().map(|one| one.token_cost_usd).collect();
        assert_eq!(found, [60.0, 50.0], "the most expensive first");
    }

    #[test]
    fn the_rate_is_of_what_was_decided() {
        let rate = |approvals, auto_approvals, rejections| {
            let mut sums = Sums::default();
            (sums.approvals, sums.auto_approvals, sums.rejections) = (approvals, auto_approvals, rejections);
            summary(&sums).permission_approval_rate
        };
        assert_eq!(rate(0, 0, 0), None);
        assert_eq!(rate(0, 0, 3), Some(0));
        assert_eq!(rate(1, 1, 1), Some(67));
        assert_eq!(rate(2, 0, 0), Some(100));
    }
}
