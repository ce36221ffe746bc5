//! What stands before every answer: the name under which it was asked, who may change something, how much at once,
//! how long, and the headers that keep a browser careful.

use super::{access::Access, listen::Names, problem::Problem, query::quoted};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};

/// Requests that are worked on at once, at most; more are refused. Probes of hosts and of guests that hang may take up 32
/// each, so that as many again are left for the metrics, the API and the page.
pub const REQUESTS_MAX: usize = 128;
/// How long until an answer begins, at most. It is above what the loop may take for a question.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Bytes of the body of a request, at most.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a path with its query, at most.
pub const URI_BYTES_MAX: usize = 8 * 1024;

/// What the guard knows.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    names: Arc<Names>,
    access: Arc<Access>,
    places: Arc<Semaphore>,
}

impl Guard {
    pub(super) fn new(names: Names, access: Arc<Access>) -> Self {
        Self {
            access,
            names: Arc::new(names),
            places: Arc::new(Semaphore::new(REQUESTS_MAX)),
        }
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let long = request
            .uri()
            .path_and_query()
            .is_some_and(|path| path.as_str().len() > URI_BYTES_MAX);
        if long {
            return Err(Problem::new(
                StatusCode::URI_TOO_LONG,
                format!("The address is too long; use at most {URI_BYTES_MAX} bytes."),
            ));
        }
        let host = self.host(request)?;
        if request.method().is_safe() {
            return Ok(());
        }
        same_origin(request.headers(), host)?;
        json(request.headers())
    }

    /// The name under which it was asked, where svcwatch answers to it.
    fn host<'a>(&self, request: &'a Request) -> Result<&'a str, Problem> {
        let mut given = request.headers().get_all(header::HOST).iter();
        let host = match (given.next(), given.next()) {
            (Some(host), None) => host.to_str().unwrap_or_default(),
            (None, _) | (Some(_), Some(_)) => {
                return Err(Problem::bad_request(
                    "The request must have exactly one Host header.",
                ));
            }
        };
        // A request may also name the host in its first line (RFC 9112, section 3.2.2).
        let other = request.uri().authority().map(Authority::as_str);
        for name in [Some(host), other].into_iter().flatten() {
            if !self.names.answers_to(name) {
                return Err(Problem::new(
                    StatusCode::MISDIRECTED_REQUEST,
                    format!(
                        "svcwatch does not answer to the name {}. Use {}, or set web.url in the config to the address that people use.",
                        quoted(name),
                        self.names.url()
                    ),
                ));
            }
        }
        Ok(host)
    }
}

/// A page of somebody else must not have anything done through the browser of one of our people, by whatever method.
pub(super) fn not_cross_site(headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    same_origin(headers, host.unwrap_or_default())
}

/// A page of somebody else must not change anything through the browser of one of our people.
fn same_origin(headers: &HeaderMap, host: &str) -> Result<(), Problem> {
    let foreign = || {
        Problem::new(
            StatusCode::FORBIDDEN,
            "Another site's page may not change anything here. Send the request from svcwatch's own address, or without an Origin header.",
        )
    };
    for origin in headers.get_all(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let name = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        if !name.is_some_and(|name| name.eq_ignore_ascii_case(host)) {
            return Err(foreign());
        }
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(foreign()),
    }
}

/// A form of somebody else's page cannot have this media type.
fn json(headers: &HeaderMap) -> Result<(), Problem> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if media.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The body must be JSON. Send the header Content-Type: application/json.",
    ))
}

/// Lets a request through, or says why not.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    // Who is not known is told nothing, not even under which names svcwatch answers.
    let mut response = match guard.access.admit(request.headers()).await {
        Err(answer) => answer,
        Ok(()) => match guard.check(&request) {
            Err(problem) => problem.into_response(),
            Ok(()) => within_bounds(&guard, request, next).await,
        },
    };
    careful(response.headers_mut());
    guard.access.set_headers(response.headers_mut());
    response
}

async fn within_bounds(guard: &Guard, request: Request, next: Next) -> Response {
    // Whoever asks whether svcwatch lives must not be refused because others ask much.
    let permit = if request.uri().path().starts_with("/-/") {
        None
    } else if let Ok(permit) = guard.places.try_acquire() {
        Some(permit)
    } else {
        return Problem::unavailable(format!(
            "More than {REQUESTS_MAX} requests are worked on. Try again in a moment."
        ))
        .into_response();
    };
    let head_or_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let answer = timeout(ANSWER_WITHIN, next.run(request)).await;
    drop(permit);
    answer.unwrap_or_else(|_| {
        let more = if head_or_get {
            "Ask for less, or try again later."
        } else {
            "It may still be done: look before you try again."
        };
        Problem::unavailable(format!(
            "There was no answer within {} s. {more}",
            ANSWER_WITHIN.as_secs()
        ))
        .into_response()
    })
}

/// Headers that keep a browser from guessing, framing, keeping and telling what it got.
fn careful(headers: &mut HeaderMap) {
    const CAREFUL: [(HeaderName, &str); 6] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in CAREFUL {
        // A page says for itself what it may load, which is little.
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}
