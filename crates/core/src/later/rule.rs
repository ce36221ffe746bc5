//! One rule: constraints on fields of the calendar that must hold together, and the moments at which it fires.

use super::calendar::Day;
use alloc::{vec, vec::Vec};

/// A field of the calendar. Later fields are larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The second of the minute, from 0.
    Second,
    /// The time of day, in seconds since midnight.
    Time,
    /// The minute of the hour, from 0.
    Minute,
    /// The hour of the day, from 0.
    Hour,
    /// The day of the week: 1 is Sunday, 7 is Saturday.
    DayOfWeek,
    /// The day of the month, from 1.
    DayOfMonth,
    /// The day of the year, from 1.
    DayOfYear,
    /// Which of its kind a weekday is in its month: 1 for the first seven days, 2 for the next seven, and so on.
    DayInstance,
    /// The week of the month, from 1: weeks begin on Sunday, and the first one on the first of the month.
    WeekOfMonth,
    /// The week of the year by ISO 8601.
    WeekOfYear,
    /// The month, from 1.
    Month,
    /// The year.
    Year,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 12] = [
        Self::Second,
        Self::Time,
        Self::Minute,
        Self::Hour,
        Self::DayOfWeek,
        Self::DayOfMonth,
        Self::DayOfYear,
        Self::DayInstance,
        Self::WeekOfMonth,
        Self::WeekOfYear,
        Self::Month,
        Self::Year,
    ];

    /// The least value and the greatest that it can have. Years reach as far as Butler's do.
    pub const fn range(self) -> (i64, i64) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Time => (0, 86_399),
            Self::Hour => (0, 23),
            Self::DayOfWeek => (1, 7),
            Self::DayOfMonth => (1, 31),
            Self::DayOfYear => (1, 366),
            Self::DayInstance => (1, 5),
            Self::WeekOfMonth => (1, 6),
            Self::WeekOfYear => (1, 53),
            Self::Month => (1, 12),
            Self::Year => (1970, 2099),
        }
    }

    /// About how long one value of it lasts, in seconds. Only compared, never added.
    pub const fn lasts(self) -> i64 {
        match self {
            Self::Second | Self::Time => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::DayOfWeek | Self::DayOfMonth | Self::DayOfYear => 86_400,
            Self::DayInstance | Self::WeekOfMonth | Self::WeekOfYear => 604_800,
            Self::Month => 2_629_740,
            Self::Year => 31_556_900,
        }
    }

    /// Whether it is decided within a day.
    pub const fn is_of_day(self) -> bool {
        matches!(self, Self::Second | Self::Minute | Self::Hour | Self::Time)
    }
}

/// What values of a field may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// One of these.
    OneOf {
        /// The values.
        values: Vec<i64>,
        /// Whether the last value of the month or year is one of them, whatever its number.
        last: bool,
    },
    /// This one or a greater one.
    From(i64),
    /// A smaller one than this.
    Before(i64),
}

impl Test {
    /// Exactly these values.
    pub const fn one_of(values: Vec<i64>) -> Self {
        Self::OneOf {
            values,
            last: false,
        }
    }

    /// The last value of the month or year.
    pub const fn last() -> Self {
        Self::OneOf {
            values: Vec::new(),
            last: true,
        }
    }

    fn holds(&self, value: i64, is_last: bool) -> bool {
        match self {
            Self::OneOf { values, last } => (*last && is_last) || values.contains(&value),
            Self::From(least) => value >= *least,
            Self::Before(bound) => value < *bound,
        }
    }

    /// The least and the greatest value that may hold, within a range.
    fn bounds(&self, (least, greatest): (i64, i64)) -> (i64, Option<i64>) {
        match self {
            Self::OneOf { last: true, .. } => (least, Some(greatest)),
            Self::OneOf { values, .. } => (
                values.iter().copied().min().unwrap_or(greatest),
                Some(values.iter().copied().max().unwrap_or(least)),
            ),
            Self::From(from) => (*from, None),
            Self::Before(bound) => (least, Some(bound - 1)),
        }
    }
}

/// A constraint: what one field may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// The field.
    pub field: Field,
    /// What it may be.
    pub test: Test,
}

impl Constraint {
    /// How long the stretches are that it cuts time into, in seconds: one value, or all from a bound on.
    const fn stretch(&self) -> i64 {
        let unit = self.field.lasts();
        let values = match &self.test {
            Test::OneOf { .. } => 1,
            Test::From(least) => self.field.range().1 - *least,
            Test::Before(bound) => *bound - 1,
        };
        if values > 1 { values * unit } else { unit }
    }
}

/// Constraints that hold together, made ready for the search. A rule without any holds never.
///
/// It fires once in each period of its smallest field: at the first moment of that period at which all hold.
/// `every 5 minutes on monday` fires at the beginning of minutes, `on monday` at the beginning of days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The field whose periods are counted.
    period: Option<Field>,
    /// The seconds of a minute that hold, as bits.
    seconds: u64,
    /// The minutes of an hour that hold, as bits.
    minutes: u64,
    /// The hours of a day that hold, as bits.
    hours: u64,
    /// What the time of day must be.
    times: Vec<Test>,
    /// Constraints on days and more, but for years.
    days: Vec<Constraint>,
    /// Constraints on years.
    years: Vec<Test>,
}

impl Rule {
    /// A rule of these constraints.
    pub fn new(constraints: &[Constraint]) -> Self {
        let of = |field: Field| -> Vec<Test> {
            let same = constraints
                .iter()
                .filter(|constraint| constraint.field == field);
            same.map(|constraint| constraint.test.clone()).collect()
        };
        let bits = |field: Field| {
            let tests = of(field);
            let (least, greatest) = field.range();
            (least..=greatest)
                .filter(|value| {
                    tests
                        .iter()
                        .all(|test| test.holds(*value, *value == greatest))
                })
                .fold(0, |bits, value| {
                    bits | 1_u64 << u32::try_from(value).unwrap_or_default()
                })
        };
        Self {
            period: period(constraints),
            seconds: bits(Field::Second),
            minutes: bits(Field::Minute),
            hours: bits(Field::Hour),
            times: of(Field::Time),
            days: constraints
                .iter()
                .filter(|constraint| !constraint.field.is_of_day())
                .filter(|constraint| constraint.field != Field::Year)
                .cloned()
                .collect(),
            years: of(Field::Year),
        }
    }

    /// The field in each of whose periods it fires at most once; none where it holds never.
    pub const fn period(&self) -> Option<Field> {
        self.period
    }

    /// The years from which and up to which it can hold; it can hold for ever where there is no last one.
    pub(super) fn years(&self) -> (i64, Option<i64>) {
        let range = Field::Year.range();
        let mut years = (range.0, None);
        for (least, greatest) in self.years.iter().map(|test| test.bounds(range)) {
            years.0 = years.0.max(least);
            years.1 = match (years.1, greatest) {
                (Some(known), Some(greatest)) => Some(greatest.min(known)),
                (known, greatest) => known.or(greatest),
            };
        }
        years
    }

    /// Whether it holds at some time of this day, as far as the day decides.
    pub(super) fn holds_on(&self, day: &Day) -> bool {
        let days = || {
            self.days.iter().all(|Constraint { field, test }| {
                day.value(*field)
                    .is_some_and(|value| test.holds(value, day.is_last(*field)))
            })
        };
        self.period.is_some() && self.years.iter().all(|test| test.holds(day.year, false)) && days()
    }

    /// The seconds of a minute of the day at which it holds, as bits; the day itself is taken to hold.
    pub(super) fn holds_in(&self, minute: u32) -> u64 {
        let (hour, of_hour) = (minute / 60, minute % 60);
        if self.hours >> hour & 1 == 0 || self.minutes >> of_hour & 1 == 0 {
            return 0;
        }
        if self.times.is_empty() {
            return self.seconds;
        }
        let begin = i64::from(minute) * 60;
        let holds = |second: &u32| {
            let time = begin + i64::from(*second);
            self.times.iter().all(|test| test.holds(time, false))
        };
        (0..60)
            .filter(|second| self.seconds >> second & 1 == 1)
            .filter(holds)
            .fold(0, |bits, second| bits | 1 << second)
    }

    /// Whether no minute of the hour holds.
    pub(super) const fn skips_hour(&self, hour: u32) -> bool {
        self.hours >> hour & 1 == 0
    }

    /// The seconds of a minute of the day at which it fires, as bits; the day itself is taken to hold, and to be the
    /// first of its period that does.
    pub(super) fn fires_in(&self, minute: u32) -> u64 {
        let holds = self.holds_in(minute);
        let first = holds & holds.wrapping_neg();
        let begin = match self.period {
            None => return 0,
            Some(Field::Second | Field::Time) => return holds,
            Some(Field::Minute) => return first,
            Some(Field::Hour) => minute - minute % 60,
            Some(
                Field::DayOfWeek
                | Field::DayOfMonth
                | Field::DayOfYear
                | Field::DayInstance
                | Field::WeekOfMonth
                | Field::WeekOfYear
                | Field::Month
                | Field::Year,
            ) => 0,
        };
        let is_first = holds != 0 && (begin..minute).all(|earlier| self.holds_in(earlier) == 0);
        if is_first { first } else { 0 }
    }
}

/// The field whose periods a rule counts: the one that cuts time into the shortest stretches. `after` and `before` a
/// time of day only bound the others where seconds, minutes or hours are named; alone they leave every second.
fn period(constraints: &[Constraint]) -> Option<Field> {
    let finer = constraints.iter().any(|constraint| {
        matches!(
            constraint.field,
            Field::Second | Field::Minute | Field::Hour
        )
    });
    let only_bounds = |constraint: &&Constraint| {
        constraint.field == Field::Time && !matches!(constraint.test, Test::OneOf { .. })
    };
    constraints
        .iter()
        .filter(|constraint| !(finer && only_bounds(constraint)))
        .min_by_key(|constraint| (constraint.stretch(), constraint.field))
        .map(|constraint| constraint.field)
}

/// Every `step`-th value of a field, from `first` to `last`.
pub fn steps(first: i64, last: i64, step: i64) -> Vec<i64> {
    if step < 1 {
        return vec![];
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    (first..=last).step_by(step).collect()
}
