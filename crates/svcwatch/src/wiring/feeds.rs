//! From the settings of feeds to what renders and sends, with secrets as they are now.

use super::destinations::duration;
use crate::{
    config::{InfluxdbSettings, MqttSettings, SecretError, SecretSource},
    dest::mqtt,
    feed::influxdb,
    secret::Secret,
};

pub(super) fn mqtt(settings: &MqttSettings) -> Result<mqtt::Settings, SecretError> {
    let tls = settings.tls.as_ref().map(|tls| mqtt::Tls {
        ca: tls.ca.clone(),
        cert: tls.cert.clone(),
        key: tls.key.clone(),
    });
    let topics = &settings.topics;
    Ok(mqtt::Settings {
        host: settings.host.clone(),
        port: settings.port,
        tls,
        user: settings.user.as_deref().map(Secret::from),
        password: read(settings.password.as_ref())?,
        client_id: settings.client_id.clone(),
        version: if settings.five {
            mqtt::Version::V5
        } else {
            mqtt::Version::V4
        },
        qos: settings.qos,
        retain_status: settings.retain_status,
        topics: mqtt::Topics {
            stopped: topics.stopped.clone(),
            running: topics.running.clone(),
            status: topics.status.clone(),
        },
        timeout: duration(settings.timeout),
        presence: true,
    })
}

pub(super) fn influxdb(settings: &InfluxdbSettings) -> Result<influxdb::Settings, SecretError> {
    Ok(influxdb::Settings {
        url: settings.url.clone(),
        version: match settings.version {
            1 => influxdb::Version::V1,
            2 => influxdb::Version::V2,
            _ => influxdb::Version::V3,
        },
        database: settings.database.clone(),
        retention_policy: settings.retention_policy.clone(),
        retention: settings
            .retention
            .as_ref()
            .map(|retention| influxdb::Retention {
                name: retention.name.clone(),
                duration: retention.duration.clone(),
            }),
        org: settings.org.clone(),
        bucket: settings.bucket.clone(),
        token: read(settings.token.as_ref())?,
        user: settings.user.as_deref().map(Secret::from),
        password: read(settings.password.as_ref())?,
        tags: settings.tags.clone(),
        batch: settings.batch,
        ca: settings.ca.clone(),
        timeout: duration(settings.timeout),
    })
}

fn read(source: Option<&SecretSource>) -> Result<Option<Secret>, SecretError> {
    source.map(SecretSource::read).transpose()
}
