//! The search against a slow, obvious enumeration of the same constraints, and that it always ends.

use super::{Constraint, Field, Occurrences, Rule, Test, steps};
use crate::time::{Span, Wall};
use proptest::{collection::vec, prelude::*, sample::select};
use std::{time::Instant, vec, vec::Vec};

/// 2024-01-01T00:00:00Z, a Monday.
const NEW_YEAR: i64 = 1_704_067_200;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn one_of(field: Field, values: &[i64]) -> Constraint {
    Constraint {
        field,
        test: Test::one_of(values.to_vec()),
    }
}

fn bound(field: Field, test: Test) -> Constraint {
    Constraint { field, test }
}

fn schedule(alternatives: &[Vec<Constraint>], exceptions: &[Vec<Constraint>]) -> Occurrences {
    let rules = |all: &[Vec<Constraint>]| all.iter().map(|one| Rule::new(one)).collect();
    Occurrences::new("text", rules(alternatives), rules(exceptions)).unwrap()
}

fn next(schedule: &Occurrences, after: i64) -> Option<i64> {
    schedule
        .next(Wall(after * 1_000))
        .map(|Wall(at)| at.div_euclid(1_000))
}

/// The calendar, counted day by day from 1970 as one would on one's fingers.
struct Counted {
    second: i64,
    year: i64,
    month: i64,
    day: i64,
    of_year: i64,
    /// 0 is Monday.
    weekday: i64,
    /// The ISO week, and the number of weeks that its year has.
    week: i64,
    weeks: i64,
}

fn leap(year: i64) -> bool {
    year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The weekday of the first of January, 0 for Monday.
fn new_year_of(year: i64) -> i64 {
    (1970..year)
        .map(|past| if leap(past) { 366 } else { 365 })
        .sum::<i64>()
        .rem_euclid(7)
        .wrapping_add(3)
        % 7
}

/// Weeks of an ISO year: 53 where it begins with a Thursday, or is a leap year and begins with a Wednesday.
fn weeks_of(year: i64) -> i64 {
    match new_year_of(year) {
        3 => 53,
        2 if leap(year) => 53,
        _ => 52,
    }
}

fn count_to(second: i64) -> Counted {
    let mut left = second.div_euclid(DAY);
    let weekday = (left + 3).rem_euclid(7);
    let mut year = 1970;
    while left >= if leap(year) { 366 } else { 365 } {
        left -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let of_year = left + 1;
    let mut month = 1;
    while left >= days_of(year, month) {
        left -= days_of(year, month);
        month += 1;
    }
    // The week of a day is that of its Thursday.
    let thursday = of_year + 3 - weekday;
    let length = if leap(year) { 366 } else { 365 };
    let (week, weeks) = if thursday < 1 {
        (weeks_of(year - 1), weeks_of(year - 1))
    } else if thursday > length {
        (1, weeks_of(year + 1))
    } else {
        ((thursday + 6) / 7, weeks_of(year))
    };
    Counted {
        second,
        year,
        month,
        day: left + 1,
        of_year,
        weekday,
        week,
        weeks,
    }
}

impl Counted {
    /// The value of a field and whether it is the last one.
    fn value(&self, field: Field) -> (i64, bool) {
        let length = days_of(self.year, self.month);
        // Weeks of the month begin on Sunday.
        let first_sunday = (self.weekday + 1 - (self.day - 1)).rem_euclid(7);
        match field {
            Field::Second => (self.second.rem_euclid(60), self.second.rem_euclid(60) == 59),
            Field::Minute => {
                let minute = self.second.rem_euclid(HOUR) / 60;
                (minute, minute == 59)
            }
            Field::Hour => {
                let hour = self.second.rem_euclid(DAY) / HOUR;
                (hour, hour == 23)
            }
            Field::Time => (self.second.rem_euclid(DAY), false),
            Field::DayOfWeek => {
                let value = (self.weekday + 1) % 7 + 1;
                (value, value == 7)
            }
            Field::DayOfMonth => (self.day, self.day == length),
            Field::DayOfYear => (self.of_year, self.month == 12 && self.day == 31),
            Field::DayInstance => ((self.day + 6) / 7, self.day + 7 > length),
            Field::WeekOfMonth => {
                let week = |day: i64| (day + first_sunday - 1) / 7 + 1;
                (week(self.day), week(self.day) == week(length))
            }
            Field::WeekOfYear => (self.week, self.week == self.weeks),
            Field::Month => (self.month, self.month == 12),
            Field::Year => (self.year, false),
        }
    }

    fn holds(&self, constraints: &[Constraint]) -> bool {
        constraints.iter().all(|constraint| {
            let (value, is_last) = self.value(constraint.field);
            match &constraint.test {
                Test::OneOf { values, last } => values.contains(&value) || (*last && is_last),
                Test::From(least) => value >= *least,
                Test::Before(bound) => value < *bound,
            }
        })
    }

    /// A number that is the same within one period of a field, and another one outside.
    fn period(&self, field: Field) -> (i64, i64) {
        let month = self.year * 12 + self.month;
        let monday = self.second.div_euclid(DAY) - self.weekday;
        match field {
            Field::Second | Field::Time => (self.second, 0),
            Field::Minute => (self.second / 60, 0),
            Field::Hour => (self.second / HOUR, 0),
            Field::DayOfWeek | Field::DayOfMonth | Field::DayOfYear => (self.second / DAY, 0),
            Field::DayInstance | Field::WeekOfMonth => (month, self.value(field).0),
            Field::WeekOfYear => (monday, 0),
            Field::Month => (month, 0),
            Field::Year => (self.year, 0),
        }
    }
}

/// Every occurrence after `from` and up to `to`: looks at each moment, `step` seconds apart, from `begin` on, which
/// must lie in an earlier period.
fn enumerate(
    alternatives: &[Vec<Constraint>],
    exceptions: &[Vec<Constraint>],
    begin: i64,
    (from, to): (i64, i64),
    step: i64,
) -> Vec<i64> {
    let periods: Vec<Field> = alternatives
        .iter()
        .map(|one| Rule::new(one).period().unwrap())
        .collect();
    let mut counted = vec![None; alternatives.len()];
    let mut found = Vec::new();
    let mut at = begin;
    let mut moment = count_to(at);
    while at <= to {
        if moment.second.div_euclid(DAY) != at.div_euclid(DAY) {
            moment = count_to(at);
        }
        moment.second = at;
        let excepted = exceptions.iter().any(|one| moment.holds(one));
        let mut fires = false;
        for ((one, period), counted) in alternatives.iter().zip(&periods).zip(&mut counted) {
            if moment.holds(one) {
                fires |= *counted != Some(moment.period(*period));
                *counted = Some(moment.period(*period));
            }
        }
        if fires && !excepted && at > from {
            found.push(at);
        }
        at += step;
    }
    found
}

/// All that the search finds up to a time.
fn search(schedule: &Occurrences, from: i64, to: i64) -> Vec<i64> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(later) = next(schedule, at).filter(|later| *later <= to) {
        assert!(later > at, "an occurrence that is not later");
        found.push(later);
        at = later;
    }
    found
}

fn tests_of(field: Field) -> BoxedStrategy<Test> {
    let (least, greatest) = field.range();
    let (least, greatest) = if field == Field::Year {
        (2023, 2027)
    } else {
        (least, greatest)
    };
    let values = vec(least..=greatest, 1..4);
    // Few of the many times of day: the enumeration compares each with each.
    let step = if field == Field::Time {
        600..=40_000_i64
    } else {
        1..=20
    };
    let every = (least..=greatest, step);
    prop_oneof![
        4 => values.prop_map(Test::one_of),
        4 => every.prop_map(move |(first, step)| Test::one_of(steps(first, greatest, step))),
        1 => (least..=greatest).prop_map(Test::From),
        1 => (least + 1..=greatest).prop_map(Test::Before),
        1 => Just(if matches!(field, Field::Time | Field::Year) { Test::From(least) } else { Test::last() }),
    ]
    .boxed()
}

fn constraint(fields: Vec<Field>) -> impl Strategy<Value = Constraint> {
    select(fields)
        .prop_flat_map(|field| tests_of(field).prop_map(move |test| Constraint { field, test }))
}

const OF_DAY: [Field; 4] = [Field::Second, Field::Minute, Field::Hour, Field::Time];

fn of_days() -> Vec<Field> {
    Field::ALL
        .into_iter()
        .filter(|field| !OF_DAY.contains(field))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Second by second over a few hours: rules that have something to say about the time of day.
    #[test]
    fn the_search_finds_what_an_enumeration_of_seconds_finds(
        alternatives in vec((constraint(OF_DAY.to_vec()), vec(constraint(Field::ALL.to_vec()), 0..3)), 1..3),
        exceptions in vec(vec(constraint(Field::ALL.to_vec()), 1..3), 0..3),
        begin in 0..1_400_i64,
        length in 1..14 * HOUR,
    ) {
        let alternatives: Vec<Vec<Constraint>> =
            alternatives.into_iter().map(|(first, rest)| [vec![first], rest].concat()).collect();
        // Whether a day holds is the other test's: no period here is longer than an hour.
        prop_assume!(alternatives.iter().all(|one| Rule::new(one).period().unwrap().is_of_day()));
        let begin = NEW_YEAR + begin * HOUR;
        let from = begin + HOUR + 17;
        let wanted = enumerate(&alternatives, &exceptions, begin, (from, from + length), 1);
        prop_assert_eq!(search(&schedule(&alternatives, &exceptions), from, from + length), wanted);
    }

    /// Day by day over years: rules that say nothing about the time of day.
    #[test]
    fn the_search_finds_what_an_enumeration_of_days_finds(
        alternatives in vec(vec(constraint(of_days()), 1..4), 1..3),
        exceptions in vec(vec(constraint(of_days()), 1..3), 0..3),
        from in 0..1_000_i64,
    ) {
        let begin = NEW_YEAR - 365 * DAY;
        let from = NEW_YEAR + from * DAY;
        let to = from + 900 * DAY;
        let wanted = enumerate(&alternatives, &exceptions, begin, (from, to), DAY);
        prop_assert_eq!(search(&schedule(&alternatives, &exceptions), from, to), wanted);
    }

    /// Whatever is asked, there is an answer, and it is later than what was asked for.
    #[test]
    fn the_search_always_ends(
        alternatives in vec(vec(constraint(Field::ALL.to_vec()), 0..5), 0..4),
        exceptions in vec(vec(constraint(Field::ALL.to_vec()), 0..3), 0..=super::EXCEPTIONS_MAX),
        after in prop_oneof![any::<i64>(), -DAY * 1_000..DAY * 4_000_000],
    ) {
        let schedule = schedule(&alternatives, &exceptions);
        let begun = Instant::now();
        let found = schedule.next(Wall(after));
        prop_assert!(found.is_none_or(|at| at > Wall(after) && at.0 % 1_000 == 0));
        prop_assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    }
}

#[test]
fn what_never_happens_is_found_out() {
    let thirtieth_of_february = [one_of(Field::DayOfMonth, &[30]), one_of(Field::Month, &[2])];
    let every_second = [one_of(Field::Second, &steps(0, 59, 1))];
    let begun = Instant::now();
    for never in [
        schedule(&[], &[]),
        schedule(&[vec![]], &[]),
        schedule(&[thirtieth_of_february.to_vec()], &[]),
        schedule(&[vec![one_of(Field::Year, &[2023])]], &[]),
        schedule(&[vec![bound(Field::Time, Test::Before(0))]], &[]),
        schedule(&[every_second.to_vec()], &[every_second.to_vec()]),
    ] {
        assert_eq!(next(&never, NEW_YEAR), None);
    }
    // The most that there may be: alternatives of which no second is left, on any day.
    let odd = |day: i64| vec![one_of(Field::DayOfWeek, &[day]), every_second[0].clone()];
    let most = schedule(
        &vec![every_second.to_vec(); super::ALTERNATIVES_MAX],
        &(0..8).map(odd).collect::<Vec<_>>(),
    );
    assert_eq!(next(&most, NEW_YEAR), None);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn what_happens_once_in_many_years_is_found() {
    // A 29th of February that is a Sunday and lies in the first year of a century.
    let rare = [
        one_of(Field::DayOfMonth, &[29]),
        one_of(Field::Month, &[2]),
        one_of(Field::DayOfWeek, &[3]),
        one_of(Field::WeekOfYear, &[9]),
    ];
    let rare = schedule(&[rare.to_vec()], &[]);
    // 2000 had one on a Tuesday; the next century year that is a leap year is 2400.
    assert_eq!(next(&rare, 951_782_400 - 1), Some(951_782_400));
    assert_eq!(next(&rare, 951_782_400), Some(1_835_395_200), "2028-02-29");
}

#[test]
fn nothing_is_found_at_the_time_itself_and_milliseconds_count() {
    let minutes = schedule(&[vec![one_of(Field::Minute, &steps(0, 59, 1))]], &[]);
    let at = Wall(NEW_YEAR * 1_000);
    assert_eq!(minutes.next(Wall(at.0 - 1)), Some(at));
    assert_eq!(minutes.next(at), Some(Wall(at.0 + 60_000)));
    assert_eq!(minutes.gap(at), Some(Span::minutes(1)));
    assert_eq!(minutes.next(Wall(i64::MIN)), Some(Wall(0)));
    assert_eq!(minutes.next(Wall(i64::MAX)), None);
}

#[test]
fn a_rule_fires_at_the_first_moment_of_a_period_that_holds() {
    let half_past_ten = bound(Field::Time, Test::From(10 * HOUR + 1_800));
    let every_second_hour = one_of(Field::Hour, &steps(0, 23, 2));
    let both = schedule(&[vec![every_second_hour, half_past_ten]], &[]);
    let hours: Vec<i64> = search(&both, NEW_YEAR, NEW_YEAR + DAY)
        .into_iter()
        .map(|at| (at - NEW_YEAR) / 60)
        .collect();
    assert_eq!(hours, [630, 720, 840, 960, 1_080, 1_200, 1_320]);
}

#[test]
fn too_much_is_not_taken() {
    let rule = || Rule::new(&[one_of(Field::Hour, &[1])]);
    assert!(Occurrences::new("", vec![rule(); 16], vec![rule(); 8]).is_some());
    assert!(Occurrences::new("", vec![rule(); 17], vec![]).is_none());
    assert!(Occurrences::new("", vec![], vec![rule(); 9]).is_none());
}
