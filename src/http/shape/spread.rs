//! Durations in few numbers.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::Histogram;

/// Durations in milliseconds; null while nothing was measured. Percentiles are within 1.6 %.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Durations")]
pub(in crate::http) struct Spread {
    min: Option<u64>,
    max: Option<u64>,
    avg: Option<f64>,
    count: u64,
    p50: Option<u64>,
    p95: Option<u64>,
    p99: Option<u64>,
}

impl From<&Histogram> for Spread {
    fn from(histogram: &Histogram) -> Self {
        let told = histogram.percentiles();
        Self {
            min: histogram.min(),
            max: told.max,
            avg: histogram.mean().map(|mean| (mean * 10.0).round() / 10.0),
            count: told.count,
            p50: told.p50,
            p95: told.p95,
            p99: told.p99,
        }
    }
}
