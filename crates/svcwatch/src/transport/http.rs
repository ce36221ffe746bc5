//! HTTP requests: one request, no redirects, no cookies, no decompression, within a total deadline.

use crate::{
    dest::{
        endpoint::{Endpoint, RESOLVED, USUAL},
        is_loopback,
        judge::{HttpReply, too_late},
        payload::{Form, Outgoing},
        webhook::{self, Method, place},
    },
    secret::Secret,
    transport::tls::{self, Roots, TlsError},
};
use reqwest::{
    Client, Response, Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use std::{collections::BTreeMap, error::Error as _, path::Path, time::Duration};
use svcwatch_core::{id::DeliveryKey, limits, time::Wall};
use tokio::time::Instant;

/// Bytes of a reply's body that are read, at most.
pub const BODY_BYTES_MAX: usize = 65_536;
/// How long the body of a success is waited for: its status says already that the message arrived.
const BODY_WAIT: Duration = Duration::from_secs(2);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(20);
/// How svcwatch calls itself.
const USER_AGENT: &str = concat!("svcwatch/", env!("CARGO_PKG_VERSION"));

/// Settings that no client can be made of.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The URL or a header is wrong.
    #[error("{0}")]
    Settings(String),
    /// The encryption cannot be set up, mostly because of the `ca` file.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client could not be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}

/// What sends the requests of one destination.
pub struct Http {
    targets: BTreeMap<String, Target>,
    timeout: Duration,
}

/// One address, ready to be asked.
struct Target {
    client: Client,
    method: Method,
    url: Url,
    headers: HeaderMap,
    secret: Option<Secret>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places = self
            .targets
            .iter()
            .map(|(name, target)| (name, place(&target.url)));
        formatter.debug_map().entries(places).finish()
    }
}

impl Http {
    /// What sends to these addresses.
    pub fn new(
        endpoints: &[Endpoint],
        ca: Option<&Path>,
        timeout: Duration,
        roots: &Roots,
    ) -> Result<Self, HttpError> {
        // Connections and keys are shared by all addresses; a proxy could not reach this machine's own.
        let mut clients: BTreeMap<(bool, bool), Client> = BTreeMap::new();
        let mut targets = BTreeMap::new();
        for endpoint in endpoints {
            let url = webhook::parse_url(&endpoint.url)
                .map_err(|text| HttpError::Settings(format!("url {text}")))?;
            let here = url.host_str().is_some_and(is_loopback);
            let kind = (here, endpoint.verify);
            let client = match clients.get(&kind) {
                Some(client) => client.clone(),
                None => client(ca, kind, roots)?,
            };
            clients.insert(kind, client.clone());
            let mut headers = HeaderMap::new();
            for (name, value) in &endpoint.headers {
                let (name, value) =
                    webhook::parse_header(name, value).map_err(HttpError::Settings)?;
                headers.append(name, value);
            }
            let target = Target {
                client,
                method: endpoint.method,
                url,
                headers,
                secret: endpoint.secret.clone(),
            };
            targets.insert(endpoint.name.clone(), target);
        }
        Ok(Self { targets, timeout })
    }

    /// Sends a message; none where the address that it was made for is not in the configuration any more. The
    /// signature, if any, bears the time `now`.
    pub async fn send(
        &self,
        outgoing: &Outgoing,
        key: &DeliveryKey,
        now: Wall,
    ) -> Option<HttpReply> {
        let name = outgoing.endpoint.as_deref().unwrap_or(USUAL);
        let target = match self.targets.get(name) {
            None if name == RESOLVED => self.targets.get(USUAL)?,
            target => target?,
        };
        Some(
            exchange(
                target.request(outgoing, key, now),
                &target.url,
                self.timeout,
            )
            .await,
        )
    }

    /// Asks each server for nothing, to see whether name, route, encryption and proxy work. The path, which may be a
    /// secret, is left out, and whatever is answered is good.
    pub async fn check(&self) -> Result<String, String> {
        let mut roots: BTreeMap<String, (&Target, Url)> = BTreeMap::new();
        for target in self.targets.values() {
            let mut root = target.url.clone();
            root.set_path("/");
            root.set_query(None);
            roots.insert(place(&root), (target, root));
        }
        let mut answers = Vec::new();
        for (place, (target, root)) in roots {
            let request = target.client.head(root.clone());
            match exchange(request, &root, self.timeout).await {
                HttpReply::Answer { status, .. } => {
                    answers.push(format!("{place} answers (HTTP {status})"));
                }
                HttpReply::Failed(error) => return Err(error),
            }
        }
        Ok(answers.join("; "))
    }
}

/// A client that follows nothing and remembers nothing.
pub(super) fn client(
    ca: Option<&Path>,
    (here, verify): (bool, bool),
    roots: &Roots,
) -> Result<Client, HttpError> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(roots.client(ca, verify)?)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(USER_AGENT)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(limits::DELIVERIES_PER_RECIPIENT_MAX);
    if here {
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|error| HttpError::Client(error.without_url().to_string()))
}

impl Target {
    fn request(
        &self,
        outgoing: &Outgoing,
        key: &DeliveryKey,
        now: Wall,
    ) -> reqwest::RequestBuilder {
        let mut url = self.url.clone();
        let mut request = match (self.method, outgoing.form) {
            (_, Form::HttpQuery) => {
                let flat = String::from_utf8_lossy(&outgoing.bytes);
                let query = match url.query() {
                    Some(own) if !own.is_empty() => format!("{own}&{flat}"),
                    Some(_) | None => flat.into_owned(),
                };
                url.set_query(Some(&query));
                self.client.get(url.clone())
            }
            // A body that was rendered before the method was changed to GET still needs a request with a body.
            (Method::Put, _) => self.client.put(url.clone()),
            (Method::Post | Method::Get, _) => self.client.post(url.clone()),
        };
        request = request.headers(self.headers.clone());
        if let Ok(value) = HeaderValue::from_str(key.as_str()) {
            request = request.header(HeaderName::from_static("idempotency-key"), value);
        }
        let signed = match outgoing.form {
            Form::HttpQuery => url.query().unwrap_or_default().as_bytes(),
            Form::HttpBody | Form::Line | Form::Mail | Form::Publish => &outgoing.bytes,
        };
        if let Some(secret) = &self.secret {
            let signature = webhook::signature(secret, now, signed);
            request = request.header(HeaderName::from_static("x-svcwatch-signature"), signature);
        }
        if outgoing.form != Form::HttpQuery {
            let kind = outgoing
                .content_type
                .as_deref()
                .unwrap_or("application/json");
            request = request
                .header(header::CONTENT_TYPE, kind)
                .body(outgoing.bytes.clone());
        }
        request
    }
}

/// Sends a request and reads what is needed of its answer, all of it within the deadline.
pub(super) async fn exchange(
    request: reqwest::RequestBuilder,
    url: &Url,
    timeout: Duration,
) -> HttpReply {
    let deadline = Instant::now() + timeout;
    match tokio::time::timeout_at(deadline, request.send()).await {
        Ok(Ok(response)) => answer(response, deadline).await,
        Ok(Err(error)) => HttpReply::Failed(format!("{}: {}", place(url), words(error))),
        Err(_) => HttpReply::Failed(format!("{}: {}", place(url), too_late(timeout))),
    }
}

/// Reads what is needed of an answer. A body that is late, endless or breaks off does not change what the status says.
async fn answer(mut response: Response, deadline: Instant) -> HttpReply {
    let status = response.status();
    let text = |name: HeaderName| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let retry_after = text(header::RETRY_AFTER);
    let location = text(header::LOCATION);
    let deadline = deadline.min(Instant::now() + BODY_WAIT);
    let mut body = Vec::new();
    while body.len() < BODY_BYTES_MAX {
        match tokio::time::timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let room = BODY_BYTES_MAX - body.len();
                body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            }
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    HttpReply::Answer {
        status: status.as_u16(),
        retry_after,
        location,
        body,
    }
}

/// What went wrong, in words and without the URL.
pub(super) fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    if let Some(fault) = tls::find(&error) {
        return tls::describe(fault);
    }
    let mut deepest = error.to_string();
    let mut source = error.source();
    for _ in 0..16 {
        let Some(current) = source else { break };
        deepest = current.to_string();
        source = current.source();
    }
    if error.is_dns() {
        format!("its name has no address: {deepest}")
    } else if error.is_connect() {
        format!("cannot be reached: {deepest}")
    } else {
        format!("the answer broke off or makes no sense: {deepest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_shows_no_secret() {
        let url = Secret::from("https://canary:canary@chat.example/canary?canary");
        let mut endpoint = Endpoint::new(USUAL, url);
        endpoint.headers = vec![("X-Token".to_owned(), Secret::from("canary"))];
        endpoint.secret = Some(Secret::from("canary"));
        let http = Http::new(&[endpoint], None, Duration::from_secs(1), &Roots::load());
        let http = http.expect("good settings");
        assert!(!format!("{http:?}").contains("canary"));
    }
}
