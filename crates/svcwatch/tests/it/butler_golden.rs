//! The whole program on a Butler file, beside what Butler 16.0.4 sent for it: every message is the same but for the
//! listed differences, which are those of the manual.

use crate::{
    butler_json::{Json, text},
    butler_support::{Hosts, Told, data, receivers},
    run_support::{PAUSED, RUNNING, START_PENDING, STOPPED, eventually, items, shown},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use svcwatch::{
    app::{App, Options},
    config::{self, Config, DIFFERENCES, LoadOptions, Transport},
    store::StoreOptions,
};

/// How a listed difference changes a record of what Butler sent into what svcwatch sends; whether it does.
type Change = fn(&mut Json) -> bool;

/// The listed differences that show in these records.
const LISTED: [(&str, Change); 12] = [
    ("first_look", first_look),
    ("pending_before", pending_before),
    ("escape_plain", escape_plain),
    ("escape_json", escape_json),
    ("buttons", buttons),
    ("slack_type", slack_type),
    ("slack_text", slack_text),
    ("mail_parts", mail_parts),
    ("webhook_query", webhook_query),
    ("webhook_headers", webhook_headers),
    ("newrelic_before", newrelic_before),
    ("influx_kept", influx_kept),
];

fn edited(record: &mut Json, mut edit: impl FnMut(&str, &str) -> String) -> bool {
    let mut changed = false;
    record.edit("", &mut |key, text| {
        let new = edit(key, text);
        changed |= new != *text;
        *text = new;
    });
    changed
}

/// The state before, wherever it stands.
fn replace_before(record: &mut Json, from: &str, to: &str) -> bool {
    edited(record, |key, text| match key {
        "servicePrevStatus" | "prevState" if text == from => to.to_owned(),
        "path" => text.replace(&format!("prevstate={from}"), &format!("prevstate={to}")),
        // The state now stands before it.
        "text" | "body" => ["RUNNING", "STOPPED"]
            .iter()
            .fold(text.to_owned(), |text, now| {
                text.replace(&format!("~{now}~{from}~"), &format!("~{now}~{to}~"))
            }),
        _ => text.to_owned(),
    })
}

fn first_look(record: &mut Json) -> bool {
    replace_before(record, "PAUSED", "UNKNOWN")
}

fn pending_before(record: &mut Json) -> bool {
    record.says("postgresql") && replace_before(record, "STOPPED", "START_PENDING")
}

fn unescaped(text: &str) -> String {
    text.replace("&#x27;", "'")
        .replace("&#x3D;", "=")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// Whether a record is of this chat, and whether it is a one-line message.
fn chat(record: &Json, path: &str) -> Option<bool> {
    let one_line = record
        .get("body")?
        .get("title")
        .or(record.get("body")?.get("blocks"))
        .is_some();
    record.text("path").starts_with(path).then_some(one_line)
}

fn escape_plain(record: &mut Json) -> bool {
    let one_line = chat(record, "/slack") == Some(true) || chat(record, "/teams") == Some(true);
    edited(record, |key, text| {
        if one_line && key != "path" || key == "Subject" {
            unescaped(text)
        } else {
            text.to_owned()
        }
    })
}

fn escape_json(record: &mut Json) -> bool {
    let template = chat(record, "/slack") == Some(false) || chat(record, "/teams") == Some(false);
    template && edited(record, |_, text| unescaped(text))
}

fn buttons(record: &mut Json) -> bool {
    let Some(Json::Map(body)) = record.get_mut("body") else {
        return false;
    };
    let before = body.len();
    body.retain(|(key, _)| key != "potentialAction");
    let mut changed = body.len() < before;
    for (key, value) in body {
        if let (true, Json::List(blocks)) = (key == "blocks", value) {
            let before = blocks.len();
            blocks.retain(|block| block.text("type") != "actions");
            changed |= blocks.len() < before;
        }
    }
    changed
}

fn slack_type(record: &mut Json) -> bool {
    edited(record, |key, text| match (key, text) {
        ("content-type", "application/x-www-form-urlencoded") => "application/json".to_owned(),
        _ => text.to_owned(),
    })
}

/// The text that notifications show, escaped for Slack.
fn slack_text(record: &mut Json) -> bool {
    if chat(record, "/slack") != Some(true) {
        return false;
    }
    let Some(Json::Map(body)) = record.get_mut("body") else {
        return false;
    };
    let blocks = body.iter().find(|(key, _)| key == "blocks");
    let Some((_, Json::List(blocks))) = blocks else {
        return false;
    };
    let line = blocks[0]
        .get("text")
        .map(|head| head.text("text").to_owned());
    let line = line.unwrap_or_default();
    let escaped = line
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    body.push(("text".to_owned(), text(escaped)));
    true
}

fn mail_parts(record: &mut Json) -> bool {
    edited(record, |key, text| match (key, text) {
        ("content_type", "text/html") => "multipart/alternative".to_owned(),
        _ => text.to_owned(),
    })
}

fn webhook_query(record: &mut Json) -> bool {
    edited(record, |key, text| {
        if key == "path" {
            text.replace("/hook/get?", "/hook/get?keep=1&")
        } else {
            text.to_owned()
        }
    })
}

fn webhook_headers(record: &mut Json) -> bool {
    match record.get_mut("headers") {
        Some(Json::Map(headers)) if headers.iter().all(|(name, _)| name != "From") => {
            headers.push(("idempotency-key".to_owned(), text("*")));
            true
        }
        _ => false,
    }
}

fn newrelic_before(record: &mut Json) -> bool {
    let before = match (
        record.says("W32Time"),
        record.says("STOPPED"),
        record.says("postgresql"),
    ) {
        (true, true, _) => "UNKNOWN",
        (false, true, _) => "RUNNING",
        (_, false, true) => "START_PENDING",
        (_, false, false) => "STOPPED",
    };
    let Some(Json::List(list)) = record.get_mut("body") else {
        return false;
    };
    let Some(first) = list.first_mut() else {
        return false;
    };
    let attributes = match first.get("common") {
        Some(_) => first
            .get_mut("common")
            .and_then(|common| common.get_mut("attributes")),
        None => Some(first),
    };
    let Some(Json::Map(attributes)) = attributes else {
        return false;
    };
    let state = attributes
        .iter()
        .position(|(key, _)| key == "butler_serviceStatus");
    let place = state.map_or(0, |place| place + 1);
    attributes.insert(place, ("butler_servicePrevStatus".to_owned(), text(before)));
    true
}

/// Requests of InfluxDB differ in how the time is written, which the records do not hold.
fn influx_kept(record: &mut Json) -> bool {
    edited(record, |key, text| match key {
        "path" if text.starts_with("/write?") => "/write".to_owned(),
        _ => text.to_owned(),
    })
}

/// What svcwatch tells of a paused service and of one that starts, which Butler took for running, and of itself at a
/// broker.
fn is_more(record: &Json) -> bool {
    record.text("topic").ends_with("/svcwatch")
        || record.says("PAUSED")
        || record.says("paused")
        || record.says("state_text=\"START_PENDING\"")
        || record
            .get("payload")
            .is_some_and(|payload| payload.text("serviceStatus") == "START_PENDING")
}

/// Order means something in the bodies that programs read.
fn comparable(mut record: Json) -> Json {
    let path = record.text("path").to_owned();
    let free = path.starts_with("/slack") || path.starts_with("/teams");
    if record.text("dest") == "influx" {
        influx_kept(&mut record);
    }
    // Line ends of mails are those of the network, and no difference.
    if let (true, Some(Json::Text(body))) = (record.text("dest") == "smtp", record.get_mut("body"))
    {
        let plain = body.replace("\r\n", "\n");
        plain.trim_end().clone_into(body);
    }
    if let Some(headers) = record.get_mut("headers") {
        *headers = headers.clone().sorted();
    }
    if free { record.sorted() } else { record }
}

fn expected() -> (BTreeSet<Json>, BTreeMap<&'static str, usize>) {
    let records = std::fs::read_to_string(data().join("butler-16.0.4.jsonl")).unwrap();
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all = BTreeSet::new();
    for line in records.lines() {
        let mut record = Json::parse(line).unwrap();
        for (id, change) in LISTED {
            assert!(
                DIFFERENCES.iter().any(|one| one.id == id),
                "{id} is not in the manual"
            );
            *used.entry(id).or_default() += usize::from(change(&mut record));
        }
        all.insert(comparable(record));
    }
    (all, used)
}

async fn start(files: &[PathBuf], data: &Path) -> App {
    let config = ready(files);
    let options = Options {
        data: Some(data.to_owned()),
        store: StoreOptions { ballast: 0 },
        ..Options::default()
    };
    App::start(config, options).await.unwrap()
}

/// The configuration, with simulated hosts.
fn ready(files: &[PathBuf]) -> Config {
    let mut config =
        config::load(files, LoadOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
    for connection in config.connections.values_mut() {
        connection.transport = Transport::Loopback;
    }
    config
}

/// Waits until nothing is on its way any more.
async fn told_all(app: &App) {
    // A reading may just be under way, and limits of one second hold messages back.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    eventually("the end of all deliveries", async || {
        let pending = items(app, "/api/v1/deliveries?state=pending").await;
        let sending = items(app, "/api/v1/deliveries?state=sending").await;
        (pending.is_empty() && sending.is_empty()).then_some(())
    })
    .await;
}

/// Shows the states of the records' story to the program, and one more in which all is well.
async fn play(app: &App, hosts: &Hosts) {
    let pg = "postgresql-x64-12";
    shown(app, "W32Time", "stopped").await;
    shown(app, pg, "running").await;
    told_all(app).await;
    hosts.srv01.put("Spooler", STOPPED);
    shown(app, "Spooler", "stopped").await;
    told_all(app).await;
    hosts.srv01.put("Spooler", RUNNING);
    hosts.srv01.put("W32Time", RUNNING);
    hosts.srv02.put(pg, STOPPED);
    shown(app, "W32Time", "running").await;
    shown(app, pg, "stopped").await;
    told_all(app).await;
    hosts.srv01.put("Spooler", PAUSED);
    hosts.srv02.put(pg, START_PENDING);
    shown(app, "Spooler", "paused").await;
    shown(app, pg, "start_pending").await;
    told_all(app).await;
    hosts.srv01.put("Spooler", RUNNING);
    hosts.srv02.put(pg, RUNNING);
    shown(app, "Spooler", "running").await;
    shown(app, pg, "running").await;
    told_all(app).await;
}

fn listed(records: &BTreeSet<Json>) -> String {
    let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Runs the story on these files, which the function makes of the Butler file and of what stands beside it.
async fn story(files: fn(&Path, String, String) -> Vec<PathBuf>) {
    let told = Arc::new(Told::default());
    let folder = tempfile::tempdir().unwrap();
    let hosts = Hosts::start().await;
    let butler = receivers(&told).await;
    let files = files(folder.path(), butler, hosts.beside());
    let app = start(&files, &folder.path().join("data")).await;
    play(&app, &hosts).await;
    app.stop().await.unwrap();
    let (expected, used) = expected();
    for (id, times) in used {
        assert!(times > 0, "{id} shows in no record");
    }
    let came: BTreeSet<Json> = told.all().into_iter().map(comparable).collect();
    let missing: BTreeSet<Json> = expected.difference(&came).cloned().collect();
    let more: BTreeSet<Json> = came.difference(&expected).cloned().collect();
    let (paused, unknown): (BTreeSet<Json>, BTreeSet<Json>) = more.into_iter().partition(is_more);
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "Butler sent and svcwatch did not:\n{}\n\nsvcwatch sent and Butler did not:\n{}",
        listed(&missing),
        listed(&unknown)
    );
    // The pause is told everywhere: what Butler took for running.
    for place in [
        "/slack/stopped",
        "/teams/stopped",
        "/hook/post",
        "/hook/put",
        "/hook/get",
        "/nr/v1/accounts/111",
        "/nr/v1/accounts/222",
        "/nrlog",
    ] {
        assert!(
            paused
                .iter()
                .any(|record| record.text("path").starts_with(place)),
            "no pause at {place}"
        );
    }
    for dest in ["smtp", "mqtt", "influx"] {
        assert!(
            paused.iter().any(|record| record.text("dest") == dest),
            "no pause at {dest}"
        );
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_butler_file_tells_what_butler_tells_but_for_the_listed_differences() {
    story(|folder, butler, beside| {
        vec![
            write(folder, "butler.yaml", &butler),
            write(folder, "svcwatch.yaml", &beside),
        ]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_imported_file_tells_the_same() {
    story(|folder, butler, beside| {
        let butler = write(folder, "butler.yaml", &butler);
        let imported = config::import(&butler, true).unwrap();
        let native = write(folder, "native.yaml", &imported.text);
        let beside = write(
            folder,
            "svcwatch.yaml",
            &format!("{beside}defaults: {{ credentials: ops }}\n"),
        );
        same_plan(&butler, &native, &beside);
        vec![native, beside]
    })
    .await;
}

/// Both files mean the same in every part of the configuration.
fn same_plan(butler: &Path, native: &Path, beside: &Path) {
    let both = [butler, native].map(|file| {
        let config = ready(&[file.to_owned(), beside.to_owned()]);
        (
            config.core,
            config.connections,
            config.destinations,
            config.links,
        )
    });
    assert_eq!(both[0], both[1]);
}
