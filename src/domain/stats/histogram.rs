//! Durations in few numbers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Steps into which each doubling is divided, as a power of two: 2^5 = 32.
const STEP_BITS: u32 = 5;

/// Durations in milliseconds, counted in buckets that grow with them.
///
/// Up to 63 ms each millisecond has its own bucket; above that 32 buckets share each doubling, and a bucket is told by
/// its middle, so a percentile is at most 1/64 (1.6 %) off. The largest is exact. Only used buckets are
/// kept; up to 2^32 ms (49 days), beyond which nothing is told apart, there are 896.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    buckets: BTreeMap<u16, u64>,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

/// What a [`Histogram`] tells, in milliseconds; all but the count are absent while nothing was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Percentiles {
    /// How many were measured.
    pub count: u64,
    /// Half took at most so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<u64>,
    /// 95 of 100 took at most so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<u64>,
    /// 99 of 100 took at most so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<u64>,
    /// The longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

impl Histogram {
    /// Counts a duration in milliseconds; one beyond 2^32 counts as that.
    pub fn add(&mut self, millis: u64) {
        let millis = millis.min(u64::from(u32::MAX));
        self.min = if self.count == 0 { millis } else { self.min.min(millis) };
        self.max = self.max.max(millis);
        self.count += 1;
        self.sum = self.sum.saturating_add(millis);
        *self.buckets.entry(bucket(millis)).or_default() += 1;
    }

    /// The sum of all durations, in milliseconds.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Counts all that another has counted, too.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
    }

    /// The shortest duration, in milliseconds.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The mean, in milliseconds.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        // Exact up to 2^53 ms, 285,000 years.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// How many took at most so many milliseconds; a bucket that the bound cuts counts by its middle.
    #[must_use]
    pub fn at_most(&self, millis: u64) -> u64 {
        self.buckets.iter().filter(|(at, _)| middle(**at) <= millis).map(|(_, count)| count).sum()
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The percentiles by nearest rank: the smallest duration that so many of a hundred do not exceed.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        Percentiles {
            count: self.count,
            p50: self.rank(50),
            p95: self.rank(95),
            p99: self.rank(99),
            max: (self.count > 0).then_some(self.max),
        }
    }

    fn rank(&self, percent: u64) -> Option<u64> {
        let rank = self.count.saturating_mul(percent).div_ceil(100);
        if rank == self.count && rank > 0 {
            return Some(self.max);
        }
        let mut passed = 0;
        self.buckets.iter().find_map(|(bucket, count)| {
            passed += count;
            (passed >= rank).then(|| middle(*bucket).clamp(self.min, self.max))
        })
    }
}

/// The bucket of a duration: the place of its highest bit, then the bits that follow.
fn bucket(millis: u64) -> u16 {
    let shift = millis.max(1).ilog2().saturating_sub(STEP_BITS);
    let number = (u64::from(shift) << STEP_BITS) + (millis >> shift);
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// The middle of a bucket, in milliseconds.
fn middle(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let shift = (bucket >> STEP_BITS).saturating_sub(1);
    let lowest = (bucket - (shift << STEP_BITS)) << shift;
    lowest + ((1 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: impl IntoIterator<Item = u64>) -> Percentiles {
        let mut histogram = Histogram::default();
        all.into_iter().for_each(|millis| histogram.add(millis));
        histogram.percentiles()
    }

    #[test]
    fn short_durations_are_exact() {
        let told = of(1..=60);
        assert_eq!((told.p50, told.p95, told.p99, told.max), (Some(30), Some(57), Some(60), Some(60)));
    }

    #[test]
    fn one_is_all_percentiles_and_none_has_none() {
        let one = of([123_457]);
        assert_eq!((one.p50, one.p99, one.max), (Some(123_457), Some(123_457), Some(123_457)));
        assert_eq!(of([]), Percentiles::default());
        assert_eq!(of([0]).p50, Some(0));
    }

    #[test]
    fn two_merged_are_one_that_counted_all() {
        let counted = |all: &[u64]| {
            let mut histogram = Histogram::default();
            all.iter().for_each(|millis| histogram.add(*millis));
            histogram
        };
        let mut merged = counted(&[]);
        merged.merge(&counted(&[5, 900]));
        merged.merge(&counted(&[]));
        merged.merge(&counted(&[2, 70_000]));
        assert_eq!(merged, counted(&[5, 900, 2, 70_000]));
        assert_eq!((merged.min(), merged.at_most(5), merged.at_most(1000)), (Some(2), 2, 3));
        assert_eq!(merged.mean(), Some(17_726.75));
        assert_eq!((counted(&[]).min(), counted(&[]).mean()), (None, None));
    }

    #[test]
    fn every_duration_is_told_within_the_bound() {
        let mut millis = 0;
        while millis < u64::from(u32::MAX) {
            let told = middle(bucket(millis));
            assert!(told.abs_diff(millis) * 64 <= millis, "{millis} is told as {told}");
            millis += millis / 97 + 1;
        }
        assert_eq!(of([u64::MAX]).max, Some(u64::from(u32::MAX)));
    }

    #[test]
    fn a_bucket_holds_neighbours_only() {
        assert!((0..1_000_000).is_sorted_by_key(bucket));
    }

    #[test]
    fn it_reads_back_as_written() {
        let mut histogram = Histogram::default();
        [3, 70_000, 5].into_iter().for_each(|millis| histogram.add(millis));
        let json = serde_json::to_string(&histogram).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&json).unwrap(), histogram);
    }
}
