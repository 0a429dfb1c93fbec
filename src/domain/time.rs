//! A point in time, told as ISO 8601 in UTC with milliseconds.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault;

/// A point in time. On the wire `2026-11-22T09:19:00.123Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Takes the system clock's time, to the millisecond that the wire tells. Called by the composition root and the
    /// processes' own loops only.
    #[must_use]
    pub fn now() -> Self {
        let now = jiff::Timestamp::now();
        let millis = now.as_millisecond().saturating_add(fault::clock_step());
        Self(jiff::Timestamp::from_millisecond(millis).unwrap_or(now))
    }

    /// Builds a time from milliseconds since the Unix epoch; `None` outside the years -9999..9999.
    #[must_use]
    pub fn from_millis(millis: i64) -> Option<Self> {
        jiff::Timestamp::from_millisecond(millis).ok().map(Self)
    }

    /// Gives the milliseconds since the Unix epoch.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Gives the next time after this one at which clocks in the zone (a name of the IANA database) show this hour and
    /// minute; `None` for a zone or a time of day that there is not.
    #[must_use]
    pub fn next_at(self, hour: i8, minute: i8, zone: &str) -> Option<Self> {
        let zone = jiff::tz::TimeZone::get(zone).ok()?;
        let time = jiff::civil::Time::new(hour, minute, 0, 0).ok()?;
        let today = self.0.to_zoned_datetime(zone.clone()).date();
        let at = |day: jiff::civil::Date| {
            Some(day.to_datetime(time).to_zoned_datetime(zone.clone()).ok()?.timestamp())
        };
        let first = at(today)?;
        Some(Self(if first > self.0 { first } else { at(today.tomorrow().ok()?)? }))
    }

    /// Gives the whole milliseconds from `earlier` to this time, zero if it is not earlier.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.millis().saturating_sub(earlier.millis())).unwrap_or(0)
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_utc_with_milliseconds() {
        let time = Timestamp::from_millis(1_795_337_042_671).unwrap();
        assert_eq!(time.to_string(), "2026-11-22T08:44:02.671Z");
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
    }
}
