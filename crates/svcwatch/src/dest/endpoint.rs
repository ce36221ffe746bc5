//! Where HTTP requests of a destination go: an address with what is sent along each time.

use crate::{
    dest::{
        Problem, is_loopback,
        redact::Redactor,
        webhook::{Method, parse_header, parse_url},
    },
    secret::Secret,
};

/// Headers of one destination, at most.
pub const HEADERS_MAX: usize = 32;
/// The name of the only endpoint, or of the one for everything that has none of its own.
pub const USUAL: &str = "";
/// The name of the endpoint for messages that something is over.
pub const RESOLVED: &str = "resolved";

/// One address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What a stored message calls it: never the address, which may be a secret.
    pub name: String,
    /// Where the request goes.
    pub url: Secret,
    /// How.
    pub method: Method,
    /// Headers besides our own, each a name and a value.
    pub headers: Vec<(String, Secret)>,
    /// The key of the signature; none where requests are not signed.
    pub secret: Option<Secret>,
    /// Whether the certificate of who answers is checked.
    pub verify: bool,
}

impl Endpoint {
    /// An address that is posted to.
    pub fn new(name: impl Into<String>, url: Secret) -> Self {
        Self {
            name: name.into(),
            url,
            method: Method::Post,
            headers: Vec::new(),
            secret: None,
            verify: true,
        }
    }

    /// Adds the texts that must not be told.
    pub fn hide(&self, redactor: &mut Redactor) {
        if let Ok(url) = parse_url(&self.url) {
            redactor.add_url(&url);
        }
        for (_, value) in &self.headers {
            redactor.add_header(value.reveal());
        }
        if let Some(secret) = &self.secret {
            redactor.add(secret.reveal());
        }
    }
}

/// Where a destination posts: the usual address, and one of its own for messages that something is over, where there is
/// one.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// For everything that has no address of its own.
    pub usual: &'a Secret,
    /// For messages that something is over.
    pub resolved: Option<&'a Secret>,
}

impl Addresses<'_> {
    /// What is wrong with them.
    pub fn check(self) -> Vec<Problem> {
        let usual = check_url("url", self.usual);
        let resolved = self.resolved.and_then(|url| check_url("resolved.url", url));
        usual.into_iter().chain(resolved).collect()
    }

    /// What is allowed but worth a warning.
    pub fn warnings(self) -> Vec<Problem> {
        warn_url("url", self.usual).into_iter().collect()
    }

    /// Where requests go.
    pub fn endpoints(self) -> Vec<Endpoint> {
        let usual = Endpoint::new(USUAL, self.usual.clone());
        let resolved = self.resolved.cloned();
        let resolved = resolved.map(|url| Endpoint::new(RESOLVED, url));
        std::iter::once(usual).chain(resolved).collect()
    }
}

/// What is wrong with an address, under this key.
pub fn check_url(key: &'static str, url: &Secret) -> Option<Problem> {
    parse_url(url).err().map(|text| Problem::new(key, text))
}

/// What is wrong with headers.
pub fn check_headers(headers: &[(String, Secret)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    if headers.len() > HEADERS_MAX {
        let text = format!("has {} headers; {HEADERS_MAX} are allowed", headers.len());
        problems.push(Problem::new("headers", text));
    }
    for (name, value) in headers {
        if let Err(text) = parse_header(name, value) {
            problems.push(Problem::new("headers", text));
        }
    }
    problems
}

/// The warning for an address whose messages others can read.
pub fn warn_url(key: &'static str, url: &Secret) -> Option<Problem> {
    let url = parse_url(url).ok()?;
    (url.scheme() == "http" && !url.host_str().is_some_and(is_loopback)).then(|| {
        Problem::new(
            key,
            "is not https, so others on the way can read the messages and headers",
        )
    })
}

/// The texts of all addresses that must not be told.
pub fn redactor(endpoints: &[Endpoint]) -> Redactor {
    let mut redactor = Redactor::default();
    for endpoint in endpoints {
        endpoint.hide(&mut redactor);
    }
    redactor
}
