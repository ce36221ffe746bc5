//! Schedule texts: `every 5 minutes on mon-fri`, the way Butler's users write them.
//!
//! The grammar and what a text means are those of the library that Butler uses. Where that library misreads a text
//! without a word, the text is refused here, with what to write instead: see [`Refusal`]. The calendar behind it is in
//! [`svcwatch_core::later`], and everything is in UTC.

mod advice;
mod grammar;
mod refusal;
#[cfg(test)]
mod tests;
mod words;

pub use self::refusal::{Note, Refusal};

use svcwatch_core::later::{ALTERNATIVES_MAX, EXCEPTIONS_MAX, Field, Occurrences, Rule, Test};
use svcwatch_core::time::Wall;

use self::grammar::{Clauses, Parser, Said};
use self::refusal::{NEVER, OTHER_TIMES};

/// Characters of a text, at most.
pub(crate) const TEXT_MAX: usize = 500;

/// A schedule text that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleText {
    /// When it says that something happens.
    pub occurrences: Occurrences,
    /// What is probably not meant, or different in Butler.
    pub notes: Vec<Note>,
}

/// Whether a value is meant as a length of time and not as a schedule: no clause begins with a digit.
pub(crate) fn is_length(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

/// Reads a schedule text.
pub fn parse(text: &str) -> Result<ScheduleText, Refusal> {
    let length = text.chars().count();
    if length > TEXT_MAX {
        return Err(Refusal {
            column: TEXT_MAX + 1,
            what: format!("the text has {length} characters and may have {TEXT_MAX}"),
            butler: "read all of it".into(),
            instead: "shorten it".into(),
        });
    }
    // A stop at the end is harmless, and people write it.
    let trimmed = text.trim_end();
    let words = words::words(trimmed.strip_suffix('.').unwrap_or(trimmed));
    if words.is_empty() {
        return Err(Refusal {
            column: 1,
            what: "the text is empty".into(),
            butler: NEVER.into(),
            instead: "write when, for example `every 30 seconds`".into(),
        });
    }
    let said = Parser::new(&words).read()?;
    said.alternatives.iter().try_for_each(needs_a_weekday)?;
    too_many(&said)?;
    too_fine(&said)?;
    let mut notes = said.notes;
    notes.extend(said.alternatives.iter().filter_map(every_second));
    let rules = |all: &[Clauses]| -> Vec<Rule> {
        all.iter()
            .map(|clauses| Rule::new(&clauses.constraints))
            .collect()
    };
    let written: Vec<&str> = text.split_whitespace().collect();
    let occurrences = Occurrences::new(
        &written.join(" "),
        rules(&said.alternatives),
        rules(&said.exceptions),
    );
    match occurrences {
        Some(occurrences) if occurrences.next(Wall(i64::MIN)).is_some() => {
            Ok(ScheduleText { occurrences, notes })
        }
        Some(_) | None => Err(Refusal {
            column: 1,
            what: "what these clauses say together never happens".into(),
            butler: OTHER_TIMES.into(),
            instead: "leave one of them out".into(),
        }),
    }
}

/// The values that `every` counts through. A sixth week of the month, which few months have, is not one of them.
fn every_range(field: Field) -> (i64, i64) {
    match field {
        Field::WeekOfMonth => (1, 5),
        other => other.range(),
    }
}

fn too_many(said: &Said) -> Result<(), Refusal> {
    let (count, most, word, column) = if said.alternatives.len() > ALTERNATIVES_MAX {
        let column = said
            .alternatives
            .get(ALTERNATIVES_MAX)
            .map(|clauses| clauses.column);
        (
            said.alternatives.len(),
            ALTERNATIVES_MAX,
            "alternatives",
            column,
        )
    } else if said.exceptions.len() > EXCEPTIONS_MAX {
        let column = said
            .exceptions
            .get(EXCEPTIONS_MAX)
            .map(|clauses| clauses.column);
        (said.exceptions.len(), EXCEPTIONS_MAX, "exceptions", column)
    } else {
        return Ok(());
    };
    Err(Refusal {
        column: column.unwrap_or(1),
        what: format!("there are {count} {word} and may be {most}"),
        butler: "taken all of them".into(),
        instead: "name several values in one clause, as in `at 10:00 and 16:00`".into(),
    })
}

/// `last day instance` says nothing without a weekday, and Butler then begins it in the week before.
fn needs_a_weekday(clauses: &Clauses) -> Result<(), Refusal> {
    let last = clauses.constraints.iter().any(|constraint| {
        constraint.field == Field::DayInstance
            && matches!(constraint.test, Test::OneOf { last: true, .. })
    });
    let period = Rule::new(&clauses.constraints).period();
    if !last || period != Some(Field::DayInstance) {
        return Ok(());
    }
    Err(Refusal {
        column: clauses.column,
        what: "`last day instance` stands without the day of which it is the last one".into(),
        butler: "checked on the 22nd and on the 29th, without a word".into(),
        instead: "write `on the last day instance on friday`, with your day".into(),
    })
}

/// An exception that is shorter than the periods of which it takes away a part: Butler then ends the whole schedule.
fn too_fine(said: &Said) -> Result<(), Refusal> {
    let coarsest = said
        .alternatives
        .iter()
        .filter_map(|clauses| Rule::new(&clauses.constraints).period())
        .max_by_key(|field| field.lasts());
    let Some(period) = coarsest else {
        return Ok(());
    };
    for exception in &said.exceptions {
        let finest = exception
            .constraints
            .iter()
            .filter(|constraint| matches!(constraint.test, Test::OneOf { .. }))
            .map(|constraint| constraint.field)
            .min_by_key(|field| field.lasts());
        if let Some(finest) = finest.filter(|field| field.lasts() < period.lasts()) {
            let (fine, coarse) = (words::name(finest), words::name(period));
            let a = if period == Field::Hour { "an" } else { "a" };
            let example = match period {
                Field::Minute => "`except on the 14 hour on the 30 minute`",
                Field::Hour => "`except on the 14 hour`",
                Field::DayOfWeek | Field::DayOfMonth | Field::DayOfYear => "`except on sat`",
                _ => "`except of july`",
            };
            return Err(Refusal {
                column: exception.column,
                what: format!(
                    "an exception by the {fine} takes away only a part of {a} {coarse}, and the schedule goes by the {coarse}"
                ),
                butler: "ended the schedule for good where it meets one, without a word".into(),
                instead: format!("write the exception by the {coarse} too, as in {example}"),
            });
        }
    }
    Ok(())
}

/// `after 9:00 am` alone is every second from then on.
fn every_second(clauses: &Clauses) -> Option<Note> {
    let bound_alone = Rule::new(&clauses.constraints).period() == Some(Field::Time)
        && clauses.constraints.iter().all(|constraint| {
            constraint.field != Field::Time || !matches!(constraint.test, Test::OneOf { .. })
        });
    bound_alone.then(|| Note {
        column: clauses.column,
        text: "`after` and `before` a time without seconds, minutes or hours mean every second, as in Butler; write for example `every 5 minutes` beside them".into(),
    })
}
