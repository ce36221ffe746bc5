//! The other side of the API, for the command line: `incidents`, `history`, `ack`, `silence` and `explain`.

use super::{
    items::{AckBody, Explanation, HistoryItem, HostItem, IncidentItem, List, ServiceItem},
    problem::ProblemBody,
    silences::{EndBody, SilenceBody, SilenceItem},
};
use crate::{
    secret::Secret,
    transport::tls::{TlsError, read_ca},
};
use reqwest::{Method, StatusCode, Url, header, redirect::Policy};
use serde::de::DeserializeOwned;
use std::{path::Path, time::Duration};

/// How long an answer may take: longer than the API lets one take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why the API did not answer as was wished.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error(
        "{given:?} is no address of svcwatch's API ({why}); give one like http://127.0.0.1:7467 with --api"
    )]
    NotAnAddress {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing answers there.
    #[error(
        "no svcwatch answers at {url}: {why}; see that `svcwatch run` is up, or give its address with --api"
    )]
    NoAnswer {
        /// The address.
        url: String,
        /// What happened.
        why: String,
    },
    /// It answered that it cannot or will not.
    #[error("svcwatch at {url} says: {sentence}")]
    Refused {
        /// The address.
        url: String,
        /// The status of the answer.
        status: u16,
        /// Its sentence.
        sentence: String,
    },
    /// It answered something else than svcwatch would.
    #[error(
        "what answers at {url} is not this svcwatch's API ({why}); give the right address with --api"
    )]
    NotOurs {
        /// The address.
        url: String,
        /// What was strange.
        why: String,
    },
    /// The authority to be trusted cannot be.
    #[error("--ca: {0}")]
    Authority(TlsError),
    /// The client could not be made.
    #[error("the HTTP client cannot be made: {0}")]
    NoClient(reqwest::Error),
}

/// A connection to the API of a svcwatch that runs.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    http: reqwest::Client,
    login: Option<(String, Secret)>,
}

impl Client {
    /// A client of the API at this address, such as `http://127.0.0.1:7467`.
    pub fn new(address: &str) -> Result<Self, ClientError> {
        Self::trusting(address, None)
    }

    /// The same, which trusts the authority in this file beside those of the system.
    pub fn trusting(address: &str, ca: Option<&Path>) -> Result<Self, ClientError> {
        let not_an_address = |why: &str| ClientError::NotAnAddress {
            given: address.to_owned(),
            why: why.to_owned(),
        };
        let base = Url::parse(address).map_err(|error| not_an_address(&error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(not_an_address(
                "it begins neither with http:// nor with https://",
            ));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(ClientError::NotAnAddress {
                // The password must not be repeated.
                given: base.host_str().unwrap_or_default().to_owned(),
                why: "a user and a password have no place in it".to_owned(),
            });
        }
        Ok(Self {
            http: http_client(&base, ca)?,
            base,
            login: None,
        })
    }

    /// From now on as this user.
    #[must_use]
    pub fn with_login(self, user: &str, password: Secret) -> Self {
        Self {
            login: Some((user.to_owned(), password)),
            ..self
        }
    }

    /// Incidents, the newest first; `filters` are those of `/api/v1/incidents`.
    pub async fn incidents(
        &self,
        filters: &[(&str, &str)],
    ) -> Result<List<IncidentItem>, ClientError> {
        self.get("api/v1/incidents", filters).await
    }

    /// Lines of history, the newest first; `filters` are those of `/api/v1/history`.
    pub async fn history(
        &self,
        filters: &[(&str, &str)],
    ) -> Result<List<HistoryItem>, ClientError> {
        self.get("api/v1/history", filters).await
    }

    /// Hosts by their names; `filters` are those of `/api/v1/hosts`.
    pub async fn hosts(&self, filters: &[(&str, &str)]) -> Result<List<HostItem>, ClientError> {
        self.get("api/v1/hosts", filters).await
    }

    /// Services by their hosts and names; `filters` are those of `/api/v1/services`.
    pub async fn services(
        &self,
        filters: &[(&str, &str)],
    ) -> Result<List<ServiceItem>, ClientError> {
        self.get("api/v1/services", filters).await
    }

    /// Why a host or service is told or not.
    pub async fn explain(
        &self,
        host: &str,
        service: Option<&str>,
    ) -> Result<Explanation, ClientError> {
        let mut filters = vec![("host", host)];
        filters.extend(service.map(|service| ("service", service)));
        self.get("api/v1/explain", &filters).await
    }

    /// Takes note of an incident.
    pub async fn acknowledge(
        &self,
        id: &str,
        by: &str,
        note: &str,
    ) -> Result<IncidentItem, ClientError> {
        let mut url = self.url("api/v1/incidents", &[]);
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend([id, "ack"]);
        }
        let body = AckBody {
            by: by.to_owned(),
            note: note.to_owned(),
        };
        let body = serde_json::to_vec(&body).map_err(|error| self.not_ours(error.to_string()))?;
        self.send(Method::POST, url, Some(body)).await
    }

    /// Silences that are not over; `filters` are those of `/api/v1/silences`.
    pub async fn silences(
        &self,
        filters: &[(&str, &str)],
    ) -> Result<List<SilenceItem>, ClientError> {
        self.get("api/v1/silences", filters).await
    }

    /// Silences something for a while.
    pub async fn silence(&self, body: &SilenceBody) -> Result<SilenceItem, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.not_ours(error.to_string()))?;
        let url = self.url("api/v1/silences", &[]);
        self.send(Method::POST, url, Some(body)).await
    }

    /// Ends a silence before its time.
    pub async fn end_silence(&self, id: &str, by: &str) -> Result<SilenceItem, ClientError> {
        let mut url = self.url("api/v1/silences", &[]);
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(id);
        }
        let body = EndBody { by: by.to_owned() };
        let body = serde_json::to_vec(&body).map_err(|error| self.not_ours(error.to_string()))?;
        self.send(Method::DELETE, url, Some(body)).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        self.send(Method::GET, self.url(path, filters), None).await
    }

    fn url(&self, path: &str, filters: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        url.set_query(None);
        url.set_fragment(None);
        if !filters.is_empty() {
            url.query_pairs_mut().extend_pairs(filters);
        }
        url
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
    ) -> Result<T, ClientError> {
        let mut request = self.http.request(method, url);
        if let Some((user, password)) = &self.login {
            request = request.basic_auth(user, Some(password.reveal()));
        }
        if let Some(body) = body {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body);
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.no_answer(&error))?;
        let status = response.status();
        let body = self.body(response).await?;
        if status == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(|error| self.not_ours(error.to_string()));
        }
        match serde_json::from_slice::<ProblemBody>(&body) {
            Ok(problem) => Err(ClientError::Refused {
                url: self.base.to_string(),
                status: status.as_u16(),
                sentence: if status == StatusCode::UNAUTHORIZED {
                    format!(
                        "{} Give both with --user and --password-file.",
                        problem.detail
                    )
                } else {
                    problem.detail
                },
            }),
            Err(_) => Err(self.not_ours(format!("status {}", status.as_u16()))),
        }
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(piece) = response
            .chunk()
            .await
            .map_err(|error| self.no_answer(&error))?
        {
            body.extend_from_slice(&piece);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(self.not_ours(format!("more than {ANSWER_BYTES_MAX} bytes")));
            }
        }
        Ok(body)
    }

    fn no_answer(&self, error: &reqwest::Error) -> ClientError {
        // The innermost reason is the one that people can do something about.
        let mut why: &dyn std::error::Error = error;
        while let Some(deeper) = why.source() {
            why = deeper;
        }
        let why = if error.is_timeout() {
            "it took too long".to_owned()
        } else {
            why.to_string()
        };
        ClientError::NoAnswer {
            url: self.base.to_string(),
            why,
        }
    }

    fn not_ours(&self, why: String) -> ClientError {
        ClientError::NotOurs {
            url: self.base.to_string(),
            why,
        }
    }
}

fn http_client(base: &Url, ca: Option<&Path>) -> Result<reqwest::Client, ClientError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have set it meanwhile, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let mut builder = reqwest::Client::builder()
        .timeout(ANSWER_WITHIN)
        .connect_timeout(CONNECT_WITHIN)
        .redirect(Policy::none());
    let host = base.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let local = bare == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if local {
        // A proxy cannot reach what is on this machine.
        builder = builder.no_proxy();
    }
    if let Some(path) = ca {
        let authorities = read_ca(path).map_err(ClientError::Authority)?;
        let authorities = authorities
            .iter()
            .filter_map(|one| reqwest::Certificate::from_der(one).ok());
        builder = builder.tls_certs_merge(authorities);
    }
    builder.build().map_err(ClientError::NoClient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_said_so() {
        for (given, word) in [
            ("127.0.0.1:7467", "http://127.0.0.1:7467"),
            ("ftp://a", "neither with http://"),
            ("", "--api"),
        ] {
            let error = Client::new(given).unwrap_err().to_string();
            assert!(error.contains(word), "{given}: {error}");
        }
        let error = Client::new("http://u:canary@h").unwrap_err().to_string();
        assert!(
            !error.contains("canary") && error.contains("no place"),
            "{error}"
        );
    }

    #[test]
    fn paths_and_filters_are_put_behind_the_address() {
        let client = Client::new("http://h:1/sub/").unwrap();
        let url = client.url("api/v1/incidents", &[("host", "a&b"), ("limit", "5")]);
        assert_eq!(
            url.as_str(),
            "http://h:1/sub/api/v1/incidents?host=a%26b&limit=5"
        );
    }
}
