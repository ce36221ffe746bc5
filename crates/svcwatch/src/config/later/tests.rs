//! The grammar against what Butler's library computes, and every text that is refused with what is said about it.

use std::{collections::BTreeMap, fs, path::Path};

use jiff::Timestamp;
use proptest::{collection::vec, prelude::*, sample::select};
use serde::{Deserialize, de::DeserializeOwned};
use svcwatch_core::time::Wall;

use super::{TEXT_MAX, parse};
use crate::dest::text::rfc3339;

/// One text with the occurrences that Butler's library computed for it, after each of some starts.
#[derive(Deserialize)]
struct Recorded {
    text: String,
    next: BTreeMap<String, Vec<String>>,
}

/// Where we differ from what was recorded, and why: text, start, the first occurrence there, ours.
const DIFFERENT: &[(&str, &str, &str, &str)] = &[
    // Values that are not in ascending order are partly left out by the library: in January it goes on to December,
    // and would skip February. That it does know February shows in the other start, which lies in it.
    (
        "of december and february at 12:00",
        "2023-12-31T22:10:00Z",
        "2024-12-01T12:00:00Z",
        "2024-02-01T12:00:00Z",
    ),
];

/// The lines of a file of test data, each of them JSON.
fn lines<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/schedule")
        .join(name);
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn wall(at: &str) -> Wall {
    Wall(at.parse::<Timestamp>().unwrap().as_millisecond())
}

fn next(text: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = parse(text).unwrap().occurrences;
    let from = wall(from);
    std::iter::successors(schedule.next(from), |at| schedule.next(*at))
        .take(count)
        .map(|at| rfc3339(at).replace(".000Z", "Z"))
        .collect()
}

#[test]
fn what_butlers_library_computes_is_computed_here() {
    let mut compared = 0;
    let mut different = Vec::new();
    for recorded in lines::<Recorded>("occurrences.jsonl") {
        let schedule = parse(&recorded.text)
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", recorded.text))
            .occurrences;
        for (from, wanted) in &recorded.next {
            let found: Vec<Wall> =
                std::iter::successors(schedule.next(wall(from)), |at| schedule.next(*at))
                    .take(wanted.len())
                    .collect();
            let wanted: Vec<Wall> = wanted.iter().map(|at| wall(at)).collect();
            compared += 1;
            if found != wanted {
                different.push((recorded.text.clone(), from.clone(), wanted[0], found[0]));
            }
        }
    }
    assert!(compared >= 140, "{compared}");
    let listed: Vec<(String, String, Wall, Wall)> = DIFFERENT
        .iter()
        .map(|(text, from, theirs, ours)| {
            (
                (*text).to_owned(),
                (*from).to_owned(),
                wall(theirs),
                wall(ours),
            )
        })
        .collect();
    assert_eq!(different, listed);
}

/// A text that is refused: the column, a part of what is wrong, of what Butler does, and of what to write.
type Refused = (String, usize, String, String, String);

fn refused() -> Vec<Refused> {
    lines("refused.jsonl")
}

#[test]
fn what_butler_misreads_is_refused_with_what_to_write_instead() {
    let mut wrong = Vec::new();
    for (text, column, what, butler, instead) in refused() {
        match parse(&text) {
            Ok(understood) => wrong.push(format!("{text}: {:?}", understood.occurrences)),
            Err(refusal) => {
                let right = refusal.column == column
                    && refusal.what.contains(&what)
                    && refusal.butler.contains(&butler)
                    && refusal.instead.contains(&instead);
                if !right {
                    wrong.push(format!("{text}: {refusal}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        parse("every minute").map_err(|refusal| refusal.to_string()),
        Err("no number stands between `every` and `minute` (column 7 of the text); Butler would have checked once an hour, at minute 0, without a word; write `every 1 minute`".into())
    );
}

#[test]
fn what_to_write_instead_is_taken() {
    let mut tried = 0;
    for (text, ..) in refused() {
        let refusal = parse(&text).unwrap_err();
        // A whole clause stands in the first pair of marks; words that only replace one are not looked at.
        let Some(clause) = refusal.instead.split('`').nth(1) else {
            continue;
        };
        let begins = |word: &str| clause.starts_with(&format!("{word} "));
        if ["every", "at", "on", "of", "after"]
            .iter()
            .any(|word| begins(word))
            && !clause.contains('…')
        {
            let whole = if clause.starts_with("on the 2nd") {
                format!("{clause} day")
            } else {
                clause.to_owned()
            };
            assert!(
                parse(&whole).is_ok(),
                "{text}: {whole}: {:?}",
                parse(&whole)
            );
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried}");
}

/// The texts in the columns of the tables of docs/schedules.md, under a heading that begins so.
fn documented(heading: &str, column: usize) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schedules.md");
    let page = fs::read_to_string(path).unwrap();
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with(heading))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(column).unwrap().to_owned());
    cells
        .flat_map(|cell| {
            let texts: Vec<String> = cell
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect();
            texts
        })
        .collect()
}

#[test]
fn the_page_says_what_is_taken_and_what_is_not() {
    let taken = [
        documented("| Clause | Examples", 2),
        documented("| Text | Butler | Write", 3),
        documented("| Text | Butler | svcwatch", 1),
    ]
    .concat();
    assert!(taken.len() > 55, "{}", taken.len());
    for text in taken {
        assert!(parse(&text).is_ok(), "{text}: {:?}", parse(&text));
    }
    let refused = documented("| Text | Butler | Write", 1);
    assert!(refused.len() > 25, "{}", refused.len());
    for text in refused {
        assert!(parse(&text).is_err(), "{text} is taken");
    }
}

#[test]
fn texts_may_be_written_in_many_ways() {
    let same = |texts: &[&str]| {
        let found: Vec<Vec<String>> = texts
            .iter()
            .map(|text| next(text, "2024-03-13T12:00:30Z", 6))
            .collect();
        for (text, other) in texts.iter().zip(&found) {
            assert_eq!(other, &found[0], "{text}");
        }
    };
    same(&[
        "every 2 hours between the 8th and 18th",
        "every 2 hours between the 8th and 18th hour",
    ]);
    same(&[
        "every 5 minutes",
        "  Every 5\tMINS ",
        "every 5th m.",
        "every 5 minutes and",
        ", every 5 min",
    ]);
    same(&[
        "on mon-fri at 9:00",
        "on mon to fri at 09:00",
        "every weekday @9:00",
        "on mon, tue,wed and thurs-friday at 9:00 AM",
    ]);
    same(&["at 5:00 pm", "at 17:00", "at 05:00pm", "@17:00"]);
    same(&[
        "on the last day at 1:00",
        "on the last day of the month at 1:00",
    ]);
    same(&[
        "at 10:00 and 16:00",
        "at 16:00, 10:00",
        "at 10:00 also at 16:00",
    ]);
    same(&[
        "every 15 minutes starting on the 5th minute",
        "every 15 minutes start at 5 minute",
        "on the 5,20,35 and 50 minute",
    ]);
    same(&[
        "every 10 minutes between 10 and 50",
        "on the 10,20,30,40,50 minute",
    ]);
    same(&[
        "of june and july at 1:00",
        "of june-july at 1:00",
        "at 1:00 of june through july",
    ]);
}

#[test]
fn nothing_runs_outside_of_what_a_text_says() {
    // Butler runs the first one of these at 10:00, before the time that is named, and the second one in February.
    assert_eq!(
        next("every 2 hours after 10:30", "2024-03-13T01:00:00Z", 2),
        ["2024-03-13T10:30:00Z", "2024-03-13T12:00:00Z"]
    );
    assert_eq!(
        next("every 1 week of march", "2024-01-01T00:00:00Z", 2),
        ["2024-03-01T00:00:00Z", "2024-03-04T00:00:00Z"]
    );
    // Butler runs this one on Fridays alone.
    assert_eq!(
        next("on friday and monday at 8:00", "2024-03-13T01:00:00Z", 2),
        ["2024-03-15T08:00:00Z", "2024-03-18T08:00:00Z"]
    );
    assert_eq!(
        next(
            "every 30 minutes except after 22:00 before 23:00",
            "2024-03-13T21:20:00Z",
            3
        ),
        [
            "2024-03-13T21:30:00Z",
            "2024-03-13T23:00:00Z",
            "2024-03-13T23:30:00Z"
        ]
    );
}

#[test]
fn what_is_probably_not_meant_is_noted() {
    for (text, column, part) in [
        ("every 90 seconds", 7, "second 0 of each minute alone"),
        (
            "every 45 seconds",
            7,
            "begins anew with each minute, as in Butler: second 0, 45, …",
        ),
        ("every 7 minutes", 7, "minute 0, 7, …"),
        ("every 25 hours", 7, "hour 0 of each day alone"),
        ("every 2 days", 7, "day 1, 3, …"),
        ("on friday and monday", 4, "in any order"),
        ("on thu, sat and sun", 4, "in any order"),
        ("every 5 minutes every 7 minutes", 17, "in any order"),
        ("after 9:00 am", 1, "every second"),
        (
            "at 10:00 except on sat also at 11:00 on sun",
            24,
            "one more exception",
        ),
    ] {
        let notes = parse(text).unwrap().notes;
        let found = notes
            .iter()
            .any(|note| note.column == column && note.text.contains(part));
        assert!(found, "{text}: {notes:?}");
    }
    for text in [
        "every 5 minutes",
        "every 30 seconds every 5 minutes",
        "every 1 day at 9:00",
        "on the 1st day on the last day",
        "on sat and sun",
        "on thu, fri, sat and sun",
        "every 5 minutes after 9:00 am before 5:00 pm",
        "every 15 minutes starting on the 5th minute",
    ] {
        assert_eq!(parse(text).unwrap().notes, [], "{text}");
    }
}

#[test]
fn everything_has_a_limit() {
    let long = "x".repeat(TEXT_MAX + 1);
    assert_eq!(
        parse(&long).map_err(|refusal| refusal.column),
        Err(TEXT_MAX + 1)
    );
    let many = |count: usize, word: &str| vec!["at 1:00"; count].join(word);
    assert!(parse(&many(16, " also ")).is_ok());
    assert!(
        parse(&many(17, " also "))
            .unwrap_err()
            .what
            .contains("17 alternatives")
    );
    let except = |count: usize| format!("at 2:00 except {}", many(count, " also "));
    assert!(parse(&except(8)).is_ok());
    assert!(parse(&except(9)).unwrap_err().what.contains("9 exceptions"));
}

/// Words of the grammar, and some that it does not have.
const WORDS: &[&str] = &[
    "every",
    "at",
    "@",
    "on",
    "the",
    "of",
    "in",
    "after",
    "before",
    "also",
    "except",
    "and",
    ",",
    "-",
    "to",
    "first",
    "last",
    "1",
    "2nd",
    "5",
    "15",
    "30",
    "0",
    "2025",
    "10:15",
    "5:00",
    "am",
    "pm",
    "24:00",
    "second",
    "minutes",
    "h",
    "day",
    "week",
    "month",
    "years",
    "instance",
    "mon",
    "fri",
    "tuesday",
    "march",
    "dec",
    "weekend",
    "weekday",
    "starting",
    "between",
    "jul",
    "é",
    "*",
    ".",
    "99999999999",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_understood_or_refused_with_a_place_in_it(text in "\\PC{0,60}") {
        is_understood_or_refused(&text)?;
    }

    #[test]
    fn any_words_are_understood_or_refused_with_a_place_among_them(words in vec(select(WORDS), 0..14)) {
        is_understood_or_refused(&words.join(" "))?;
    }
}

fn is_understood_or_refused(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(understood) => {
            let first = understood.occurrences.next(Wall(0));
            prop_assert!(
                first.is_some() || understood.occurrences.next(Wall(-1)).is_some(),
                "{text}"
            );
        }
        Err(refusal) => {
            let length = text.chars().count();
            prop_assert!(
                refusal.column >= 1 && refusal.column <= length + 1,
                "{text}: {refusal}"
            );
            prop_assert!(
                !refusal.what.is_empty()
                    && !refusal.instead.is_empty()
                    && !refusal.butler.is_empty()
            );
        }
    }
    Ok(())
}
