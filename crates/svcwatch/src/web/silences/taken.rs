//! From what somebody sent to a silence, or to the sentence that says what is wrong with it.

use super::items::{MatcherItem, OneOrMany, SilenceBody};
use crate::{
    config::{duration, meant_word},
    dest::text::rfc3339,
    web::{problem::Problem, query::quoted},
};
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::Arc;
use svcwatch_core::{
    glob::Glob,
    limits::{NOTE_CHARACTERS_MAX, SILENCE_PATTERNS_MAX},
    notice::{Severity, ToldEvent},
    plan::Matcher,
    silence::{SilenceId, SilenceRow},
    time::{Span, Wall},
};

/// Characters of a name of somebody, at most.
pub(super) const AUTHOR_CHARACTERS_MAX: usize = 200;
/// Characters of one pattern, at most.
const PATTERN_CHARACTERS_MAX: usize = 256;
/// How long a silence may last: what is longer is not to be watched.
const LENGTH_MAX: Span = Span::hours(24 * 366);
/// What a silence looks like, for those who sent something else.
pub(super) const WANTED: &str = r#"send {"matcher": {"host": "srv01"}, "author": "who", "comment": "why", "for": "2h"}, or "until" with a time such as "2026-01-31T06:00:00Z" in the place of "for""#;

/// A body of JSON.
pub(super) fn parsed<T: for<'a> Deserialize<'a>>(body: &[u8], wanted: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request(format!(
            "The body is not as it must be ({error}); {wanted}."
        ))
    })
}

/// The silence that somebody wants, or what is wrong with it.
pub(super) fn row_of(body: SilenceBody, now: Wall) -> Result<SilenceRow, Problem> {
    let matcher = matcher_of(body.matcher)?;
    let author = line("author", &body.author, AUTHOR_CHARACTERS_MAX)?;
    let comment = line("comment", &body.comment, NOTE_CHARACTERS_MAX)?;
    for (what, text) in [("an author", &author), ("a comment", &comment)] {
        if text.is_empty() {
            return Err(Problem::bad_request(format!(
                "A silence needs {what}; {WANTED}."
            )));
        }
    }
    let from = body.from.map_or(Ok(now), |text| moment("from", &text))?;
    let until = match (body.until, body.length) {
        (Some(until), None) => moment("until", &until)?,
        (None, Some(length)) => {
            let length = duration(&length).map_err(|(what, instead)| {
                Problem::bad_request(format!(
                    "The length of the silence is wrong: {what}; {instead}."
                ))
            })?;
            from + length
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Problem::bad_request(format!(
                "A silence needs either \"until\" or \"for\"; {WANTED}."
            )));
        }
    };
    if until <= from {
        return Err(Problem::bad_request(format!(
            "The silence ends at {}, before it starts at {}; give it a later end.",
            rfc3339(until),
            rfc3339(from)
        )));
    }
    if until <= now {
        return Err(Problem::bad_request(format!(
            "The silence ended at {}, and now it is {}; give it an end in the future.",
            rfc3339(until),
            rfc3339(now)
        )));
    }
    if until.since(now) > LENGTH_MAX {
        return Err(Problem::bad_request(
            "The silence would end in more than a year; take what is not to be told out of the configuration.",
        ));
    }
    Ok(SilenceRow {
        id: new_id()?,
        matcher,
        author,
        comment,
        from,
        until,
        ended_at: None,
        ended_by: None,
    })
}

/// A short text that no other silence has.
fn new_id() -> Result<SilenceId, Problem> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|error| {
        Problem::unavailable(format!("The system gives no random numbers: {error}."))
    })?;
    Ok(SilenceId(Arc::from(format!(
        "{:016x}",
        u64::from_be_bytes(random)
    ))))
}

fn moment(what: &str, text: &str) -> Result<Wall, Problem> {
    text.parse::<Timestamp>()
        .map(|at| Wall(at.as_millisecond()))
        .map_err(|_| {
            Problem::bad_request(format!(
                "{} is no time for \"{what}\"; write one with its offset, such as 2026-01-31T06:00:00Z or 2026-01-31T07:00:00+01:00.",
                quoted(text)
            ))
        })
}

/// A text of one line, without what could steer a terminal or a page.
pub(super) fn line(what: &str, text: &str, most: usize) -> Result<String, Problem> {
    if text.chars().count() > most {
        return Err(Problem::bad_request(format!(
            "The text of {what} is too long; write at most {most} characters."
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!(
            "The text of {what} holds a line end or another control character; write one line."
        )));
    }
    Ok(text.trim().to_owned())
}

fn matcher_of(item: MatcherItem) -> Result<Matcher, Problem> {
    let mut room = SILENCE_PATTERNS_MAX;
    let mut labels = Vec::with_capacity(item.labels.len());
    for (name, values) in item.labels {
        let name = line("a label's name", &name, PATTERN_CHARACTERS_MAX)?;
        labels.push((name, patterns("labels", Some(values), &mut room)?));
    }
    let matcher = Matcher {
        host: patterns("host", item.host, &mut room)?,
        site: patterns("site", item.site, &mut room)?,
        service: patterns("service", item.service, &mut room)?,
        severity: words(
            "severity",
            item.severity,
            &mut room,
            Severity::ALL,
            Severity::as_str,
        )?,
        kind: Vec::new(),
        event: words(
            "event",
            item.event,
            &mut room,
            ToldEvent::ALL,
            ToldEvent::as_str,
        )?,
        labels,
    };
    if matcher == Matcher::default() {
        return Err(Problem::bad_request(format!(
            "The silence says not what it is about, so it would be about everything; {WANTED}. A host of \"*\" is every host."
        )));
    }
    Ok(matcher)
}

fn patterns(what: &str, given: Option<OneOrMany>, room: &mut usize) -> Result<Vec<Glob>, Problem> {
    let texts = match given {
        None => return Ok(Vec::new()),
        Some(OneOrMany::One(text)) => vec![text],
        Some(OneOrMany::Many(texts)) => texts,
    };
    if texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
        return Err(Problem::bad_request(format!(
            "\"{what}\" of the matcher is empty; write a name or a pattern, or leave it out."
        )));
    }
    *room = room.checked_sub(texts.len()).ok_or_else(|| {
        Problem::bad_request(format!(
            "The matcher has more than {SILENCE_PATTERNS_MAX} names and patterns; use patterns with * and ?, a site or a label."
        ))
    })?;
    texts
        .into_iter()
        .map(|text| {
            let text = line(what, &text, PATTERN_CHARACTERS_MAX)?;
            if text.matches('*').count() > 16 {
                return Err(Problem::bad_request(format!(
                    "A pattern of \"{what}\" has more than 16 stars; write several patterns."
                )));
            }
            Ok(Glob::new(&text))
        })
        .collect()
}

/// The words of a closed list that the patterns mean; a pattern that means none is an error.
fn words<W: Copy>(
    what: &str,
    given: Option<OneOrMany>,
    room: &mut usize,
    all: &[W],
    word: fn(W) -> &'static str,
) -> Result<Vec<W>, Problem> {
    let patterns = patterns(what, given, room)?;
    for pattern in &patterns {
        if let Err(instead) = meant_word(pattern.as_str(), all.iter().map(|one| word(*one))) {
            return Err(Problem::bad_request(format!(
                "{} is no {what}; {instead}.",
                quoted(pattern.as_str())
            )));
        }
    }
    let meant = |one: &W| patterns.iter().any(|pattern| pattern.matches(word(*one)));
    Ok(all.iter().copied().filter(meant).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_700_000_000_000);

    fn body(json: &str) -> Result<SilenceRow, Problem> {
        row_of(parsed(json.as_bytes(), WANTED)?, NOW)
    }

    #[test]
    fn a_silence_is_taken_as_it_was_meant() {
        let row = body(
            r#"{"matcher": {"host": ["srv01", "web-*"], "severity": "crit*", "labels": {"team": "db"}},
                "author": " anna ", "comment": "a new disk", "for": "2h"}"#,
        )
        .unwrap();
        assert_eq!((row.author.as_str(), row.from), ("anna", NOW));
        assert_eq!(row.until, NOW + Span::hours(2));
        assert_eq!(row.matcher.severity, [Severity::Critical]);
        assert_eq!(row.matcher.host.len(), 2);
        assert_eq!(row.id.as_str().len(), 16);
        let until = body(
            r#"{"matcher": {"host": "a"}, "author": "a", "comment": "b", "until": "2023-11-15T00:00:00+01:00"}"#,
        );
        assert_eq!(until.unwrap().until, Wall(1_700_002_800_000));
    }

    #[test]
    fn what_is_wrong_with_a_silence_is_one_sentence_that_helps() {
        let rest = r#""author": "a", "comment": "b""#;
        for (json, said) in [
            (format!(r#"{{"matcher": {{"host": "a"}}, {rest}, "until": "2020-01-01T00:00:00Z"}}"#), "before it starts at 2023-11-14"),
            (format!(r#"{{"matcher": {{"host": "a"}}, {rest}, "from": "2020-01-01T00:00:00Z", "for": "1h"}}"#), "an end in the future"),
            (format!(r#"{{"matcher": {{"host": "a"}}, {rest}, "for": "0s"}}"#), "before it starts"),
            (format!(r#"{{"matcher": {{"host": "a"}}, {rest}, "for": "900d"}}"#), "more than a year"),
            (format!(r#"{{"matcher": {{"host": "a"}}, {rest}, "for": "2 hours"}}"#), "is no duration"),
            (format!(r#"{{"matcher": {{"host": "a"}}, {rest}, "until": "tomorrow"}}"#), "is no time"),
            (format!(r#"{{"matcher": {{"host": "a"}}, {rest}}}"#), "either \"until\" or \"for\""),
            (format!(r#"{{"matcher": {{}}, {rest}, "for": "1h"}}"#), "about everything"),
            (format!(r#"{{"matcher": {{"host": []}}, {rest}, "for": "1h"}}"#), "is empty"),
            (format!(r#"{{"matcher": {{"hots": "a"}}, {rest}, "for": "1h"}}"#), "unknown field `hots`"),
            (format!(r#"{{"matcher": {{"kind": "opened"}}, {rest}, "for": "1h"}}"#), "unknown field `kind`"),
            (format!(r#"{{"matcher": {{"severity": "critcal"}}, {rest}, "for": "1h"}}"#), "did you mean `critical`?"),
            (r#"{"matcher": {"host": "a"}, "comment": "b", "for": "1h"}"#.to_owned(), "needs an author"),
            (r#"{"matcher": {"host": "a"}, "author": "b", "for": "1h"}"#.to_owned(), "needs a comment"),
            (r#"{"matcher": {"host": "a"}, "author": "a\u001b[2J", "comment": "b", "for": "1h"}"#.to_owned(), "control character"),
            ("{".to_owned(), "not as it must be"),
        ] {
            let problem = body(&json).unwrap_err();
            assert!(problem.detail.contains(said), "{json}: {problem}");
        }
    }
}
