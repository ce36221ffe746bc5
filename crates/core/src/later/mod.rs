//! Schedules as data: when something happens that is said by the calendar and not by a length of time, and the search
//! for the next time.
//!
//! A schedule has alternatives, of which any may fire, and exceptions, which take away every moment at which one of
//! them holds. Each is a [`Rule`]. Everything is in UTC, and to the second.
//!
//! **The search always ends.** It looks at one day after the other, and for each alternative at no more days than lie
//! between the time it is asked for and 400 years after the beginning of 2100, or after that time if it is later. That
//! is enough: years are named up to 2099 only, and from 2100 on dates and weekdays repeat every 400 years exactly, so
//! whether a moment holds, and whether it is the first of its period that does, is the same 400 years later. So where
//! there is no occurrence among those days, there is none afterwards. Of one day it looks at 1,440 minutes at most, and
//! where the exceptions of a day leave nothing of it, no second time for another day with the same ones. There are at
//! most [`ALTERNATIVES_MAX`] alternatives and [`EXCEPTIONS_MAX`] exceptions.

mod calendar;
mod rule;
#[cfg(test)]
mod tests;

pub use self::rule::{Constraint, Field, Rule, Test, steps};

use self::calendar::{CYCLE, DAY, Day, first_of_year};
use crate::time::{Span, Wall};
use alloc::{sync::Arc, vec::Vec};
use core::fmt;

/// Alternatives of one schedule, at most.
pub const ALTERNATIVES_MAX: usize = 16;
/// Exceptions of one schedule, at most.
pub const EXCEPTIONS_MAX: usize = 8;

/// The first second after the year 9999, since 1970: nothing is looked for from there on.
const END: i64 = 253_402_300_800;

/// When something happens.
#[derive(Clone, PartialEq, Eq)]
pub struct Occurrences {
    /// As somebody wrote it.
    text: Arc<str>,
    alternatives: Vec<Rule>,
    exceptions: Vec<Rule>,
}

/// Shown as somebody wrote it: everything else follows from that.
impl fmt::Debug for Occurrences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Occurrences").field(&self.text).finish()
    }
}

impl Occurrences {
    /// A schedule, with the text that it was written as. Nothing where it has too many alternatives or exceptions.
    pub fn new(text: &str, alternatives: Vec<Rule>, exceptions: Vec<Rule>) -> Option<Self> {
        let fits = alternatives.len() <= ALTERNATIVES_MAX && exceptions.len() <= EXCEPTIONS_MAX;
        fits.then(|| Self {
            text: text.into(),
            alternatives,
            exceptions,
        })
    }

    /// The text that it was written as.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first occurrence that comes after this time, and not at it. Nothing before 1970 and after 9999 is found.
    pub fn next(&self, after: Wall) -> Option<Wall> {
        let after = after.0.div_euclid(1_000).max(-1);
        if after >= END {
            return None;
        }
        let mut scans: Vec<Scan<'_>> = self
            .alternatives
            .iter()
            .filter_map(|rule| Scan::new(rule, after + 1))
            .collect();
        let begin = scans.iter().map(|scan| scan.begin).min()?;
        let last = scans.iter().map(|scan| scan.last).max()?;
        for number in begin..=last {
            let day = Day::from_number(number);
            let found = scans
                .iter_mut()
                .filter_map(|scan| scan.first_on(&day, &self.exceptions))
                .min();
            if let Some(second) = found {
                return Some(Wall((number * DAY + i64::from(second)) * 1_000));
            }
        }
        None
    }

    /// How long it is from one occurrence to the next one; nothing where there is no next one.
    pub fn gap(&self, at: Wall) -> Option<Span> {
        self.next(at).map(|next| next.since(at))
    }
}

/// The search of one alternative, day by day.
struct Scan<'rule> {
    rule: &'rule Rule,
    /// The field whose periods it counts.
    period: Field,
    /// The second from which on something is looked for.
    from: i64,
    /// The first day that is looked at. It may be before the one that is asked for: an earlier day of the same period
    /// may have been the first that holds, and then the period is over.
    begin: i64,
    /// The last day that is looked at.
    last: i64,
    /// The beginning of the last period in which a day held.
    counted: Option<i64>,
    /// Sets of exceptions that leave nothing of a whole day.
    barren: Vec<u64>,
}

impl<'rule> Scan<'rule> {
    /// Looks for what comes from this second on.
    fn new(rule: &'rule Rule, from: i64) -> Option<Self> {
        let period = rule.period()?;
        let (first_year, last_year) = rule.years();
        let first = from.div_euclid(DAY).max(first_of_year(first_year));
        // See the module: what is not found among these days, is never.
        let (_, last_named) = Field::Year.range();
        let whole = first.max(first_of_year(last_named + 1)) + CYCLE;
        Some(Self {
            rule,
            period,
            from,
            begin: Day::from_number(first).begin(period),
            last: last_year.map_or(whole, |year| whole.min(first_of_year(year + 1) - 1)),
            counted: None,
            barren: Vec::new(),
        })
    }

    /// The first second of a day at which the rule fires and no exception holds. Days are given one after the other.
    fn first_on(&mut self, day: &Day, exceptions: &[Rule]) -> Option<u32> {
        if day.number < self.begin || day.number > self.last || !self.rule.holds_on(day) {
            return None;
        }
        let begin = day.begin(self.period);
        if self.counted == Some(begin) {
            return None;
        }
        self.counted = Some(begin);
        let from = u32::try_from(self.from - day.number * DAY).unwrap_or_default();
        if i64::from(from) >= DAY {
            return None;
        }
        let excepting = exceptions
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.holds_on(day))
            .fold(0_u64, |bits, (index, _)| bits | 1 << index);
        if from == 0 && self.barren.contains(&excepting) {
            return None;
        }
        let found = first_left(self.rule, exceptions, excepting, from);
        if found.is_none() && from == 0 {
            self.barren.push(excepting);
        }
        found
    }
}

/// The first second of a day, not before `from`, at which a rule fires and none of the exceptions of these bits holds.
fn first_left(rule: &Rule, exceptions: &[Rule], excepting: u64, from: u32) -> Option<u32> {
    let mut minute = from / 60;
    let mut wanted = u64::MAX << (from % 60);
    while minute < 1_440 {
        if rule.skips_hour(minute / 60) {
            minute = minute - minute % 60 + 60;
            wanted = u64::MAX;
            continue;
        }
        let mut left = rule.fires_in(minute) & wanted;
        for (index, exception) in exceptions.iter().enumerate() {
            if left != 0 && excepting >> index & 1 == 1 {
                left &= !exception.holds_in(minute);
            }
        }
        if left != 0 {
            return Some(minute * 60 + left.trailing_zeros());
        }
        minute += 1;
        wanted = u64::MAX;
    }
    None
}
