//! What to write instead of a word that is not understood where it stands.

use svcwatch_core::later::Field;

use super::refusal::{Note, shown};
use super::words;
use crate::config::duration::duration;
use crate::config::near::nearest;

/// Words with which a clause begins, or that stand between clauses.
pub(super) const CLAUSES: &[&str] = &[
    "every", "at", "@", "on", "of", "in", "after", "before", "also", "except",
];

/// Numbers as words.
const NUMBERS: &[&str] = &[
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
];

/// Ranks as words.
const RANKS: &[(&str, &str)] = &[
    ("second", "2nd"),
    ("third", "3rd"),
    ("fourth", "4th"),
    ("fifth", "5th"),
];

/// Whole words and what they mean here.
const PHRASES: &[(&str, &str)] = &[
    ("daily", "at 00:00"),
    ("hourly", "every 1 hour"),
    ("weekly", "on mon at 00:00"),
    ("monthly", "on the first day of the month at 00:00"),
    ("yearly", "on the first day of the year at 00:00"),
    ("weekday", "every weekday"),
    ("weekdays", "every weekday"),
    ("weekend", "every weekend"),
    ("weekends", "every weekend"),
    ("noon", "at 12:00"),
    ("midnight", "at 00:00"),
];

fn phrase(word: &str) -> Option<&'static str> {
    let found = PHRASES.iter().find(|(known, _)| *known == word);
    found.map(|(_, instead)| *instead)
}

/// A number that is written as a word.
pub(super) fn number_word(word: &str) -> Option<usize> {
    NUMBERS
        .iter()
        .position(|known| *known == word)
        .map(|index| index + 1)
}

/// Instead of words with which no clause begins.
pub(super) fn clause(rest: &[&str]) -> String {
    let first = rest.first().copied().unwrap_or_default();
    let second = rest.get(1).copied().unwrap_or_default();
    let is_time = words::time(first, None).is_some();
    if rest.iter().filter(|word| **word == "*").count() > 1 {
        return "this is a cron expression: write for example `every 5 minutes on mon-fri`".into();
    }
    if let Some(instead) = phrase(first) {
        return format!("write `{instead}`");
    }
    if duration(first).is_ok() && words::rank(first).is_none() {
        return "a length of time is written `every 30 seconds` in a schedule".into();
    }
    if words::day_name(first).is_some() {
        return format!("write `on {first}`");
    }
    if words::month_name(first).is_some() {
        return format!("write `of {first}`");
    }
    if is_time {
        return format!("write `at {first}`");
    }
    match (first, words::rank(first), words::period(second)) {
        ("@", ..) => format!("write `@{second}` without a blank, or `at {second}`"),
        ("each", ..) => "write `every 1 minute`, with your unit".into(),
        ("from" | "between", ..) => "write `after 9:00 am before 5:00 pm`, with your times".into(),
        ("start" | "starting", ..) => "write it right behind `every`, as in `every 15 minutes starting on the 5th minute`".into(),
        ("until" | "till", ..) => "write `before 5:00 pm`, with your time".into(),
        ("-" | "to" | "through", ..) => "a stretch of time is written `after 9:00 am before 5:00 pm`".into(),
        (_, Some(number), Some(unit)) if number > 0 => {
            let unit = words::name(unit);
            format!("lengths are not added up: write one clause, as `every {number} {unit}s`")
        }
        (_, Some(_), _) | ("am" | "pm", ..) => {
            "a time of day is written `at 9:00 am` or `at 17:00`".into()
        }
        _ => nearest(first, CLAUSES.iter().copied().filter(|known| *known != "@")).map_or_else(
            || "write clauses that begin with every, at, on, on the, of, in, after, before, also or except, as in `every 5 minutes on mon-fri`".into(),
            |near| format!("did you mean `{near}`?"),
        ),
    }
}

/// Instead of the unit of `every N`.
pub(super) fn unit(step: i64, next: Option<&str>) -> String {
    let units = ["second", "minute", "hour", "day", "week", "month", "year"];
    let near = match next {
        Some("hr" | "hrs") => Some("hour"),
        _ => next.and_then(|word| nearest(word.trim_end_matches('s'), units.into_iter())),
    };
    let unit = near.unwrap_or("minute");
    format!("write `every {step} {unit}s`, or another of second, minute, hour, day, week, month")
}

/// Instead of what stands behind `every` and is no number.
pub(super) fn behind_every(next: Option<&str>) -> String {
    match next {
        Some(word) if words::day_name(word).is_some() => format!("write `on {word}`"),
        Some(word) if words::month_name(word).is_some() => format!("write `of {word}`"),
        Some(word) => phrase(word).map_or_else(
            || "write `every 5 minutes`, with your number and unit".into(),
            |instead| format!("write `{instead}`"),
        ),
        None => "write `every 5 minutes`, with your number and unit".into(),
    }
}

/// What Butler does with `every` and a unit without a number: it takes the least value of the unit.
pub(super) const fn first_of(field: Field) -> &'static str {
    match field {
        Field::Second => "checked once a minute, at second 0, without a word",
        Field::Minute => "checked once an hour, at minute 0, without a word",
        Field::Hour | Field::Time => "checked once a day, at 00:00 UTC, without a word",
        Field::DayOfWeek => "checked once a week, on Sundays, without a word",
        Field::DayOfMonth | Field::DayInstance | Field::WeekOfMonth => {
            "checked once a month, on the 1st, without a word"
        }
        Field::DayOfYear | Field::WeekOfYear | Field::Month => {
            "checked once a year, at its beginning, without a word"
        }
        Field::Year => "never checked again, for it means 1970",
    }
}

/// That `every N` begins anew with each minute, hour, day or month, where that makes a difference.
pub(super) fn no_interval(column: usize, step: i64, field: Field) -> Option<Note> {
    let (least, greatest) = super::every_range(field);
    let whole = match field {
        Field::Second => "minute",
        Field::Minute => "hour",
        Field::Hour => "day",
        Field::DayOfMonth => "month",
        _ => return None,
    };
    let name = words::name(field);
    let count = greatest - least + 1;
    let divides = field != Field::DayOfMonth && count % step == 0;
    if step == 1 || divides {
        return None;
    }
    let text = if step >= count {
        format!("`every {step} {name}s` means {name} {least} of each {whole} alone, as in Butler")
    } else {
        format!(
            "`every {step} {name}s` begins anew with each {whole}, as in Butler: {name} {least}, {}, …",
            least + step
        )
    };
    Some(Note { column, text })
}

/// What somebody wrote as a time.
pub(super) fn time_shown(word: Option<&str>, half: Option<&str>) -> String {
    match (word, half) {
        (Some(word), Some(half)) => format!("`{word} {half}`"),
        (word, _) => shown(word),
    }
}

/// Instead of what is no time.
pub(super) fn time(word: Option<&str>, next: Option<&str>) -> String {
    let example = "write it as `9:00 am` or `17:00`, hours and minutes";
    let Some(word) = word else {
        return example.into();
    };
    let half = next.filter(|next| matches!(*next, "am" | "pm"));
    let glued = ["am", "pm"]
        .into_iter()
        .find_map(|half| Some((words::rank(word.strip_suffix(half)?)?, half)));
    match (word, words::rank(word), half, next.and_then(words::period)) {
        ("noon", ..) => "write `at 12:00`".into(),
        ("midnight" | "24:00", ..) => "write `at 00:00`".into(),
        (_, Some(hour), Some(half), _) if (1..=12).contains(&hour) => {
            format!("write `at {hour}:00 {half}`")
        }
        (_, Some(minute), _, Some(unit)) => {
            let unit = words::name(unit);
            format!("write `on the {minute} {unit}`, which means that {unit} by the calendar")
        }
        (_, Some(hour), None, None) if hour < 24 => format!("write `at {hour}:00`"),
        _ => match (glued, half) {
            (Some((hour, half)), _) if (1..=12).contains(&hour) => {
                format!("write `at {hour}:00 {half}`")
            }
            (None, Some(half)) if words::time(word, None).is_some() => {
                format!("leave out `{half}`: `{word}` is of 24 hours")
            }
            _ => example.into(),
        },
    }
}

/// Instead of what is no day.
pub(super) fn day(word: Option<&str>) -> String {
    let days = [
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ];
    match word {
        Some("weekday" | "weekdays") => "write `every weekday` or `on mon-fri`".into(),
        Some("weekend" | "weekends") => "write `every weekend` or `on sat and sun`".into(),
        Some(word) if words::rank(word).is_some() => {
            format!("write `on the {word} day`, of the month")
        }
        Some(word) if words::month_name(word).is_some() => format!("write `of {word}`"),
        Some(word) => nearest(word, days.into_iter()).map_or_else(
            || "write days as `mon` or `monday`".into(),
            |near| format!("write `{near}`"),
        ),
        None => "write days as `mon` or `monday`".into(),
    }
}

/// Instead of what is no month.
pub(super) fn month(word: Option<&str>) -> String {
    let months = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    match word {
        Some("jun") => "write `june`".into(),
        Some("jul") => "write `july`".into(),
        Some("sep") => "write `sept` or `september`".into(),
        Some("ma") => "write `march` or `may`".into(),
        Some("the") => {
            "write `day of the month`, or another unit with the words `of the` in it".into()
        }
        Some(word) => nearest(word, months.into_iter()).map_or_else(
            || "write months as `jan` or `january`".into(),
            |near| format!("write `{near}`"),
        ),
        None => "write months as `jan` or `january`".into(),
    }
}

/// Instead of what is no year.
pub(super) fn year(word: Option<&str>) -> String {
    match word {
        Some(word) if words::month_name(word).is_some() => format!("write `of {word}`"),
        _ => "write years as `2027` or `2027-2029`".into(),
    }
}

/// Instead of what is no rank.
pub(super) fn rank(word: Option<&str>) -> String {
    let known = RANKS.iter().find(|(known, _)| Some(*known) == word);
    known.map_or_else(
        || "write it in digits, as in `on the 1st and 15th day`".into(),
        |(_, digits)| format!("write `on the {digits}`"),
    )
}

/// Instead of what is no unit behind a number.
pub(super) fn unit_of(number: &str, word: Option<&str>) -> String {
    match word {
        Some(word) if words::day_name(word).is_some() => {
            format!("write `on the {number} day instance on {word}`")
        }
        Some("and" | ",") => {
            format!("name the unit of each, as in `on the {number} day on the last day`")
        }
        _ => format!("write `{number} day`, or another of second, minute, hour, day, week, month"),
    }
}
