//! `/runbooks`: the pages for whoever is woken at night, with what is seen now of the host and service they are about.

use super::{
    Web,
    api::{Pairs, parameters_of_one},
    problem::Problem,
    query::quoted,
};
use crate::{
    clock,
    dest::body,
    runbook::{Around, STYLE, SeenNow, found, html, runs_again, seen, variables},
    store::{Store, query::IncidentQuery},
};
use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use svcwatch_core::id::Name;

/// What a page may load: nothing but its style.
const POLICY: &str = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// What a page may be asked for.
const FILTERS: [&str; 2] = ["host", "service"];

/// `GET /runbooks`
pub(super) async fn list(State(web): State<Web>) -> Result<Response, Problem> {
    let names = blocking(move || web.runbooks.list()).await?;
    let lines: Vec<String> = names
        .iter()
        .map(|name| format!("- [{name}](runbooks/{name}.md)"))
        .collect();
    let markdown = format!(
        "# Runbooks\n\nWhat each alert means, and what to do. Notices and rules link to them.\n\n{}\n",
        lines.join("\n")
    );
    Ok(page(html(&markdown, &Around::default())))
}

/// `GET /runbooks/NAME`
pub(super) async fn one(
    State(web): State<Web>,
    Path(name): Path<String>,
    pairs: Pairs,
) -> Result<Response, Problem> {
    let parameters = parameters_of_one(pairs, &FILTERS)?;
    let (host, service) = (parameters.name("host"), parameters.name("service"));
    let named = [("host", &host), ("service", &service)];
    let named = named
        .iter()
        .filter_map(|(word, name)| Some((*word, name.as_ref()?.as_str())));
    let query = body::pairs(named);
    let asked = name.clone();
    let found = blocking(move || {
        let seen = match &host {
            Some(host) => {
                let mut now = seen(&web.board, host, service.as_ref(), clock::wall());
                explain(&web, host, service.as_ref(), &mut now);
                now
            }
            None => SeenNow {
                first: None,
                variables: variables(None, service.as_ref().map(Name::as_str)),
                pairs: Vec::new(),
            },
        };
        let found = web.runbooks.page(&name, &seen.variables)?;
        Some(html(
            &found.markdown,
            &Around {
                first: seen.first.as_deref(),
                seen: &seen.pairs,
                fallback: found.fallback.as_deref(),
                query: &query,
            },
        ))
    })
    .await?;
    found.map(page).ok_or_else(|| {
        Problem::not_found(format!(
            "There is no runbook {}. /runbooks lists them all.",
            quoted(&asked)
        ))
    })
}

/// Adds what was found out about the last incident of a host, or of a service on it. A store that does not answer keeps
/// no page back.
fn explain(web: &Web, host: &Name, service: Option<&Name>, shown: &mut SeenNow) {
    let query = IncidentQuery {
        host: Some(host.clone()),
        service: service.cloned(),
        limit: 1,
        ..IncidentQuery::default()
    };
    let now = clock::wall();
    match web.store.incidents(&query) {
        Ok(page) => {
            let Some(read) = page.items.first() else {
                return;
            };
            shown.pairs.extend(found(&read.incident, now));
            let again = service
                .and_then(|service| runs_again(&web.board, host, service, &read.incident, now));
            shown.first = shown.first.take().or(again);
        }
        Err(error) => shown.pairs.push((
            "Last incident".to_owned(),
            format!("cannot be read: {error}"),
        )),
    }
}

/// `GET /runbooks/style.css`
pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

fn page(html: String) -> Response {
    let mut response = Html(html).into_response();
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    response
}

/// Files are read on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        Problem::unavailable(
            "The page could not be made; that is a fault of svcwatch itself.".to_owned(),
        )
    })
}
