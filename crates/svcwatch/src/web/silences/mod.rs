//! `/api/v1/silences`: what is not told for a while because somebody wants it so.

mod items;
mod taken;

pub use items::{EndBody, MatcherItem, MatchesItem, OneOrMany, SilenceBody, SilenceItem};

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
use items::item;
use std::{ops::ControlFlow, sync::Arc};
use svcwatch_core::{
    id::Name,
    limits::SILENCES_MAX,
    notice::{Severity, ToldEvent},
    plan::Matcher,
    policy::route,
    silence::About,
    view::SilenceView,
};
use taken::{AUTHOR_CHARACTERS_MAX, WANTED, line, parsed, row_of};

/// Filters of silences.
const FILTERS: [&str; 3] = ["id", "author", "state"];
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

#[cfg(test)]
mod tests {
    use super::*;

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
            let text =
                format!(r#"{{"matcher": {json}, "author": "a", "comment": "b", "for": "1h"}}"#);
            let body = parsed(text.as_bytes(), WANTED).unwrap();
            let row = row_of(body, clock::wall()).unwrap();
            let found = count_now(&board, &row.matcher);
            (found.hosts, found.services)
        };
        assert_eq!(counted(r#"{"host": "SRV01"}"#), (1, 1));
        assert_eq!(counted(r#"{"service": "spool*"}"#), (0, 2));
        assert_eq!(counted(r#"{"host": "srv1"}"#), (0, 0));
        assert_eq!(counted(r#"{"severity": "info"}"#), (2, 2));
    }
}
