//! Figures, what they should be, and what others need for the same.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// In what a figure is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Ms,
    Mb,
    /// Clock ticks of 10 ms.
    Ticks,
    Percent,
    Count,
}

impl Unit {
    fn tell(self, value: f64) -> String {
        match self {
            Self::Ms if value < 10.0 => format!("{value:.2} ms"),
            Self::Ms => format!("{value:.0} ms"),
            Self::Mb => format!("{value:.1} MB"),
            Self::Ticks => format!("{value:.0} ticks"),
            Self::Percent => format!("{value:.2} %"),
            Self::Count => format!("{value:.0}"),
        }
    }
}

/// What was measured again and again.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn add(&mut self, taken: Duration) {
        self.0.push(taken.as_secs_f64() * 1000.0);
    }

    pub fn most(&self) -> f64 {
        self.part(1.0)
    }

    /// The value below which such a part of the samples lies, from 0 to 1.
    fn part(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1) as f64;
        sorted.get((last * part).round() as usize).copied().unwrap_or(f64::NAN)
    }

    pub fn median(&self) -> f64 {
        self.part(0.5)
    }

    pub fn p95(&self) -> f64 {
        self.part(0.95)
    }
}

impl From<Vec<f64>> for Samples {
    fn from(values: Vec<f64>) -> Self {
        Self(values)
    }
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    Under(f64),
    AtMost(f64),
    AtLeast(f64),
    /// The 95th percentile, not the median.
    P95Under(f64),
    /// So much more than the bare program at most.
    OverBare(f64),
    None,
}

/// One line of the table.
#[derive(Debug)]
struct Row {
    what: String,
    unit: Unit,
    target: Target,
    ours: Samples,
    bare: Option<Samples>,
    tmux: Option<Samples>,
}

impl Row {
    fn met(&self) -> Option<bool> {
        match self.target {
            Target::Under(limit) => Some(self.ours.median() < limit),
            Target::AtMost(limit) => Some(self.ours.median() <= limit),
            Target::AtLeast(limit) => Some(self.ours.median() >= limit),
            Target::P95Under(limit) => Some(self.ours.p95() < limit),
            Target::OverBare(more) => {
                self.bare.as_ref().map(|bare| self.ours.median() <= bare.median() + more)
            }
            Target::None => None,
        }
    }

    fn target(&self) -> String {
        let tell = |value| self.unit.tell(value);
        match self.target {
            Target::Under(limit) => format!("< {}", tell(limit)),
            Target::AtMost(limit) => format!("≤ {}", tell(limit)),
            Target::AtLeast(limit) => format!("≥ {}", tell(limit)),
            Target::P95Under(limit) => format!("p95 < {}", tell(limit)),
            Target::OverBare(more) => format!("≤ bare + {}", tell(more)),
            Target::None => String::new(),
        }
    }

    fn ours(&self) -> String {
        let tell = |value| self.unit.tell(value);
        match self.ours.0.len() {
            0 | 1 => tell(self.ours.median()),
            _ => format!("{} (p95 {})", tell(self.ours.median()), tell(self.ours.p95())),
        }
    }

    /// Somebody else's figure, and how many times ours it is.
    fn theirs(&self, theirs: Option<&Samples>) -> String {
        let Some(theirs) = theirs else { return String::new() };
        let (ours, theirs) = (self.ours.median(), theirs.median());
        let told = self.unit.tell(theirs);
        if ours > 0.0 { format!("{told} (×{:.2})", theirs / ours) } else { told }
    }
}

/// All figures.
#[derive(Debug, Default)]
pub struct Table(Vec<Row>);

impl Table {
    /// Adds a figure, and says it at once.
    pub fn add(&mut self, what: &str, unit: Unit, target: Target, ours: impl Into<Samples>) -> &mut Self {
        self.compare(what, unit, target, ours, None, None)
    }

    /// Adds a figure with those of the bare program and of tmux.
    pub fn compare(
        &mut self,
        what: &str,
        unit: Unit,
        target: Target,
        ours: impl Into<Samples>,
        bare: Option<Samples>,
        tmux: Option<Samples>,
    ) -> &mut Self {
        let row = Row { what: what.to_owned(), unit, target, ours: ours.into(), bare, tmux };
        eprintln!("  {what}: {}", row.ours());
        self.0.push(row);
        self
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | Aegis, median | target | | bare CLI (× Aegis) | tmux (× Aegis) |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for row in &self.0 {
            let met = row.met().map_or("", |met| if met { "met" } else { "MISSED" });
            let (bare, tmux) = (row.theirs(row.bare.as_ref()), row.theirs(row.tmux.as_ref()));
            writeln!(f, "| {} | {} | {} | {met} | {bare} | {tmux} |", row.what, row.ours(), row.target())?;
        }
        Ok(())
    }
}

/// One value.
pub fn one(value: f64) -> Vec<f64> {
    vec![value]
}
