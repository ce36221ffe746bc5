//! `type: webhook`: an HTTP request a notice, with the JSON body of version 1, or as Butler sends it.

use crate::{
    dest::{
        Context, Problem, TIMEOUT, body, butler,
        endpoint::{self, Endpoint, USUAL},
        judge::{self, HttpReply, Judgement},
        payload::{Form, Outgoing},
        redact::Redactor,
        wording::{Drawn, Wording},
    },
    secret::Secret,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{
    Url,
    header::{HeaderName, HeaderValue},
};
use sha2::Sha256;
use std::{path::PathBuf, time::Duration};
use svcwatch_core::{
    id::DeliveryKey,
    notice::Notice,
    time::{Span, Wall},
};

/// The media type of the body.
const CONTENT_TYPE: &str = "application/json";
/// Headers that are svcwatch's own or that only the connection may set.
const RESERVED: [&str; 9] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "expect",
    "upgrade",
    "idempotency-key",
    "x-svcwatch-signature",
];

/// How the request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// `POST` with the body.
    #[default]
    Post,
    /// `PUT` with the body.
    Put,
    /// `GET` without a body: the flat fields stand in the query.
    Get,
}

impl Method {
    /// Every method, in the order in which the configuration names them.
    pub const ALL: &'static [Self] = &[Self::Post, Self::Put, Self::Get];

    /// Its word in the configuration and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Get => "GET",
        }
    }

    /// The method of a word, whatever its case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|method| method.as_str().eq_ignore_ascii_case(word))
    }
}

/// Whose body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// Our own, version 1.
    #[default]
    Svcwatch,
    /// Butler's: its fields in its order.
    Butler,
}

/// The settings of a `webhook` destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the request goes. Many services put their token into it, so all but scheme, host and port is a secret.
    pub url: Secret,
    /// How.
    pub method: Method,
    /// What is sent.
    pub body: Body,
    /// Headers besides our own, each a name and a value.
    pub headers: Vec<(String, Secret)>,
    /// The key of the signature; none where the request is not signed.
    pub secret: Option<Secret>,
    /// Templates and links.
    pub wording: Wording,
    /// A file of certificates (PEM) that are trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// Whether the receiver's certificate is checked.
    pub verify: bool,
    /// How long all of it may take.
    pub timeout: Duration,
}

impl Settings {
    /// A plain `POST` to a URL.
    pub fn new(url: impl Into<Secret>) -> Self {
        Self {
            url: url.into(),
            method: Method::default(),
            body: Body::default(),
            headers: Vec::new(),
            secret: None,
            wording: Wording::default(),
            ca: None,
            verify: true,
            timeout: TIMEOUT,
        }
    }

    /// What is wrong with them.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            endpoint::check_url("url", &self.url).into_iter().collect();
        problems.extend(endpoint::check_headers(&self.headers));
        if self.secret.as_ref().is_some_and(Secret::is_empty) {
            problems.push(Problem::new(
                "secret",
                "is empty; give it a text, or leave the key out",
            ));
        }
        problems
    }

    /// What is allowed but worth a warning.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = endpoint::warn_url("url", &self.url).into_iter().collect();
        if !self.verify {
            problems.push(Problem::new(
                "verify",
                "is false, so anybody on the way can pretend to be the receiver; name its authority under ca instead",
            ));
        }
        problems
    }

    /// Where requests go.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let mut endpoint = Endpoint::new(USUAL, self.url.clone());
        endpoint.method = self.method;
        endpoint.verify = self.verify;
        endpoint.headers.clone_from(&self.headers);
        endpoint.secret.clone_from(&self.secret);
        vec![endpoint]
    }

    /// The request of a notice.
    pub fn render(
        &self,
        key: &DeliveryKey,
        notice: &Notice,
        context: &Context,
        drawn: &Drawn,
        lines: usize,
    ) -> Result<Outgoing, String> {
        if self.method == Method::Get {
            let query = match self.body {
                Body::Svcwatch => body::query(key, notice, context),
                Body::Butler => butler::query(notice),
            };
            return Ok(Outgoing::new(Form::HttpQuery, query.into_bytes()));
        }
        let json = match (&drawn.message, self.body) {
            (Some(filled), _) => filled.text.clone().into_bytes(),
            (None, Body::Svcwatch) => body::json(key, notice, context, lines)?,
            (None, Body::Butler) => butler::json(notice),
        };
        let mut outgoing = Outgoing::new(Form::HttpBody, json);
        outgoing.content_type = Some(CONTENT_TYPE.to_owned());
        Ok(outgoing)
    }

    /// What a reply means.
    pub fn judge(reply: &HttpReply, now: Wall, redactor: &Redactor) -> Judgement {
        judge::http(reply, now, redactor)
    }
}

/// The URL, or what is wrong with it, said without it.
pub fn parse_url(url: &Secret) -> Result<Url, String> {
    let url = Url::parse(url.reveal())
        .map_err(|error| format!("is no URL ({error}); write https://host/path"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "begins with {}; only https and http are possible",
            url.scheme()
        ));
    }
    if url.fragment().is_some() {
        return Err("has a part after #, which is never sent; take it away".to_owned());
    }
    Ok(url)
}

/// Where a URL leads, without what may be secret in it: scheme, host and port.
pub fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

/// A header, or what is wrong with it, said without its value.
pub fn parse_header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("{name:?} is no name of a header"))?;
    if RESERVED.contains(&header.as_str()) {
        return Err(format!("{header} is set by svcwatch itself; take it away"));
    }
    let mut value = HeaderValue::from_str(value.reveal())
        .map_err(|_| format!("the value of {header} holds line ends or control characters"))?;
    value.set_sensitive(true);
    Ok((header, value))
}

/// The value of `X-Svcwatch-Signature`: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.signed">` (RFC 2104).
/// `signed` is the body, or for a `GET` the whole query as it is sent.
pub fn signature(secret: &Secret, now: Wall, signed: &[u8]) -> String {
    let seconds = Span(now.0.max(0).unsigned_abs()).0 / 1_000;
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else {
        // HMAC takes keys of every length, so this is never reached; an empty signature would be refused anyway.
        return format!("t={seconds},v1=");
    };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(signed);
    let mut hex = String::with_capacity(64);
    for byte in mac.finalize().into_bytes() {
        for nibble in [byte >> 4, byte & 0x0f] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    format!("t={seconds},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_of_time_and_body() {
        // printf '1710331500.{"a":1}' | openssl dgst -sha256 -hmac whisper
        assert_eq!(
            signature(
                &Secret::from("whisper"),
                Wall(1_710_331_500_999),
                b"{\"a\":1}"
            ),
            "t=1710331500,v1=1632028ce6c69206b0a6ef2811a478e8b13ee849e4f0c75260e3b72f695e31ad"
        );
    }

    #[test]
    fn a_place_is_scheme_host_and_port() {
        for (url, expected) in [
            ("https://u:p@chat.example/T0/B0?x=y", "https://chat.example"),
            ("http://[::1]:8080/in", "http://[::1]:8080"),
        ] {
            assert_eq!(place(&Url::parse(url).expect("a URL")), expected);
        }
    }

    #[test]
    fn bad_settings_are_named_without_their_secrets() {
        let mut settings = Settings::new("ftp://canary@host/canary");
        settings.headers = vec![
            ("X Y".to_owned(), Secret::from("canary")),
            ("Host".to_owned(), Secret::from("canary")),
            ("X-Token".to_owned(), Secret::from("canary\r\nX: y")),
        ];
        settings.secret = Some(Secret::default());
        let problems = settings.check();
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(!format!("{problems:?}{settings:?}").contains("canary"));
        assert!(Settings::new("https://chat.example/in").check().is_empty());
    }

    #[test]
    fn plain_http_is_warned_of_except_to_this_machine() {
        let warns = |url: &str| !Settings::new(url).warnings().is_empty();
        assert!(warns("http://chat.example/in"));
        assert!(!warns("https://chat.example/in"));
        assert!(!warns("http://127.0.0.1:8080/in"));
        assert!(!warns("http://[::1]/in"));
        assert!(!warns("http://localhost/in"));
    }
}
