//! `/api/v1/silences`: what is not told for a while because somebody wants it so.

use super::{
    Web,
    ask::{Ask, SilenceReply, ask},
    guard::BODY_BYTES_MAX,
    items::List,
    problem::Problem,
    query::{LIMIT_MAX, Parameters, next_after, quoted},
};
use crate::{
    board::{Board, PIECE_ROWS},
    clock,
    config::{duration, meant_word},
    dest::text::rfc3339,
};
use axum::{
    Json,
    body::Bytes,
    extract::{
        Path, Query, State,
        rejection::{BytesRejection, PathRejection, QueryRejection},
    },
    http::StatusCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};
use svcwatch_core::{
    glob::Glob,
    id::Name,
    limits::{NOTE_CHARACTERS_MAX, SILENCE_PATTERNS_MAX, SILENCES_MAX},
    notice::{Severity, ToldEvent},
    plan::Matcher,
    policy::route,
    silence::{About, SilenceId, SilenceRow},
    time::{Span, Wall},
    view::SilenceView,
};

/// Characters of a name of somebody, at most.
const AUTHOR_CHARACTERS_MAX: usize = 200;
/// Characters of one pattern, at most.
const PATTERN_CHARACTERS_MAX: usize = 256;
/// How long a silence may last: what is longer is not to be watched.
const LENGTH_MAX: Span = Span::hours(24 * 366);
/// Filters of silences.
const FILTERS: [&str; 3] = ["id", "author", "state"];
/// What a silence looks like, for those who sent something else.
const WANTED: &str = r#"send {"matcher": {"host": "srv01"}, "author": "who", "comment": "why", "for": "2h"}, or "until" with a time such as "2026-01-31T06:00:00Z" in the place of "for""#;

/// One text, or several of which any counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

/// What a silence is about: the keys of `match` in a route, of which all must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MatcherItem {
    /// Host names or patterns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<OneOrMany>,
    /// Sites or patterns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<OneOrMany>,
    /// Key names of services or patterns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<OneOrMany>,
    /// Severities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<OneOrMany>,
    /// Events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<OneOrMany>,
    /// Labels by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, OneOrMany>,
}

/// A silence that somebody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SilenceBody {
    /// What it is about.
    pub matcher: MatcherItem,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// From when; now, if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// For how long, in the place of `until`.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub length: Option<String>,
}

/// Who ends a silence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndBody {
    /// Who.
    pub by: String,
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceItem {
    /// Which.
    pub id: String,
    /// What it is about.
    pub matcher: MatcherItem,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// From when.
    pub from: String,
    /// Until when.
    pub until: String,
    /// `active`, `pending`, or in the answer to its end `ended`.
    pub state: String,
    /// Which of the hosts and services that are watched now it is about; only in the answer to the one who adds it.
    pub matches: Option<MatchesItem>,
}

/// How much a silence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MatchesItem {
    /// Hosts.
    pub hosts: u64,
    /// Services.
    pub services: u64,
}

/// `GET /api/v1/silences`
pub(super) async fn list(
    State(web): State<Web>,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<List<SilenceItem>>, Problem> {
    let Query(pairs) = pairs.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let parameters = Parameters::new(pairs, &FILTERS)?;
    let limit = parameters.limit(LIMIT_MAX)?;
    let after = parameters.after()?.map(|(id, _)| id);
    let (id, author) = (parameters.pattern("id"), parameters.pattern("author"));
    let holds = parameters.word("state", &[true, false], state_of)?;
    let mut found: Vec<SilenceView> = web
        .board
        .silences()
        .into_iter()
        .filter(|view| {
            after
                .as_ref()
                .is_none_or(|after| view.row.id.as_str() > after.key())
                && id.takes(Some(view.row.id.as_str()))
                && author.takes(Some(&view.row.author))
                && holds.is_none_or(|holds| holds == view.holds)
        })
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    Ok(Json(List {
        next: last.map(|view| next_after(&Name::new(view.row.id.as_str()), &Name::new(""))),
        items: found
            .into_iter()
            .map(|view| item(&view.row, state_of(view.holds)))
            .collect(),
    }))
}

/// `POST /api/v1/silences`
pub(super) async fn add(
    State(web): State<Web>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SilenceItem>, Problem> {
    let body: SilenceBody = parsed(&body_of(body)?, WANTED)?;
    let row = row_of(body, clock::wall())?;
    let matches = count(&web.board, &row.matcher).await?;
    let reply = ask(&web.asks, |reply| Ask::Silence {
        row: Box::new(row.clone()),
        reply,
    });
    match reply.await? {
        SilenceReply::Done => Ok(Json(SilenceItem {
            matches: Some(matches),
            ..item(&row, state_of(row.from <= clock::wall()))
        })),
        SilenceReply::Refused => Err(Problem::new(
            StatusCode::CONFLICT,
            format!(
                "The silence was not added: there are {SILENCES_MAX} already, or it is over. End some, or use fewer with patterns."
            ),
        )),
    }
}

/// `DELETE /api/v1/silences/ID`
pub(super) async fn end(
    State(web): State<Web>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SilenceItem>, Problem> {
    let Path(id) = id.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let body = body_of(body)?;
    let body: EndBody = if body.is_empty() {
        EndBody::default()
    } else {
        parsed(&body, r#"send {"by": "who ends it"}, or nothing"#)?
    };
    let by = line("by", &body.by, AUTHOR_CHARACTERS_MAX)?;
    let known = web
        .board
        .silences()
        .into_iter()
        .find(|view| view.row.id.as_str() == id);
    let missing = || {
        Problem::not_found(format!(
            "There is no silence {} that is not over. GET /api/v1/silences lists them.",
            quoted(&id)
        ))
    };
    let view = known.ok_or_else(missing)?;
    let reply = ask(&web.asks, |reply| Ask::EndSilence {
        id: view.row.id.clone(),
        by: by.clone(),
        reply,
    });
    match reply.await? {
        SilenceReply::Done => Ok(Json(item(&view.row, "ended"))),
        SilenceReply::Refused => Err(missing()),
    }
}

const fn state_of(holds: bool) -> &'static str {
    if holds { "active" } else { "pending" }
}

fn body_of(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|rejection| {
        Problem::new(
            rejection.status(),
            format!("The body could not be read; send at most {BODY_BYTES_MAX} bytes of JSON, and all of them."),
        )
    })
}

fn parsed<T: for<'a> Deserialize<'a>>(body: &[u8], wanted: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request(format!(
            "The body is not as it must be ({error}); {wanted}."
        ))
    })
}

/// The silence that somebody wants, or what is wrong with it.
fn row_of(body: SilenceBody, now: Wall) -> Result<SilenceRow, Problem> {
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
fn line(what: &str, text: &str, most: usize) -> Result<String, Problem> {
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

/// How many of the hosts and services that are watched now a matcher is about.
async fn count(board: &Arc<Board>, matcher: &Matcher) -> Result<MatchesItem, Problem> {
    let (board, matcher) = (Arc::clone(board), matcher.clone());
    tokio::task::spawn_blocking(move || count_now(&board, &matcher))
        .await
        .map_err(|_| Problem::unavailable("svcwatch is ending. Try again when it runs."))
}

fn count_now(board: &Board, matcher: &Matcher) -> MatchesItem {
    // What will be told, and how bad it is, is not known now.
    let matcher = Matcher {
        severity: Vec::new(),
        event: Vec::new(),
        ..matcher.clone()
    };
    let mut found = MatchesItem::default();
    let mut after = None;
    loop {
        after = board.walk_hosts(after.as_ref(), PIECE_ROWS, |host| {
            let about = anything(&host.name, None, host.site.as_deref(), &host.labels);
            found.hosts += u64::from(route::means(&matcher, &about));
            ControlFlow::Continue(())
        });
        if after.is_none() {
            break;
        }
    }
    let mut after = None;
    loop {
        after = board.walk_services(after.as_ref(), PIECE_ROWS, |seen| {
            let site = seen.host_view.and_then(|host| host.site.as_deref());
            let about = anything(seen.host, Some(&seen.row.service), site, &seen.row.labels);
            found.services += u64::from(route::means(&matcher, &about));
            ControlFlow::Continue(())
        });
        if after.is_none() {
            return found;
        }
    }
}

/// Something of a host or service, whatever it is.
fn anything<'a>(
    host: &'a Name,
    service: Option<&'a Name>,
    site: Option<&'a str>,
    labels: &'a [(String, String)],
) -> About<'a> {
    About {
        host: Some(host),
        service,
        site,
        severity: Severity::Critical,
        event: ToldEvent::Stopped,
        labels: [labels, &[]],
    }
}

fn item(row: &SilenceRow, state: &str) -> SilenceItem {
    let texts = |globs: &[Glob]| -> Option<OneOrMany> {
        let texts: Vec<String> = globs.iter().map(|glob| glob.as_str().to_owned()).collect();
        (!texts.is_empty()).then_some(OneOrMany::Many(texts))
    };
    let words = |words: Vec<&str>| {
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        (!words.is_empty()).then_some(OneOrMany::Many(words))
    };
    let matcher = &row.matcher;
    SilenceItem {
        id: row.id.as_str().to_owned(),
        matcher: MatcherItem {
            host: texts(&matcher.host),
            site: texts(&matcher.site),
            service: texts(&matcher.service),
            severity: words(matcher.severity.iter().map(|one| one.as_str()).collect()),
            event: words(matcher.event.iter().map(|one| one.as_str()).collect()),
            labels: matcher
                .labels
                .iter()
                .filter_map(|(name, values)| Some((name.clone(), texts(values)?)))
                .collect(),
        },
        author: row.author.clone(),
        comment: row.comment.clone(),
        from: rfc3339(row.from),
        until: rfc3339(row.until),
        state: state.to_owned(),
        matches: None,
    }
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

    #[test]
    fn what_it_is_about_now_is_counted() {
        use crate::board::tests::{host, service};
        use svcwatch_core::view::View;
        let board = Board::new();
        for name in ["srv01", "srv02"] {
            board.apply(View::Host(host(name)));
            board.apply(View::Service(service(name, "Spooler")));
        }
        let counted = |json: &str| {
            let row = body(&format!(
                r#"{{"matcher": {json}, "author": "a", "comment": "b", "for": "1h"}}"#
            ))
            .unwrap();
            let found = count_now(&board, &row.matcher);
            (found.hosts, found.services)
        };
        assert_eq!(counted(r#"{"host": "SRV01"}"#), (1, 1));
        assert_eq!(counted(r#"{"service": "spool*"}"#), (0, 2));
        assert_eq!(counted(r#"{"host": "srv1"}"#), (0, 0));
        assert_eq!(counted(r#"{"severity": "info"}"#), (2, 2));
    }
}
