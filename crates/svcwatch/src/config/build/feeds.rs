//! Destinations that take every reading, and their settings.

use std::fs;
use std::path::PathBuf;

use svcwatch_core::id::Name;

use super::Build;
use super::destinations::ca;
use super::fields::Fields;
use crate::config::settings::{
    DestinationSettings, InfluxdbSettings, MqttSettings, MqttTls, RetentionSettings, TopicSettings,
};
use crate::config::tables::{INFLUXDB, MQTT, MQTT_TLS, RETENTION, TOPICS};
use crate::config::tree::Node;
use crate::dest::{is_loopback, webhook};
use crate::feed::influxdb::is_duration;
use crate::secret::Secret;

/// The largest file of a private key that is read, in bytes.
const KEY_BYTES: u64 = 1024 * 1024;

/// Reads a destination of type `mqtt`.
pub(super) fn mqtt(build: &mut Build<'_>, node: &Node, path: &str) -> MqttSettings {
    let fields = Fields::new(Some(node), &MQTT);
    let topics = Fields::new(node.get("topics"), &TOPICS);
    let topic = |key: &str| {
        let text = topics.text(key).filter(|text| !text.is_empty());
        text.map(str::to_owned)
    };
    let topics = TopicSettings {
        stopped: topic("stopped"),
        running: topic("running"),
        status: topic("status"),
    };
    if topics.stopped.is_none() && topics.running.is_none() && topics.status.is_none() {
        build.error(
            node.get("topics").map_or(node.at, |topics| topics.at),
            &format!("{path}.topics"),
            "no topic is written, so nothing would be published",
            "write at least one of stopped, running and status",
        );
    }
    let tls = node
        .get("tls")
        .map(|tls| mqtt_tls(build, tls, &format!("{path}.tls")));
    let password = fields
        .get("password")
        .and_then(|value| build.secret(value, &format!("{path}.password"), true));
    if fields.get("password").is_some() && fields.get("user").is_none() {
        build.error(
            node.at,
            path,
            "`password` is written without `user`",
            "write both, or neither where the broker wants no logon",
        );
    }
    let readable = tls.is_none() && !fields.text("host").is_some_and(is_loopback);
    if readable && fields.get("password").is_some() {
        build.warn(
            node.at,
            path,
            "the password travels readable, because there is no `tls`",
            "write `tls: {}` and the port where the broker speaks it",
        );
    }
    let qos = fields.whole("qos").unwrap_or(1);
    if qos == 0 {
        build.warn(
            fields.get("qos").map_or(node.at, |qos| qos.at),
            &format!("{path}.qos"),
            "a message that is lost on its way is not noticed",
            "write `qos: 1`, or remove the key",
        );
    }
    MqttSettings {
        host: fields.text("host").unwrap_or_default().to_owned(),
        port: fields.whole("port"),
        tls,
        user: fields.text("user").map(str::to_owned),
        password,
        client_id: fields.text("client_id").map(str::to_owned),
        five: fields.whole("version") == Some(5),
        qos,
        retain_status: fields.switch("retain_status"),
        topics,
        timeout: fields.duration("timeout"),
    }
}

fn mqtt_tls(build: &mut Build<'_>, node: &Node, path: &str) -> MqttTls {
    let fields = Fields::new(Some(node), &MQTT_TLS);
    let (cert, key) = (fields.get("cert"), fields.get("key"));
    if cert.is_some() != key.is_some() {
        build.error(
            node.at,
            path,
            "`cert` and `key` belong together, and one of them lacks",
            "write both, or neither where the broker asks for no certificate",
        );
    }
    MqttTls {
        ca: ca(build, node, path),
        cert: pem(build, cert, &format!("{path}.cert"), "CERTIFICATE-----"),
        key: pem(build, key, &format!("{path}.key"), "PRIVATE KEY-----"),
    }
}

/// A file in PEM form that must hold this.
fn pem(build: &mut Build<'_>, node: Option<&Node>, path: &str, wanted: &str) -> Option<PathBuf> {
    let node = node?;
    let file = build.path(node)?;
    if !build.look {
        return Some(file);
    }
    let shown = file.display();
    let small = fs::metadata(&file).is_ok_and(|metadata| metadata.len() <= KEY_BYTES);
    match fs::read(&file) {
        Ok(_) if !small => build.error(
            node.at,
            path,
            format!("{shown} has more than {KEY_BYTES} bytes"),
            "name a file in PEM form",
        ),
        Ok(bytes) if String::from_utf8_lossy(&bytes).contains(wanted) => {}
        Ok(_) => {
            let what = format!(
                "{shown} holds no {} in PEM form",
                wanted.trim_end_matches('-')
            );
            build.error(
                node.at,
                path,
                what,
                "name the file that holds it, or convert it with `openssl`",
            );
        }
        Err(error) => build.error(
            node.at,
            path,
            format!("{shown} cannot be read: {error}"),
            "look at its path and permissions",
        ),
    }
    Some(file)
}

/// Reads a destination of type `influxdb`.
pub(super) fn influxdb(build: &mut Build<'_>, node: &Node, path: &str) -> InfluxdbSettings {
    let fields = Fields::new(Some(node), &INFLUXDB);
    let version: u8 = fields.whole("version").unwrap_or(1);
    url(build, &fields, path);
    keys_of_version(build, node, path, version);
    let retention = node.get("retention").map(|retention| {
        let of_retention = Fields::new(Some(retention), &RETENTION);
        let duration = of_retention.text("duration").unwrap_or_default();
        if !duration.is_empty() && !is_duration(duration) {
            build.error(
                retention.at,
                &format!("{path}.retention.duration"),
                "this is no duration of InfluxDB",
                "write it as 10d, 12h, 52w or INF",
            );
        }
        RetentionSettings {
            name: of_retention.text("name").unwrap_or_default().to_owned(),
            duration: duration.to_owned(),
        }
    });
    let mut secret = |key: &str| {
        let value = fields.get(key)?;
        build.secret(value, &format!("{path}.{key}"), true)
    };
    let (token, password) = (secret("token"), secret("password"));
    let text = |key: &str| fields.text(key).map(str::to_owned);
    InfluxdbSettings {
        url: Secret::new(fields.text("url").unwrap_or_default()),
        version,
        database: text("database"),
        retention_policy: text("retention_policy"),
        retention,
        org: text("org"),
        bucket: text("bucket"),
        token,
        user: text("user"),
        password,
        tags: fields.labels("tags"),
        batch: fields.whole("batch").unwrap_or(5_000),
        ca: ca(build, node, path),
        timeout: fields.duration("timeout"),
    }
}

fn url(build: &mut Build<'_>, fields: &Fields<'_>, path: &str) {
    let (Some(node), Some(text)) = (fields.get("url"), fields.text("url")) else {
        return;
    };
    let path = format!("{path}.url");
    let Ok(url) = webhook::parse_url(&Secret::new(text)) else {
        return;
    };
    if url.query().is_some() {
        build.error(
            node.at,
            &path,
            "the address has a part after `?`",
            "write only where InfluxDB is, such as `https://influx.example:8086`",
        );
    }
    if url.scheme() == "http" && !url.host_str().is_some_and(is_loopback) {
        build.warn(
            node.at,
            &path,
            "readings and the token or password travel readable, because the address begins with http:",
            "write https: where InfluxDB speaks it",
        );
    }
}

/// Tells what a version needs and lacks, and what it does not use.
fn keys_of_version(build: &mut Build<'_>, node: &Node, path: &str, version: u8) {
    let (needed, unused): (&[&str], &[&str]) = match version {
        1 => (&["database"], &["org", "bucket"]),
        2 => (
            &["org", "bucket", "token"],
            &[
                "database",
                "retention_policy",
                "retention",
                "user",
                "password",
            ],
        ),
        3 => (
            &["database", "token"],
            &[
                "org",
                "bucket",
                "retention_policy",
                "retention",
                "user",
                "password",
            ],
        ),
        // The walk has refused it.
        _ => return,
    };
    for key in needed {
        if node.get(key).is_none() {
            build.error(
                node.at,
                path,
                format!("`{key}` is not written, and InfluxDB {version} needs it"),
                format!("write `{key}:`"),
            );
        }
    }
    for key in unused {
        if let Some(value) = node.get(key) {
            build.error(
                value.at,
                &format!("{path}.{key}"),
                format!("InfluxDB {version} has no use for this"),
                "remove the key, or write the right version",
            );
        }
    }
    if node.get("user").is_some() != node.get("password").is_some() {
        build.error(
            node.at,
            path,
            "`user` and `password` belong together, and one of them lacks",
            "write both, or neither where InfluxDB wants no logon",
        );
    }
}

/// The names of the destinations that take no notices.
pub(super) fn only_feeds<'a>(
    all: impl IntoIterator<Item = (&'a Name, &'a DestinationSettings)>,
) -> Vec<&'a Name> {
    all.into_iter()
        .filter(|(_, settings)| !settings.takes_notices())
        .map(|(name, _)| name)
        .collect()
}
