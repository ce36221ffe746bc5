//! `mqttConfig` and `influxDb`.

use super::destinations::{Destinations, Kinds, duration};
use super::differences as differ;
use super::made::{self, Hint, Made};
use super::monitor::Gates;
use super::reader::{Reader, Section};

/// The port of InfluxDB where the file has none.
const INFLUX_PORT: i64 = 8_086;
/// The port of MQTT where the file has none.
const MQTT_PORT: i64 = 1_883;
/// The name and the length of the retention policy of a new database where the file has none.
const RETENTION: &str = "10d";

fn text_of(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &'static str,
    needed: bool,
) -> Option<Made> {
    let text = reader.needed(section, key, needed)?;
    Some(made::text(section.at(key), text))
}

fn port(reader: &mut Reader<'_>, section: &Section<'_>, key: &'static str, usual: i64) -> i64 {
    reader.whole(section, key).unwrap_or(usual)
}

/// MQTT's section.
pub(super) fn mqtt(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    gates: Gates,
    all: &mut Destinations,
) {
    let Some(section) = reader.section(root, "mqttConfig") else {
        return;
    };
    let on = reader.is_on(&section, "enable") && gates.mqtt;
    let at = section.node.at;
    let mut made = made::map(at, [("type", made::text(at, "mqtt"))]);
    made.put_some("host", text_of(reader, &section, "brokerHost", on));
    let number = port(reader, &section, "brokerPort", MQTT_PORT);
    made.put("port", made::whole(section.at("brokerPort"), number));
    if let Some(azure) = reader.section(&section, "azureEventGrid") {
        let used = reader.is_on(&azure, "enable");
        let client = reader.needed(&azure, "clientId", used && on);
        let cert = reader.needed(&azure, "clientCertFile", used && on);
        let key = reader.needed(&azure, "clientKeyFile", used && on);
        if used {
            let text = |text| made::text(azure.at("clientId"), text);
            made.put_some("client_id", client.map(text));
            made.put_some("user", client.map(text));
            let mut tls = made::map(azure.node.at, []);
            for (name, from, path) in [
                ("cert", "clientCertFile", cert),
                ("key", "clientKeyFile", key),
            ] {
                let path = path.map(|path| made::text(azure.at(from), reader.file(path)));
                tls.put_some(name, path);
            }
            made.put("tls", tls);
        }
        reader.finish(&azure);
    }
    let mut topics = made::map(at, []);
    for (key, ours) in [
        ("serviceStoppedTopic", "stopped"),
        ("serviceRunningTopic", "running"),
        ("serviceStatusTopic", "status"),
    ] {
        let topic = reader.text_or_nothing(&section, key);
        topics.put_some(ours, topic.map(|topic| made::text(section.at(key), topic)));
    }
    reader.finish(&section);
    if !on {
        return;
    }
    if topics.is_empty() {
        reader.problems.warn(
            at,
            &section.path,
            "no topic for services is named, so nothing is published",
            "write serviceStoppedTopic, serviceRunningTopic and serviceStatusTopic",
        );
        return;
    }
    made.put("topics", topics);
    all.add("mqtt", made);
    for difference in [&differ::MQTT_QUALITY, &differ::MQTT_BUTLER] {
        reader.everywhere(root, "mqttConfig", difference);
    }
}

/// InfluxDB's section.
pub(super) fn influxdb(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    gates: Gates,
    all: &mut Destinations,
) {
    let Some(section) = reader.section(root, "influxDb") else {
        return;
    };
    let on = reader.is_on(&section, "enable") && gates.influxdb;
    let at = section.node.at;
    let mut made = made::map(at, [("type", made::text(at, "influxdb"))]);
    let host = reader.needed(&section, "hostIP", on);
    let number = port(reader, &section, "hostPort", INFLUX_PORT);
    if let Some(host) = host {
        let host = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let url = format!("http://{host}:{number}");
        made.put("url", made::text(section.at("hostIP"), url));
    }
    let version = reader.whole(&section, "version").unwrap_or(1);
    if !(1..=3).contains(&version) {
        reader.problems.error(
            section.at("version"),
            &section.path_of("version"),
            "there is no such version of InfluxDB",
            "write 1, 2 or 3",
        );
    }
    made.put("version", made::whole(section.at("version"), version));
    version_1(reader, &section, &mut made, version == 1, on);
    version_2(reader, &section, &mut made, version == 2, on);
    version_3(reader, &section, &mut made, version == 3, on);
    tags(reader, &section, &mut made);
    reader.finish(&section);
    if on {
        all.add_for("influxdb", made, Kinds::Feed);
        for difference in [&differ::INFLUX_KEPT, &differ::INFLUX_STATES] {
            reader.everywhere(root, "influxDb", difference);
        }
    }
}

/// The keys of version 1 stand in a section of their own, or, in older files, in the section itself.
fn version_1(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    made: &mut Made,
    used: bool,
    on: bool,
) {
    let own = reader.section(section, "v1Config");
    let from = own.as_ref().unwrap_or(section);
    let database = reader.text_or_nothing(from, "dbName");
    let auth = reader.section(from, "auth");
    let retention = reader.section(from, "retentionPolicy");
    let mut logon = Vec::new();
    if let Some(auth) = &auth {
        let with = reader.is_on(auth, "enable");
        let user = text_of(reader, auth, "username", with && used && on);
        let password = text_of(reader, auth, "password", with && used && on);
        let password = password.map(|made| made.hidden(Hint::File("influxdb.password".into())));
        if with {
            logon = vec![("user", user), ("password", password)];
        }
        reader.finish(auth);
    }
    let mut policy = made::map(from.node.at, []);
    let mut part = |key: &'static str| {
        let text = retention
            .as_ref()
            .and_then(|retention| reader.text_or_nothing(retention, key));
        made::text(from.at("retentionPolicy"), text.unwrap_or(RETENTION))
    };
    let (name, length) = (part("name"), part("duration"));
    policy.put("name", name);
    policy.put("duration", length);
    if let Some(retention) = &retention {
        reader.finish(retention);
    }
    if let Some(own) = &own {
        reader.finish(own);
    }
    if used {
        let text = database.unwrap_or("butler");
        made.put("database", made::text(from.at("dbName"), text));
        made.put("retention", policy);
        for (key, value) in logon {
            made.put_some(key, value);
        }
    }
}

fn version_2(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    made: &mut Made,
    used: bool,
    on: bool,
) {
    let Some(own) = reader.section(section, "v2Config") else {
        absent(reader, section, "v2Config", used && on);
        return;
    };
    for key in ["org", "bucket", "token"] {
        let value = text_of(reader, &own, key, used && on);
        let value = value.map(|made| hidden_token(made, key));
        if used {
            made.put_some(key, value);
        }
    }
    reader.skip(
        &own,
        &["description", "retentionDuration"],
        "Butler does not use it either",
    );
    reader.finish(&own);
}

fn version_3(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    made: &mut Made,
    used: bool,
    on: bool,
) {
    let Some(own) = reader.section(section, "v3Config") else {
        absent(reader, section, "v3Config", used && on);
        return;
    };
    for key in ["database", "token"] {
        let value = text_of(reader, &own, key, used && on);
        let value = value.map(|made| hidden_token(made, key));
        if used {
            made.put_some(key, value);
        }
    }
    let timeout = reader.whole(&own, "writeTimeout").map(|milliseconds| {
        let milliseconds = u64::try_from(milliseconds).unwrap_or(0);
        let text = duration(milliseconds.clamp(1_000, 60_000));
        made::text(own.at("writeTimeout"), text)
    });
    if used {
        made.put_some("timeout", timeout);
    }
    let unused = ["description", "queryTimeout", "retentionDuration"];
    reader.skip(&own, &unused, "Butler does not use it either");
    reader.finish(&own);
}

fn hidden_token(made: Made, key: &str) -> Made {
    if key == "token" {
        made.hidden(Hint::File("influxdb.token".into()))
    } else {
        made
    }
}

fn absent(reader: &mut Reader<'_>, section: &Section<'_>, key: &'static str, needed: bool) {
    if needed {
        reader.problems.error(
            section.at("version"),
            &section.path_of(key),
            format!("the section `{key}` is missing"),
            "write it, or another `version`",
        );
    }
}

fn tags(reader: &mut Reader<'_>, section: &Section<'_>, made: &mut Made) {
    let Some(tag) = reader.section(section, "tag") else {
        return;
    };
    let mut tags = made::map(tag.node.at, []);
    for (name, value) in pairs(reader, &tag, "static") {
        tags.put(&name, value);
    }
    reader.finish(&tag);
    if !tags.is_empty() {
        made.put("tags", tags);
    }
}

/// A list of `{ name, value }` as a mapping; of a name that stands twice the last value counts.
pub(super) fn pairs(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &'static str,
) -> Vec<(String, Made)> {
    let mut found: Vec<(String, Made)> = Vec::new();
    for pair in reader.sections(section, key) {
        let name = reader.needed(&pair, "name", true);
        let value = reader.text(&pair, "value");
        reader.finish(&pair);
        if let (Some(name), Some(value)) = (name, value) {
            found.retain(|(known, _)| known != name);
            found.push((name.to_owned(), made::text(pair.at("value"), value)));
        }
    }
    found
}
