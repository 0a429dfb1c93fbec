//! How far a reader has come.

use std::fmt;
use std::str::FromStr;

/// How often a replay may be broken off and taken up again before the reader has to begin anew.
const MOST_LEGS: usize = 4;

/// A point in one order: so many of its events were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The order's number, random.
    pub(super) order: u64,
    /// How many events of it.
    pub(super) told: u64,
}

/// How far a reader has come: at a mark, or in the middle of a replay from there to another.
///
/// A replay is not written down as an order is. What lies between two marks does not change, and is always told in the
/// same sequence, so a count says how much of it the reader has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) from: Mark,
    /// The replays that followed, each broken off but perhaps the last: to where, and how much of it was told.
    pub(super) legs: Vec<(Mark, u64)>,
}

impl Place {
    /// The place of a reader who takes up at this place, towards `to`, and has had so many of the replayed events; none
    /// if that was broken off too often.
    #[must_use]
    pub fn towards(&self, to: Mark, told: u64) -> Option<Self> {
        let mut place = self.clone();
        place.legs.push((to, told));
        (place.legs.len() <= MOST_LEGS).then_some(place)
    }
}

impl From<Mark> for Place {
    fn from(from: Mark) -> Self {
        Self { from, legs: Vec::new() }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.order, self.told)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.from)?;
        self.legs.iter().try_for_each(|(to, told)| write!(f, "~{to}-{told}"))
    }
}

/// A text that names no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no event of this server has this id")]
pub struct NoPlace;

fn number(text: &str) -> Result<u64, NoPlace> {
    // The parser also takes a sign.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| NoPlace)
    } else {
        Err(NoPlace)
    }
}

impl FromStr for Mark {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (order, told) = text.split_once('-').ok_or(NoPlace)?;
        let hex = order.len() == 16 && order.bytes().all(|byte| byte.is_ascii_hexdigit());
        let order = u64::from_str_radix(order, 16).map_err(|_| NoPlace)?;
        if hex { Ok(Self { order, told: number(told)? }) } else { Err(NoPlace) }
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let mut parts = text.split('~');
        let from = parts.next().ok_or(NoPlace)?.parse()?;
        let mut legs = Vec::new();
        for part in parts {
            let (to, told) = part.rsplit_once('-').ok_or(NoPlace)?;
            legs.push((to.parse()?, number(told)?));
        }
        if legs.len() <= MOST_LEGS { Ok(Self { from, legs }) } else { Err(NoPlace) }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_place_reads_back_as_written() {
        let from = Mark { order: 0xa1, told: 17 };
        let to = Mark { order: u64::MAX, told: 0 };
        let place = Place::from(from).towards(to, 3).unwrap();
        assert_eq!(place.to_string(), "00000000000000a1-17~ffffffffffffffff-0-3");
        for place in [place, Place::from(from)] {
            assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
        }
    }

    #[test]
    fn a_replay_is_not_broken_off_for_ever() {
        let mark = Mark { order: 1, told: 1 };
        let mut place = Place::from(mark);
        for _ in 0..MOST_LEGS {
            place = place.towards(mark, 1).unwrap();
        }
        assert_eq!(place.towards(mark, 1), None);
    }

    #[rstest]
    #[case("")]
    #[case("17")]
    #[case("a1-17")]
    #[case("00000000000000a1-+17")]
    #[case("00000000000000a1--1")]
    #[case("+0000000000000a1-1")]
    #[case("00000000000000a1-17~")]
    #[case("00000000000000a1-17~00000000000000a1-1")]
    #[case("../../../../../etc-1")]
    fn other_texts_name_none(#[case] text: &str) {
        assert_eq!(text.parse::<Place>(), Err(NoPlace));
    }
}
