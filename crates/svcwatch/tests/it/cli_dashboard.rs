//! `svcwatch dashboard`: JSON that Grafana knows, of metrics that there are.

use crate::{cli_support::svcwatch, web_server::Server};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

const DATASOURCES: [&str; 2] = ["prometheus", "influxdb"];

fn dashboard(datasource: &str) -> Value {
    let done = svcwatch(&["dashboard", "--datasource", datasource]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    serde_json::from_str(&done.out).unwrap()
}

fn grafana() -> jsonschema::Validator {
    let schema = include_str!("../data/schemas/grafana-dashboard.json");
    jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
}

#[test]
fn grafanas_own_types_accept_it() {
    let grafana = grafana();
    for datasource in DATASOURCES {
        let dashboard = dashboard(datasource);
        let wrong: Vec<String> = grafana
            .iter_errors(&dashboard)
            .map(|error| format!("{}: {error:.2000}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{datasource}: {wrong:#?}");
    }
    // They refuse what is not so.
    for (pointer, field, value) in [
        ("", "schemaVersion", Value::from("42")),
        ("/templating/list/0", "type", Value::from("datasources")),
        ("/panels/1", "type", Value::from("graph")),
        ("/panels/1/options", "colorMode", Value::from("loud")),
        ("/panels/1/gridPos", "height", Value::from(3)),
        ("/panels/1/fieldConfig/defaults", "colour", Value::from("x")),
        ("/panels/1/targets/0", "expression", Value::from("up")),
    ] {
        let mut broken = dashboard("prometheus");
        let place = broken.pointer_mut(pointer).expect(pointer);
        place[field] = value;
        assert!(!grafana.is_valid(&broken), "{pointer} {field}");
    }
}

/// The names of metrics in this text.
fn metrics(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        .filter(|word| word.starts_with("svcwatch_") || word.starts_with("windows_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn each_metric_in_it_is_one_of_ours() {
    let server = Server::with_samples().await;
    server.facts.destinations(&server.board, &["duty".into()]);
    server.facts.feeds(&["metrics".into()]);
    let answer = server.get("/metrics").await;
    let ours: BTreeSet<String> = answer
        .body
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .map(str::to_owned)
        .collect();
    let dashboard = dashboard("prometheus");
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let asked = panels
        .filter_map(|panel| panel["targets"].as_array())
        .flatten()
        .map(|target| &target["expr"]);
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let texts = asked.chain(variables.map(|variable| &variable["query"]));
    let used: BTreeSet<String> = texts
        .flat_map(|text| metrics(text.as_str().unwrap()))
        .collect();
    assert!(used.len() > 15, "{used:?}");
    let unknown: Vec<&String> = used.difference(&ours).collect();
    assert!(unknown.is_empty(), "{unknown:?} are not in {ours:?}");
    server.stop().await;
}

#[test]
fn links_lead_where_the_user_says() {
    let given = svcwatch(&["dashboard", "--url", "https://watch.corp.example/x/"]);
    assert!(
        given
            .out
            .contains("\"https://watch.corp.example/x/runbooks/service_status?"),
        "{}",
        given.err
    );
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.yaml");
    fs::write(&config, "web: { url: 'https://w.example' }\nhosts: []\n").unwrap();
    let configured = svcwatch(&["dashboard", "-c", config.to_str().unwrap()]);
    assert!(
        configured.out.contains("\"https://w.example/runbooks\""),
        "{}",
        configured.err
    );
    for wrong in [
        &["--url", "https://user:secret@x"][..],
        &["--datasource", "graphite"],
        &["--url", "https://x", "-c", "c.yaml"],
    ] {
        let refused = svcwatch(&[&["dashboard"], wrong].concat());
        assert_eq!(refused.code, Some(2), "{wrong:?}");
        assert!(!refused.err.contains("panicked"), "{}", refused.err);
    }
}
