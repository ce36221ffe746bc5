//! Writes to InfluxDB: line protocol, compressed, to the path of its version.

use crate::{
    dest::{
        self,
        judge::HttpReply,
        redact::Redactor,
        webhook::{self, place},
    },
    feed::influxdb::{Retention, Settings, Version, judge},
    secret::Secret,
    transport::{
        http::{self, HttpError},
        tls::Roots,
    },
};
use flate2::{Compression, write::GzEncoder};
use reqwest::{
    Client, RequestBuilder, Url,
    header::{self, HeaderValue},
};
use std::{
    io::Write as _,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};
use svcwatch_core::time::Wall;

/// A client for one InfluxDB.
pub struct Influx {
    client: Client,
    base: Url,
    version: Version,
    database: String,
    retention_policy: String,
    retention: Option<Retention>,
    org: String,
    bucket: String,
    token: Option<Secret>,
    logon: Option<(Secret, Secret)>,
    timeout: Duration,
    /// Whether it was looked whether the database is there (InfluxDB 1).
    prepared: AtomicBool,
    /// Whether InfluxDB 3 takes writes only on the path of InfluxDB 2, as its hosted kinds do.
    on_older_path: AtomicBool,
    /// Lines that it takes at once, as far as is known.
    most: AtomicUsize,
}

impl std::fmt::Debug for Influx {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Influx")
            .field("place", &place(&self.base))
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Influx {
    /// A client for these settings. Nothing is sent, but the `ca` file is read.
    pub fn new(settings: &Settings, roots: &Roots) -> Result<Self, HttpError> {
        let base = webhook::parse_url(&settings.url)
            .map_err(|text| HttpError::Settings(format!("url {text}")))?;
        let here = base.host_str().is_some_and(dest::is_loopback);
        let client = http::client(settings.ca.as_deref(), (here, true), roots)?;
        Ok(Self {
            client,
            base,
            version: settings.version,
            database: settings.database.clone().unwrap_or_default(),
            retention_policy: settings.retention_policy.clone().unwrap_or_default(),
            retention: settings.retention.clone(),
            org: settings.org.clone().unwrap_or_default(),
            bucket: settings.bucket.clone().unwrap_or_default(),
            token: settings.token.clone(),
            logon: settings.user.clone().zip(settings.password.clone()),
            timeout: settings.timeout,
            prepared: AtomicBool::new(false),
            on_older_path: AtomicBool::new(false),
            most: AtomicUsize::new(usize::MAX),
        })
    }

    /// Lines that it takes at once, as far as is known.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// It said that more lines than this are too many.
    pub fn at_most(&self, lines: usize) {
        self.most.fetch_min(lines.max(1), Ordering::Relaxed);
    }

    /// Writes lines.
    pub async fn write(&self, lines: String) -> HttpReply {
        let body = match tokio::task::spawn_blocking(move || compressed(&lines)).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => return HttpReply::Failed(error.to_string()),
            Err(_) => return HttpReply::Failed("compressing the lines broke off".to_owned()),
        };
        let reply = self.post(self.write_url(), body.clone()).await;
        // What only speaks the older form of writing has nothing under the newer path.
        if self.version == Version::V3
            && matches!(
                reply,
                HttpReply::Answer {
                    status: 404 | 405,
                    ..
                }
            )
            && !self.on_older_path.swap(true, Ordering::Relaxed)
        {
            let older = self.post(self.write_url(), body).await;
            if !matches!(
                older,
                HttpReply::Answer {
                    status: 200..=299,
                    ..
                }
            ) {
                self.on_older_path.store(false, Ordering::Relaxed);
            }
            return older;
        }
        reply
    }

    fn write_url(&self) -> Url {
        match self.version {
            // The words, and their order, that Butler's requests have.
            Version::V1 => self.url(
                "/write",
                &[
                    ("db", &self.database),
                    ("precision", "n"),
                    ("rp", &self.retention_policy),
                ],
            ),
            Version::V2 => self.url(
                "/api/v2/write",
                &[
                    ("org", &self.org),
                    ("bucket", &self.bucket),
                    ("precision", "ns"),
                ],
            ),
            Version::V3 if self.on_older_path.load(Ordering::Relaxed) => self.url(
                "/api/v2/write",
                &[("bucket", &self.database), ("precision", "ns")],
            ),
            Version::V3 => self.url(
                "/api/v3/write_lp",
                &[("db", &self.database), ("precision", "nanosecond")],
            ),
        }
    }

    async fn post(&self, url: Url, body: Vec<u8>) -> HttpReply {
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(header::CONTENT_ENCODING, "gzip")
            .body(body);
        self.exchange(request).await
    }

    /// Makes the database of InfluxDB 1 where it lacks, once. What is refused is not needed where somebody else made
    /// it; the writes tell. An error only where nobody answers.
    pub async fn prepare(&self, now: Wall, redactor: &Redactor) -> Result<(), String> {
        if self.version != Version::V1 || self.prepared.load(Ordering::Relaxed) {
            return Ok(());
        }
        let reply = self.ask("SHOW DATABASES", false).await;
        if let HttpReply::Failed(error) = &reply {
            return Err(redactor.answer(error));
        }
        match judge::query(&reply, now, redactor) {
            Ok(databases) if !databases.contains(&self.database) => {
                if let Err(error) = self.make_database(now, redactor).await {
                    tracing::warn!(database = %self.database, %error, "the database cannot be made in InfluxDB");
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(database = %self.database, %error, "InfluxDB does not tell its databases");
            }
        }
        self.prepared.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Makes what a write said is not there, where this version can.
    pub async fn make_what_lacks(
        &self,
        reason: &str,
        now: Wall,
        redactor: &Redactor,
    ) -> Result<(), String> {
        if self.version != Version::V1 {
            return Err(reason.to_owned());
        }
        if reason.contains("retention policy not found") {
            let policy = &self.retention_policy;
            return match &self.retention {
                Some(retention) if policy.is_empty() || retention.name == *policy => {
                    self.make_policy(retention, now, redactor).await
                }
                Some(_) | None => Err(format!(
                    "{reason}; make it, or write retention with its name and duration"
                )),
            };
        }
        let made = self.make_database(now, redactor).await;
        made.map_err(|error| format!("{reason}; and it cannot be made: {error}"))
    }

    async fn make_database(&self, now: Wall, redactor: &Redactor) -> Result<(), String> {
        let create = format!("CREATE DATABASE {}", quoted(&self.database));
        judge::query(&self.ask(&create, true).await, now, redactor)?;
        tracing::info!(database = %self.database, "the database was made in InfluxDB");
        if let Some(retention) = &self.retention
            && let Err(error) = self.make_policy(retention, now, redactor).await
        {
            tracing::warn!(database = %self.database, %error, "the retention policy cannot be made in InfluxDB");
        }
        Ok(())
    }

    async fn make_policy(
        &self,
        retention: &Retention,
        now: Wall,
        redactor: &Redactor,
    ) -> Result<(), String> {
        let create = format!(
            "CREATE RETENTION POLICY {} ON {} DURATION {} REPLICATION 1 DEFAULT",
            quoted(&retention.name),
            quoted(&self.database),
            retention.duration
        );
        judge::query(&self.ask(&create, true).await, now, redactor).map(drop)
    }

    /// Asks whether it answers, and whether it takes our logon, without writing.
    pub async fn check(&self, now: Wall, redactor: &Redactor) -> Result<String, String> {
        let reply = self.exchange(self.client.get(self.url("/ping", &[]))).await;
        let HttpReply::Answer { status, .. } = reply else {
            return Err(judged(&reply, now, redactor));
        };
        if !(200..=299).contains(&status) {
            return Err(judged(&reply, now, redactor));
        }
        let looked = match self.version {
            Version::V1 => judge::query(&self.ask("SHOW DATABASES", false).await, now, redactor)
                .map(|databases| {
                    if databases.contains(&self.database) {
                        format!("the database {} is there", self.database)
                    } else {
                        format!(
                            "the database {} is not there and will be made",
                            self.database
                        )
                    }
                })?,
            Version::V2 => {
                let buckets = self.url(
                    "/api/v2/buckets",
                    &[("name", &self.bucket), ("org", &self.org)],
                );
                let reply = self.exchange(self.client.get(buckets)).await;
                if matches!(reply, HttpReply::Answer { status: 401, .. }) {
                    return Err(judged(&reply, now, redactor));
                }
                format!(
                    "the token is known; whether it may write to {} a test tells",
                    self.bucket
                )
            }
            Version::V3 => format!(
                "whether the token may write to {} a test tells",
                self.database
            ),
        };
        Ok(format!(
            "{} answers (HTTP {status}); {looked}",
            place(&self.base)
        ))
    }

    async fn ask(&self, question: &str, changes: bool) -> HttpReply {
        let url = self.url("/query", &[("q", question)]);
        let request = if changes {
            self.client.post(url)
        } else {
            self.client.get(url)
        };
        self.exchange(request).await
    }

    async fn exchange(&self, request: RequestBuilder) -> HttpReply {
        let request = match (&self.token, &self.logon, self.version) {
            (Some(token), _, Version::V3) => with_token(request, "Bearer", token),
            (Some(token), _, Version::V1 | Version::V2) => with_token(request, "Token", token),
            (None, Some((user, password)), _) => {
                request.basic_auth(user.reveal(), Some(password.reveal()))
            }
            (None, None, _) => request,
        };
        http::exchange(request, &self.base, self.timeout).await
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

fn judged(reply: &HttpReply, now: Wall, redactor: &Redactor) -> String {
    dest::judge::http(reply, now, redactor).answer
}

fn with_token(request: RequestBuilder, scheme: &str, token: &Secret) -> RequestBuilder {
    match HeaderValue::from_str(&format!("{scheme} {}", token.reveal())) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(header::AUTHORIZATION, value)
        }
        // A token with line ends is none; without it the answer says what lacks.
        Err(_) => request,
    }
}

/// A name in InfluxQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

fn compressed(lines: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(lines.as_bytes())?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_where_the_version_takes_them() {
        let url = |version, base: &str| {
            let mut settings = Settings::new(base, version);
            settings.database = Some("but ler".to_owned());
            settings.org = Some("o&1".to_owned());
            settings.bucket = Some("b".to_owned());
            let influx = Influx::new(&settings, &Roots::load()).expect("good settings");
            influx.write_url().to_string()
        };
        let cases = [
            (
                Version::V1,
                "http://h:8086",
                "http://h:8086/write?db=but+ler&precision=n&rp=",
            ),
            (
                Version::V2,
                "http://h:8086/",
                "http://h:8086/api/v2/write?org=o%261&bucket=b&precision=ns",
            ),
            (
                Version::V3,
                "https://h/proxy/",
                "https://h/proxy/api/v3/write_lp?db=but+ler&precision=nanosecond",
            ),
        ];
        for (version, base, expected) in cases {
            assert_eq!(url(version, base), expected);
        }
        assert_eq!(quoted("a\"b\\c"), r#""a\"b\\c""#);
    }
}
