//! Maintenance windows as people agree on them, with days, clock times and zones, as times that the core can use.
//!
//! Zones are those of the machine, which are updated with it, and where it has none or lacks one, those that are built
//! in. A window lasts from when the clock on the wall reaches its start until the clock reaches its end: in the night
//! in which the clocks go forward it is an hour shorter, in the one in which they go back an hour longer. A time that
//! the clocks skip is reached when they skip it; of a time that comes twice, a window starts at the first and ends at
//! the second.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};
use std::sync::Arc;
use svcwatch_core::{
    id::Name,
    plan::{Plan, Ranges, Times},
    time::{Span, Wall},
};

/// How far ahead times are given.
const AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How often they are given again, at least.
pub const AGAIN_EVERY: Span = Span::hours(1);

/// The days as people write them, from Monday on.
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// What is wrong with a text, and what to write instead.
type Fault = (String, String);

/// All windows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    /// The windows, by their names.
    pub windows: Vec<(Name, When)>,
}

/// When a window is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Every week.
    Weekly {
        /// On which days and at which times.
        times: Vec<Weekly>,
        /// In which zone.
        zone: TimeZone,
    },
    /// Once.
    Once {
        /// From when.
        from: Wall,
        /// Until when.
        until: Wall,
    },
}

/// Days of the week with a time of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weekly {
    days: Vec<Weekday>,
    from: Time,
    until: OfDay,
}

/// A time of the day as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OfDay {
    /// This one.
    At(Time),
    /// The end of the day, 24:00.
    End,
}

impl Calendar {
    /// The times of every window that are not over, as far as two weeks ahead.
    pub fn times(&self, now: Wall) -> Times {
        let windows = self.windows.iter();
        windows
            .map(|(name, when)| (name.clone(), when.ranges(now)))
            .collect()
    }

    /// Gives the windows of a plan their times.
    pub fn fill(&self, plan: &mut Plan, now: Wall) {
        for (name, ranges) in self.times(now).iter() {
            for window in plan
                .maintenance
                .iter_mut()
                .filter(|window| window.name == *name)
            {
                window.ranges = Arc::clone(ranges);
            }
        }
    }
}

impl When {
    /// The times that are not over, as far as two weeks ahead, in order; those that touch are one.
    pub fn ranges(&self, now: Wall) -> Ranges {
        let (times, zone) = match self {
            Self::Once { from, until } => {
                let is_over = *until <= now;
                return Arc::from(Vec::from_iter((!is_over).then_some((*from, *until))));
            }
            Self::Weekly { times, zone } => (times, zone),
        };
        let Ok(at) = Timestamp::from_millisecond(now.0) else {
            return Arc::from([]);
        };
        let today = zone.to_datetime(at).date();
        // A window of the day before yesterday may end today where the clocks went back.
        let first = today.checked_sub(2.days()).unwrap_or(today);
        let last = at
            .checked_add(AHEAD)
            .map_or(today, |last| zone.to_datetime(last).date());
        let mut ranges: Vec<(Wall, Wall)> = first
            .series(1.day())
            .take_while(|day| *day <= last)
            .flat_map(|day| times.iter().filter_map(move |weekly| weekly.on(day, zone)))
            .filter(|(_, until)| *until > now)
            .collect();
        ranges.sort();
        Arc::from(joined(ranges))
    }
}

fn joined(ranges: Vec<(Wall, Wall)>) -> Vec<(Wall, Wall)> {
    let mut joined: Vec<(Wall, Wall)> = Vec::with_capacity(ranges.len());
    for (from, until) in ranges {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            Some(_) | None => joined.push((from, until)),
        }
    }
    joined
}

impl Weekly {
    /// Reads `tue 22:00-04:00`, `mon-fri 01:00-02:30`, `sat,sun 00:00-24:00` or `daily 03:00-03:15`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let wanted = || {
            "write days and times such as `tue 22:00-04:00`, `mon-fri 01:00-02:30`, `sat,sun 00:00-24:00` or `daily 03:00-03:15`".to_owned()
        };
        let lower = text.to_lowercase();
        let mut parts = lower.split_whitespace();
        let (Some(days), Some(times), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err((format!("{text:?} is no weekly time"), wanted()));
        };
        let days = days_of(days).ok_or_else(|| {
            (
                format!("{days:?} is no day of the week"),
                "write mon, tue, wed, thu, fri, sat or sun, several as in `mon,wed` or `mon-fri`, or daily".to_owned(),
            )
        })?;
        let (from, until) = times
            .split_once('-')
            .and_then(|(from, until)| Some((time_of(from)?, time_of(until)?)))
            .ok_or_else(|| {
                (
                    format!("{times:?} is no time from when until when"),
                    wanted(),
                )
            })?;
        let OfDay::At(from) = from else {
            return Err((
                "a window cannot start at 24:00".to_owned(),
                "write 00:00 and the day after".to_owned(),
            ));
        };
        if until == OfDay::At(from) {
            return Err((
                format!("the window {text:?} ends when it starts"),
                "write another end; a whole day is 00:00-24:00".to_owned(),
            ));
        }
        Ok(Self { days, from, until })
    }

    /// The window that starts on a day, where one does and the clocks do not skip all of it.
    fn on(&self, day: Date, zone: &TimeZone) -> Option<(Wall, Wall)> {
        if !self.days.contains(&day.weekday()) {
            return None;
        }
        let tomorrow = day.tomorrow().ok()?;
        let end = match self.until {
            OfDay::At(until) if until > self.from => day.to_datetime(until),
            OfDay::At(until) => tomorrow.to_datetime(until),
            OfDay::End => tomorrow.to_datetime(Time::midnight()),
        };
        let from = reached(day.to_datetime(self.from), zone, false)?;
        let until = reached(end, zone, true)?;
        (from < until).then_some((from, until))
    }
}

/// When the clock on the wall reaches a time: where it comes twice, the first or the second; where it is skipped, when
/// it is.
fn reached(at: DateTime, zone: &TimeZone, second: bool) -> Option<Wall> {
    let ambiguous = zone.to_ambiguous_timestamp(at);
    let found = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(at),
        AmbiguousOffset::Fold { before, after } => {
            if second { after } else { before }.to_timestamp(at)
        }
        AmbiguousOffset::Gap { before, .. } => {
            let beyond = before.to_timestamp(at).ok()?;
            // The gap begins at or just before what the time would have been without it.
            let behind = beyond.checked_add(1.second()).ok()?;
            let skipped = zone
                .preceding(behind)
                .next()
                .map(|change| change.timestamp());
            return skipped.or(Some(beyond)).map(|at| Wall(at.as_millisecond()));
        }
    };
    found.ok().map(|at| Wall(at.as_millisecond()))
}

fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let place = |word: &str| {
        let short = word.get(..3)?;
        let at = DAYS.iter().position(|(name, _)| *name == short)?;
        let long = [
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
        ];
        (word == short || long.get(at) == Some(&word)).then_some(at)
    };
    if text == "daily" {
        return Some(DAYS.iter().map(|(_, day)| *day).collect());
    }
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (place(first)?, place(last)?);
        let count = (last + 7 - first) % 7 + 1;
        let found = DAYS.iter().cycle().skip(first).take(count);
        for (_, day) in found {
            if !days.contains(day) {
                days.push(*day);
            }
        }
    }
    Some(days)
}

fn time_of(text: &str) -> Option<OfDay> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| {
        let plain =
            !part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse::<i8>().ok()).flatten()
    };
    let (hour, minute) = (digits(hour)?, digits(minute).filter(|_| minute.len() == 2)?);
    if (hour, minute) == (24, 0) {
        return Some(OfDay::End);
    }
    Time::new(hour, minute, 0, 0).ok().map(OfDay::At)
}

/// The zone of this name, or what to write instead.
pub fn zone(name: &str) -> Result<TimeZone, Fault> {
    if let Ok(zone) = TimeZone::get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)) {
        return Ok(zone);
    }
    let bundled = TimeZoneDatabase::bundled();
    let known: Vec<String> = bundled
        .available()
        .map(|name| name.as_str().to_owned())
        .collect();
    let wanted = name.to_lowercase().replace(' ', "_");
    let by_city = known.iter().find(|known| {
        let city = known.rsplit('/').next().unwrap_or_default();
        city.to_lowercase() == wanted.rsplit('/').next().unwrap_or_default()
    });
    let near = crate::config::nearest(&wanted, known.iter().map(String::as_str));
    let near = near.or(by_city.map(String::as_str));
    Err((
        format!("no time zone is called {name:?}"),
        near.map_or_else(
            || "write an IANA name such as `Europe/Oslo` or `UTC`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        ),
    ))
}

/// A time with an offset, as RFC 3339 has it.
pub fn moment(text: &str) -> Result<Wall, Fault> {
    text.parse::<Timestamp>()
        .map(|at| Wall(at.as_millisecond()))
        .map_err(|_| {
            (
                format!("{text:?} is no time with an offset"),
                "write one such as `2026-03-01T22:00:00+01:00` or `2026-03-01T21:00:00Z`"
                    .to_owned(),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dest::text::rfc3339;

    fn wall(text: &str) -> Wall {
        moment(text).unwrap()
    }

    fn ranges(weekly: &str, zone_name: &str, now: &str, count: usize) -> Vec<String> {
        let when = When::Weekly {
            times: vec![Weekly::parse(weekly).unwrap()],
            zone: zone(zone_name).unwrap(),
        };
        let short = |at: Wall| rfc3339(at).replace(":00.000Z", "");
        when.ranges(wall(now))
            .iter()
            .take(count)
            .map(|(from, until)| format!("{} to {}", short(*from), short(*until)))
            .collect()
    }

    #[test]
    fn a_night_over_midnight_ends_on_the_next_day() {
        assert_eq!(
            ranges("tue 22:00-04:00", "Europe/Oslo", "2026-01-07T00:00:00Z", 9),
            [
                "2026-01-06T21:00 to 2026-01-07T03:00",
                "2026-01-13T21:00 to 2026-01-14T03:00",
                "2026-01-20T21:00 to 2026-01-21T03:00"
            ],
            "the one that has begun belongs to it, and two weeks ahead are enough"
        );
    }

    #[test]
    fn the_night_in_which_the_clocks_go_forward_is_an_hour_shorter() {
        // Oslo: 2026-03-29, 02:00 becomes 03:00.
        assert_eq!(
            ranges("sat 22:00-04:00", "Europe/Oslo", "2026-03-27T00:00:00Z", 2),
            [
                "2026-03-28T21:00 to 2026-03-29T02:00",
                "2026-04-04T20:00 to 2026-04-05T02:00"
            ]
        );
        assert_eq!(
            ranges("sun 02:30-05:00", "Europe/Oslo", "2026-03-28T00:00:00Z", 1),
            ["2026-03-29T01:00 to 2026-03-29T03:00"],
            "a start that is skipped is when it is skipped"
        );
        assert_eq!(
            ranges("sun 02:00-03:00", "Europe/Oslo", "2026-03-28T00:00:00Z", 1),
            ["2026-04-05T00:00 to 2026-04-05T01:00"],
            "a window that is skipped whole is none"
        );
    }

    #[test]
    fn the_night_in_which_the_clocks_go_back_is_an_hour_longer() {
        // Oslo: 2026-10-25, 03:00 becomes 02:00.
        assert_eq!(
            ranges("sat 22:00-04:00", "Europe/Oslo", "2026-10-23T00:00:00Z", 2),
            [
                "2026-10-24T20:00 to 2026-10-25T03:00",
                "2026-10-31T21:00 to 2026-11-01T03:00"
            ]
        );
        assert_eq!(
            ranges("sun 02:15-02:45", "Europe/Oslo", "2026-10-24T00:00:00Z", 1),
            ["2026-10-25T00:15 to 2026-10-25T01:45"],
            "from the first 02:15 to the second 02:45"
        );
    }

    #[test]
    fn the_other_half_of_the_world_has_its_changes_too() {
        // Sydney: 2026-04-05, 03:00 becomes 02:00; 2026-10-04, 02:00 becomes 03:00.
        assert_eq!(
            ranges(
                "sat 22:00-04:00",
                "Australia/Sydney",
                "2026-04-03T00:00:00Z",
                1
            ),
            ["2026-04-04T11:00 to 2026-04-04T18:00"]
        );
        assert_eq!(
            ranges(
                "sat 22:00-04:00",
                "Australia/Sydney",
                "2026-10-02T00:00:00Z",
                1
            ),
            ["2026-10-03T12:00 to 2026-10-03T17:00"]
        );
    }

    #[test]
    fn days_are_written_in_several_ways() {
        let days = |text: &str| {
            Weekly::parse(&format!("{text} 01:00-02:00"))
                .unwrap()
                .days
                .len()
        };
        assert_eq!(days("tue"), 1);
        assert_eq!(days("Tuesday"), 1);
        assert_eq!(days("mon-fri"), 5);
        assert_eq!(days("sat-mon"), 3);
        assert_eq!(days("mon,wed,mon"), 2);
        assert_eq!(days("daily"), 7);
        let whole: Vec<String> = ranges("daily 00:00-24:00", "UTC", "2026-01-07T05:00:00Z", 9);
        assert_eq!(whole.len(), 1, "windows that touch are one: {whole:?}");
    }

    #[test]
    fn what_is_no_window_is_refused_with_a_sentence() {
        for (text, said) in [
            ("tue", "no weekly time"),
            ("tue 22:00", "no time from when"),
            ("tue 22:00-25:00", "no time from when"),
            ("tue 22-04", "no time from when"),
            ("tues 22:00-04:00", "no day of the week"),
            ("tue 22:00-22:00", "ends when it starts"),
            ("tue 24:00-04:00", "cannot start at 24:00"),
            ("tue 22:00 - 04:00", "no weekly time"),
            ("", "no weekly time"),
        ] {
            let (what, instead) = Weekly::parse(text).unwrap_err();
            assert!(what.contains(said) && !instead.is_empty(), "{text}: {what}");
        }
        assert!(moment("2026-03-01 22:00").is_err());
    }

    #[test]
    fn a_zone_that_does_not_exist_is_refused_with_the_nearest() {
        for (name, said) in [
            ("Europe/Olso", "`Europe/Oslo`"),
            ("Oslo", "`Europe/Oslo`"),
            ("new york", "`America/New_York`"),
            ("W. Europe Standard Time", "IANA name"),
            ("Mars/Base", "IANA name"),
        ] {
            let (what, instead) = zone(name).unwrap_err();
            assert!(
                what.contains(name) && instead.contains(said),
                "{name}: {what}; {instead}"
            );
        }
        assert!(zone("europe/oslo").is_ok() && zone("UTC").is_ok());
    }

    #[test]
    fn a_dated_window_is_there_until_it_is_over() {
        let when = When::Once {
            from: wall("2026-03-01T22:00:00+01:00"),
            until: wall("2026-03-02T04:00:00+01:00"),
        };
        assert_eq!(when.ranges(wall("2026-01-01T00:00:00Z")).len(), 1);
        assert_eq!(when.ranges(wall("2026-03-02T03:00:00Z")).len(), 0);
    }
}
