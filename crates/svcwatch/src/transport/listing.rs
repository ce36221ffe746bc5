//! Asking a service for a list of hosts: one GET, no redirects, within a deadline and a size, and nothing again that has
//! not changed.

use super::{
    http::{HttpError, client, words},
    tls::Roots,
};
use crate::dest::{
    is_loopback,
    judge::too_late,
    webhook::{parse_url, place},
};
use crate::secret::Secret;
use reqwest::{Client, Response, StatusCode, header};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What marks the version of an answer, to be asked with the next time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    tag: Option<String>,
    modified: Option<String>,
}

/// What a service said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The same as before.
    Same,
    /// This.
    New {
        /// The list.
        body: Vec<u8>,
        /// Its version.
        mark: Mark,
    },
}

/// Asks services for lists.
#[derive(Debug, Clone)]
pub struct Listing {
    /// For this machine itself, which no proxy could reach, and for all others.
    clients: [Client; 2],
    timeout: Duration,
    bytes: usize,
}

impl Listing {
    /// Asks within this time, and takes answers up to so many bytes. Reads the system's authorities.
    pub fn new(timeout: Duration, bytes: usize) -> Result<Self, HttpError> {
        let roots = Roots::load();
        let clients = [
            client(None, (true, true), &roots)?,
            client(None, (false, true), &roots)?,
        ];
        Ok(Self {
            clients,
            timeout,
            bytes,
        })
    }

    /// Asks for a list. The error says what is wrong, without the address.
    pub async fn ask(&self, url: &str, mark: &Mark) -> Result<Answer, String> {
        let url = parse_url(&Secret::new(url))?;
        let here = url.host_str().is_some_and(is_loopback);
        let [own, other] = &self.clients;
        let mut request = if here { own } else { other }
            .get(url.clone())
            .header(header::ACCEPT, "application/json");
        if let Some(tag) = &mark.tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        if let Some(modified) = &mark.modified {
            request = request.header(header::IF_MODIFIED_SINCE, modified);
        }
        let deadline = Instant::now() + self.timeout;
        let answer = async {
            let response = request.send().await.map_err(words)?;
            self.read(response).await
        };
        match timeout_at(deadline, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(too_late(self.timeout)),
        }
        .map_err(|error| format!("{}: {error}", place(&url)))
    }

    async fn read(&self, mut response: Response) -> Result<Answer, String> {
        let text = |name: header::HeaderName| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let mark = Mark {
            tag: text(header::ETAG),
            modified: text(header::LAST_MODIFIED),
        };
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return Ok(Answer::Same),
            status if status.is_redirection() => {
                return Err(format!(
                    "it answers with HTTP {} and leads elsewhere; write the address that it leads to",
                    status.as_u16()
                ));
            }
            status => return Err(format!("it answers with HTTP {}", status.as_u16())),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(words)? {
            if body.len().saturating_add(chunk.len()) > self.bytes {
                let most = self.bytes / 1024 / 1024;
                return Err(format!("its answer is larger than {most} MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer::New { body, mark })
    }
}
