//! The words of a schedule text: cutting it into them, and what each may mean.

use svcwatch_core::later::Field;

/// One word, number or sign of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// In small letters.
    pub(super) text: String,
    /// Where it begins, in characters from 1.
    pub(super) column: usize,
    /// Whether a blank stands before the next one, or nothing comes any more.
    pub(super) ends: bool,
}

/// Cuts a text into words. A word is letters, digits and colons; everything else stands for itself.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut grows = false;
    for (index, character) in text.chars().enumerate() {
        if character.is_whitespace() {
            if let Some(last) = words.last_mut() {
                last.ends = true;
            }
            grows = false;
            continue;
        }
        let in_word = character.is_alphanumeric() || character == ':';
        let character = character.to_ascii_lowercase();
        match words.last_mut() {
            Some(last) if grows && in_word => last.text.push(character),
            _ => words.push(Word {
                text: character.into(),
                column: index + 1,
                ends: false,
            }),
        }
        grows = in_word;
    }
    if let Some(last) = words.last_mut() {
        last.ends = true;
    }
    words
}

/// A number, with or without `st`, `nd`, `rd` or `th`.
pub(super) fn rank(word: &str) -> Option<i64> {
    let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
    let ending = word.get(digits.len()..)?;
    if digits.len() > 9 || !matches!(ending, "" | "st" | "nd" | "rd" | "th") {
        return None;
    }
    digits.parse().ok()
}

/// A time of day in minutes since midnight, and whether `am` or `pm` belonged to the word itself. `half` is such a
/// word that stands behind it.
pub(super) fn time(word: &str, half: Option<&str>) -> Option<(i64, bool)> {
    let (word, own) = match (word.strip_suffix("am"), word.strip_suffix("pm")) {
        (Some(rest), _) => (rest, Some("am")),
        (_, Some(rest)) => (rest, Some("pm")),
        (None, None) => (word, None),
    };
    let (hour, minute) = word.split_once(':')?;
    let is_number = |text: &str, lengths: &[usize]| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_number(hour, &[1, 2]) || !is_number(minute, &[2]) {
        return None;
    }
    let (hour, minute) = (hour.parse::<i64>().ok()?, minute.parse::<i64>().ok()?);
    let hour = match own.or(half) {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + if half == "pm" { 12 } else { 0 },
        None if (0..=23).contains(&hour) => hour,
        _ => return None,
    };
    (minute < 60).then_some((hour * 60 + minute, own.is_some()))
}

/// The name of a day, as the number of the weekday: 1 is Sunday.
pub(super) fn day_name(word: &str) -> Option<i64> {
    Some(match word {
        "sun" | "sunday" => 1,
        "mon" | "monday" => 2,
        "tue" | "tues" | "tueday" | "tuesday" => 3,
        "wed" | "wednes" | "wedday" | "wednesday" => 4,
        "thu" | "thur" | "thurs" | "thuday" | "thurday" | "thursday" => 5,
        "fri" | "friday" => 6,
        "sat" | "satur" | "satday" | "saturday" => 7,
        _ => return None,
    })
}

/// The name of a month, as its number.
pub(super) fn month_name(word: &str) -> Option<i64> {
    Some(match word {
        "jan" | "january" => 1,
        "feb" | "february" => 2,
        "mar" | "march" => 3,
        "apr" | "april" => 4,
        "may" => 5,
        "june" => 6,
        "july" => 7,
        "aug" | "august" => 8,
        "sept" | "september" => 9,
        "oct" | "october" => 10,
        "nov" | "november" => 11,
        "dec" | "december" => 12,
        _ => return None,
    })
}

/// A year, with four digits.
pub(super) fn year(word: &str) -> Option<i64> {
    let digits = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| digits)
}

/// The field that is meant by one word alone; more words may say otherwise.
pub(super) fn period(word: &str) -> Option<Field> {
    Some(match word {
        "s" | "sec" | "secs" | "second" | "seconds" => Field::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Field::Minute,
        "h" | "hour" | "hours" => Field::Hour,
        "day" | "days" => Field::DayOfMonth,
        "week" | "weeks" => Field::WeekOfYear,
        "month" | "months" => Field::Month,
        "year" | "years" => Field::Year,
        _ => return None,
    })
}

/// What a field is called in a text.
pub(super) const fn name(field: Field) -> &'static str {
    match field {
        Field::Second => "second",
        Field::Time => "time of day",
        Field::Minute => "minute",
        Field::Hour => "hour",
        Field::DayOfWeek => "day of the week",
        Field::DayOfMonth => "day",
        Field::DayOfYear => "day of the year",
        Field::DayInstance => "day instance",
        Field::WeekOfMonth => "week of the month",
        Field::WeekOfYear => "week",
        Field::Month => "month",
        Field::Year => "year",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_words_with_their_columns() {
        let cut = |text: &str| -> Vec<(String, usize)> {
            words(text)
                .into_iter()
                .map(|word| (word.text, word.column))
                .collect()
        };
        let wanted = [
            ("on", 1),
            ("mon", 4),
            ("-", 7),
            ("fri", 8),
            (",", 11),
            ("sun", 13),
            ("@", 17),
            ("9:00pm", 18),
        ];
        let wanted: Vec<(String, usize)> = wanted
            .map(|(text, column)| (text.to_owned(), column))
            .to_vec();
        assert_eq!(cut("On mon-FRI, sun @9:00pm"), wanted);
        assert_eq!(cut(" \t"), []);
        assert_eq!(cut("é ."), [("é".to_owned(), 1), (".".to_owned(), 3)]);
    }

    #[test]
    fn times_are_of_twelve_or_of_twenty_four_hours() {
        for (word, half, wanted) in [
            ("9:00", None, Some((540, false))),
            ("09:05", Some("am"), Some((545, false))),
            ("12:30am", None, Some((30, true))),
            ("12:30", Some("pm"), Some((750, false))),
            ("11:59pm", None, Some((1_439, true))),
            ("23:59", None, Some((1_439, false))),
            ("0:00", None, Some((0, false))),
            ("24:00", None, None),
            ("13:00", Some("pm"), None),
            ("0:30", Some("am"), None),
            ("9", Some("am"), None),
            ("9:5", None, None),
            ("9:60", None, None),
            ("10:15:30", None, None),
            ("100:15", None, None),
        ] {
            assert_eq!(time(word, half), wanted, "{word} {half:?}");
        }
    }

    #[test]
    fn numbers_may_be_ranks() {
        for (word, wanted) in [
            ("5", Some(5)),
            ("1st", Some(1)),
            ("22nd", Some(22)),
            ("0", Some(0)),
            ("th", None),
            ("", None),
            ("5x", None),
            ("10:15", None),
            ("12345678901234567890", None),
        ] {
            assert_eq!(rank(word), wanted, "{word}");
        }
    }
}
