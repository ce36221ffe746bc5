//! /api/v1: what is watched out of the board, what is remembered out of the store, and what the loop is asked.

use super::{
    Web,
    ask::{AckReply, Ask, ask},
    guard::BODY_BYTES_MAX,
    items::{
        AckBody, DeliveryItem, Explanation, HistoryItem, HostItem, IncidentItem, List, ServiceItem,
        state_of_host,
    },
    problem::Problem,
    query::{
        DELIVERIES_MAX, LIMIT_MAX, LabelFilter, NULL, Parameters, Pattern, Word, next_after, quoted,
    },
};
use crate::{
    board::{Board, PIECE_ROWS, Seen},
    store::{
        AnyStore, Store as _, StoreError,
        query::{DeliveryQuery, HistoryQuery, IncidentQuery, Page},
    },
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
use std::{ops::ControlFlow, sync::Arc};
use svcwatch_core::{
    id::{DeliveryKey, IncidentId, Name},
    limits::NOTE_CHARACTERS_MAX,
    notice::{Kind, Severity, ToldEvent, Why},
    observe::{Fault, StartType, State as ServiceState},
    plan::Expect,
    record::DeliveryState,
    view::HostView,
};

/// Characters of the name of who acknowledges, at most.
const BY_CHARACTERS_MAX: usize = 200;

pub(super) type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;
type Answer<T> = Result<Json<T>, Problem>;

/// Filters of hosts.
const HOST_FILTERS: [&str; 6] = ["name", "address", "site", "state", "fault", "labels"];
/// Filters of services.
const SERVICE_FILTERS: [&str; 10] = [
    "host",
    "service",
    "display_name",
    "friendly_name",
    "state",
    "expected",
    "start_type",
    "incident",
    "muted",
    "labels",
];
/// Filters of incidents.
const INCIDENT_FILTERS: [&str; 6] = ["id", "host", "service", "event", "severity", "resolved_at"];
/// Filters of deliveries.
const DELIVERY_FILTERS: [&str; 6] = [
    "key",
    "destination",
    "recipient",
    "incident",
    "kind",
    "state",
];
/// Filters of history.
const HISTORY_FILTERS: [&str; 2] = ["host", "service"];
/// What can be explained.
const EXPLAIN_FILTERS: [&str; 2] = ["host", "service"];

/// `GET /api/v1/hosts`
pub(super) async fn hosts(State(web): State<Web>, pairs: Pairs) -> Answer<List<HostItem>> {
    let parameters = parameters(pairs, &HOST_FILTERS)?;
    let limit = parameters.limit(LIMIT_MAX)?;
    let after = parameters.after()?.map(|(host, _)| host);
    let filter = HostFilter::new(&parameters)?;
    let board = Arc::clone(&web.board);
    blocking(move || list_hosts(&board, after, limit, &filter)).await
}

/// `GET /api/v1/services`
pub(super) async fn services(State(web): State<Web>, pairs: Pairs) -> Answer<List<ServiceItem>> {
    let parameters = parameters(pairs, &SERVICE_FILTERS)?;
    let limit = parameters.limit(LIMIT_MAX)?;
    let after = parameters.after()?;
    let filter = ServiceFilter::new(&parameters)?;
    let board = Arc::clone(&web.board);
    blocking(move || list_services(&board, after, limit, &filter)).await
}

/// `GET /api/v1/incidents`
pub(super) async fn incidents(State(web): State<Web>, pairs: Pairs) -> Answer<List<IncidentItem>> {
    let parameters = parameters(pairs, &INCIDENT_FILTERS)?;
    let open = match parameters.text("resolved_at") {
        None => None,
        Some(NULL) => Some(true),
        Some("*") => Some(false),
        Some(other) => {
            return Err(Problem::bad_request(format!(
                "{} is no filter for resolved_at; use null for open incidents, or * for those that are over.",
                quoted(other)
            )));
        }
    };
    let query = IncidentQuery {
        id: parameters.text("id").map(|id| IncidentId(Arc::from(id))),
        host: parameters.name("host"),
        service: parameters.name("service"),
        event: parameters.word("event", ToldEvent::ALL, ToldEvent::as_str)?,
        severity: parameters.word("severity", Severity::ALL, Severity::as_str)?,
        open,
        before: parameters.before()?,
        limit: parameters.limit(LIMIT_MAX)?,
    };
    read(&web, move |store| store.incidents(&query))
        .await
        .map(list)
}

/// `GET /api/v1/deliveries`
pub(super) async fn deliveries(State(web): State<Web>, pairs: Pairs) -> Answer<List<DeliveryItem>> {
    let parameters = parameters(pairs, &DELIVERY_FILTERS)?;
    let query = DeliveryQuery {
        key: parameters
            .text("key")
            .map(|key| DeliveryKey(Arc::from(key))),
        destination: parameters.name("destination"),
        recipient: parameters.text("recipient").map(str::to_owned),
        incident: parameters
            .text("incident")
            .map(|id| IncidentId(Arc::from(id))),
        kind: parameters.word("kind", Kind::ALL, Kind::as_str)?,
        state: parameters.word("state", DeliveryState::ALL, DeliveryState::as_str)?,
        before: parameters.before()?,
        limit: parameters.limit(DELIVERIES_MAX)?,
    };
    read(&web, move |store| store.deliveries(&query))
        .await
        .map(list)
}

/// `GET /api/v1/history`
pub(super) async fn history(State(web): State<Web>, pairs: Pairs) -> Answer<List<HistoryItem>> {
    let parameters = parameters(pairs, &HISTORY_FILTERS)?;
    let query = HistoryQuery {
        host: parameters.name("host"),
        service: parameters.name("service"),
        before: parameters.before()?,
        limit: parameters.limit(LIMIT_MAX)?,
    };
    read(&web, move |store| store.history(&query))
        .await
        .map(list)
}

/// `POST /api/v1/incidents/ID/ack`
pub(super) async fn acknowledge(
    State(web): State<Web>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<IncidentItem> {
    let Path(id) =
        id.map_err(|rejection| Problem::bad_request(sentence(&rejection.body_text())))?;
    let body = ack_body(body)?;
    let incident = IncidentId(Arc::from(id));
    incident_item(&web, &incident).await?;
    let reply = ask(&web.asks, |reply| Ask::Ack {
        incident: incident.clone(),
        by: body.by,
        note: body.note,
        reply,
    });
    match reply.await? {
        AckReply::Acknowledged => incident_item(&web, &incident).await.map(Json),
        AckReply::NotOpen => Err(Problem::new(
            StatusCode::CONFLICT,
            format!(
                "Incident {incident} is over, so it cannot be acknowledged. GET /api/v1/incidents?resolved_at=null lists the open ones."
            ),
        )),
    }
}

/// `GET /api/v1/explain`
pub(super) async fn explain(State(web): State<Web>, pairs: Pairs) -> Answer<Explanation> {
    let parameters = parameters_of_one(pairs, &EXPLAIN_FILTERS)?;
    let Some(host) = parameters.name("host") else {
        return Err(Problem::bad_request(
            "Say which host: /api/v1/explain?host=HOST&service=SERVICE, where the service may be left out.",
        ));
    };
    let service = parameters.name("service");
    let reply = ask(&web.asks, |reply| Ask::Explain {
        host: host.clone(),
        service: service.clone(),
        reply,
    });
    reply.await?.map(Json).ok_or_else(|| {
        let what =
            service.map_or_else(String::new, |name| format!("{} on ", quoted(name.as_str())));
        Problem::not_found(format!(
            "{what}{} is not watched. GET /api/v1/hosts and /api/v1/services list what is.",
            quoted(host.as_str())
        ))
    })
}

/// An incident as the API shows it.
async fn incident_item(web: &Web, id: &IncidentId) -> Result<IncidentItem, Problem> {
    let query = IncidentQuery {
        id: Some(id.clone()),
        limit: 1,
        ..IncidentQuery::default()
    };
    let page = read(web, move |store| store.incidents(&query)).await?;
    page.items
        .into_iter()
        .next()
        .map(IncidentItem::from)
        .ok_or_else(|| {
            Problem::not_found(format!(
                "There is no incident {}. GET /api/v1/incidents lists them.",
                quoted(id.as_str())
            ))
        })
}

fn ack_body(body: Result<Bytes, BytesRejection>) -> Result<AckBody, Problem> {
    let body = body.map_err(|rejection| {
        Problem::new(
            rejection.status(),
            format!("The body could not be read; send at most {BODY_BYTES_MAX} bytes of JSON, and all of them."),
        )
    })?;
    let wanted = r#"send {"by": "who takes note", "note": "what others should know"}"#;
    let body: AckBody = serde_json::from_slice(&body).map_err(|error| {
        Problem::bad_request(format!(
            "The body is not as it must be ({error}); {wanted}."
        ))
    })?;
    if body.by.trim().is_empty() {
        return Err(Problem::bad_request(format!(
            "It says not who takes note; {wanted}."
        )));
    }
    for (what, text, most) in [
        ("by", &body.by, BY_CHARACTERS_MAX),
        ("note", &body.note, NOTE_CHARACTERS_MAX),
    ] {
        if text.chars().count() > most {
            return Err(Problem::bad_request(format!(
                "The text of {what} is too long; write at most {most} characters."
            )));
        }
    }
    Ok(body)
}

/// The parameters of a list.
fn parameters(pairs: Pairs, known: &[&str]) -> Result<Parameters, Problem> {
    Parameters::new(read_pairs(pairs)?, known)
}

/// The parameters of what is no list.
pub(super) fn parameters_of_one(pairs: Pairs, known: &[&str]) -> Result<Parameters, Problem> {
    Parameters::of_one(read_pairs(pairs)?, known)
}

fn read_pairs(pairs: Pairs) -> Result<Vec<(String, String)>, Problem> {
    let Query(pairs) =
        pairs.map_err(|rejection| Problem::bad_request(sentence(&rejection.body_text())))?;
    Ok(pairs)
}

fn sentence(fragment: &str) -> String {
    format!(
        "The address cannot be read: {}.",
        fragment.trim_end_matches('.')
    )
}

/// Asks the store, on a thread that may block.
async fn read<T: Send + 'static>(
    web: &Web,
    question: impl FnOnce(&AnyStore) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    crate::store::ask(Arc::clone(&web.store), question)
        .await
        .map_err(|error| Problem::unavailable(format!("The store cannot be read: {error}.")))
}

/// Walks over the board, on a thread that may block: with two million rows that takes a while.
async fn blocking<T: Send + 'static>(walk: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    tokio::task::spawn_blocking(walk)
        .await
        .map(Json)
        .map_err(|_| Problem::unavailable("svcwatch is ending. Try again when it runs."))
}

fn list<T, U: From<T>>(page: Page<T>) -> Json<List<U>> {
    Json(List {
        items: page.items.into_iter().map(U::from).collect(),
        next: page.next.map(|next| next.to_string()),
    })
}

struct HostFilter {
    name: Pattern,
    address: Pattern,
    site: Pattern,
    state: Option<bool>,
    fault: Word<Fault>,
    labels: Option<LabelFilter>,
}

impl HostFilter {
    fn new(parameters: &Parameters) -> Result<Self, Problem> {
        Ok(Self {
            name: parameters.pattern("name"),
            address: parameters.pattern("address"),
            site: parameters.pattern("site"),
            state: parameters.word("state", &[true, false], state_of_host)?,
            fault: parameters.word_or_null("fault", Fault::ALL, Fault::as_str)?,
            labels: parameters.label(),
        })
    }

    fn takes(&self, host: &HostView) -> bool {
        self.state.is_none_or(|wanted| wanted == host.is_up())
            && self.fault.takes(host.fault)
            && self.name.takes(Some(host.name.as_str()))
            && self.address.takes(Some(&host.address))
            && self.site.takes(host.site.as_deref())
            && self
                .labels
                .as_ref()
                .is_none_or(|filter| filter.takes(&host.labels))
    }
}

fn list_hosts(
    board: &Board,
    mut after: Option<Name>,
    limit: usize,
    filter: &HostFilter,
) -> List<HostItem> {
    let mut found: Vec<(Name, HostItem)> = Vec::new();
    loop {
        after = board.walk_hosts(after.as_ref(), PIECE_ROWS, |host| {
            if filter.takes(host) {
                found.push((host.name.clone(), HostItem::from(host)));
            }
            enough(found.len(), limit)
        });
        if after.is_none() || found.len() > limit {
            break;
        }
    }
    finish(found, limit, |name| next_after(name, &Name::new("")))
}

struct ServiceFilter {
    host: Pattern,
    service: Pattern,
    display_name: Pattern,
    friendly_name: Pattern,
    state: Option<ServiceState>,
    expected: Option<Expect>,
    start_type: Word<StartType>,
    incident: Pattern,
    muted: Word<Why>,
    labels: Option<LabelFilter>,
}

impl ServiceFilter {
    fn new(parameters: &Parameters) -> Result<Self, Problem> {
        Ok(Self {
            host: parameters.pattern("host"),
            service: parameters.pattern("service"),
            display_name: parameters.pattern("display_name"),
            friendly_name: parameters.pattern("friendly_name"),
            state: parameters.word("state", ServiceState::ALL, ServiceState::as_str)?,
            expected: parameters.word("expected", Expect::ALL, Expect::as_str)?,
            start_type: parameters.word_or_null("start_type", StartType::ALL, StartType::as_str)?,
            incident: parameters.pattern("incident"),
            muted: parameters.word_or_null("muted", Why::ALL, Why::as_str)?,
            labels: parameters.label(),
        })
    }

    fn takes(&self, seen: Seen<'_>) -> bool {
        let row = seen.row;
        // Words before patterns: they are quicker, and most rows fail one of them.
        self.state.is_none_or(|wanted| wanted == seen.state())
            && self.expected.is_none_or(|wanted| wanted == row.expected)
            && self.start_type.takes(row.start_type)
            && self.muted.takes(seen.muted())
            && self
                .incident
                .takes(row.incident.as_ref().map(IncidentId::as_str))
            && self.host.takes(Some(seen.host.as_str()))
            && self.service.takes(Some(row.service.as_str()))
            && self.display_name.takes(row.display_name.as_deref())
            && self.friendly_name.takes(row.friendly_name.as_deref())
            && self
                .labels
                .as_ref()
                .is_none_or(|filter| filter.takes(&row.labels))
    }
}

fn list_services(
    board: &Board,
    mut after: Option<(Name, Name)>,
    limit: usize,
    filter: &ServiceFilter,
) -> List<ServiceItem> {
    // A list of one host need not walk over the others.
    let only = filter.host.only_name();
    if let Some(host) = &only {
        let begin = (host.clone(), Name::new(""));
        after = after.map_or(Some(begin.clone()), |given| Some(given.max(begin)));
    }
    let mut found: Vec<((Name, Name), ServiceItem)> = Vec::new();
    loop {
        let mut past = false;
        after = board.walk_services(after.as_ref(), PIECE_ROWS, |seen| {
            past = only.as_ref().is_some_and(|host| host < seen.host);
            if past {
                return ControlFlow::Break(());
            }
            if filter.takes(seen) {
                let place = (seen.host.clone(), seen.row.service.clone());
                found.push((place, ServiceItem::from(seen)));
            }
            enough(found.len(), limit)
        });
        if past || after.is_none() || found.len() > limit {
            break;
        }
    }
    finish(found, limit, |(host, service)| next_after(host, service))
}

/// One more than was wished tells that there are more.
const fn enough(found: usize, limit: usize) -> ControlFlow<()> {
    if found > limit {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

fn finish<P, T>(mut found: Vec<(P, T)>, limit: usize, next: impl Fn(&P) -> String) -> List<T> {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(place, _)| next(place));
    List {
        items: found.into_iter().map(|(_, item)| item).collect(),
        next,
    }
}
