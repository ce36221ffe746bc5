//! Every query of both dashboards, asked of a real Prometheus that scrapes svcwatch and of a real InfluxDB that it
//! feeds.

use crate::{
    run_support::{Host, House, PAUSED, Receiver, eventually},
    support::{influx::Influx, prometheus::Server},
};
use serde_json::Value;
use std::{sync::atomic::Ordering, time::Duration};
use svcwatch::{
    app::App,
    dashboard::{Datasource, dashboard},
};

/// What may have no answer here, as title and query: nothing was left untold, and the store did not fail.
const MAY_BE_EMPTY: [(&str, &str); 2] = [("Not told", "A"), ("Store", "B")];

/// A query of a panel.
struct Asked {
    title: String,
    letter: String,
    text: String,
}

/// The queries of a dashboard with what Grafana puts into them, where these are chosen.
fn asked(datasource: Datasource, chosen: &[(&str, &str)]) -> Vec<Asked> {
    let dashboard: Value =
        serde_json::from_str(&dashboard(datasource, "http://w")).expect("it is JSON");
    let filled = |text: &Value| {
        let mut text = text.as_str().expect("a query").to_owned();
        for (name, value) in chosen.iter().copied().chain([
            ("$__rate_interval", "10s"),
            ("$__range", "30s"),
            ("$__interval", "2s"),
            ("$timeFilter", "time >= now() - 10m"),
            ("${host:regex}", ".*"),
            ("${service:regex}", ".*"),
            ("$host", ".*"),
            ("$service", ".*"),
            ("$site", ".*"),
        ]) {
            text = text.replace(name, value);
        }
        text
    };
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut asked: Vec<Asked> = panels
        .iter()
        .flat_map(|panel| {
            let targets = panel["targets"].as_array().cloned().unwrap_or_default();
            targets.into_iter().map(|target| Asked {
                title: word(&panel["title"]),
                letter: word(&target["refId"]),
                text: filled(target.get("expr").unwrap_or(&target["query"])),
            })
        })
        .collect();
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    asked.extend(variables.iter().skip(1).map(|variable| Asked {
        title: format!("variable {}", word(&variable["name"])),
        letter: String::new(),
        text: filled(&variable["query"]),
    }));
    asked
}

/// What Prometheus answers now. Grafana's own `label_values` is asked as the query that it stands for.
fn answer(prometheus: &Server, text: &str) -> Vec<Value> {
    let values = text
        .strip_prefix("label_values(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|rest| rest.rsplit_once(", "));
    let text = match values {
        Some((series, label)) => format!("count by ({label}) ({series})"),
        None => text.to_owned(),
    };
    let escaped: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let answer = prometheus.get(&format!("/api/v1/query?query={}", escaped.concat()));
    answer["data"]["result"].as_array().cloned().expect("rows")
}

/// Hosts of two sites, of which one does not answer, with services in many states, watched by svcwatch.
async fn watched(influx: &Influx) -> (App, House) {
    let host = Host::start(&["Spooler", "W32Time", "Themes"]).await;
    let receiver = Receiver::start().await;
    let head = House::head(&receiver).replace(
        "destinations: { ",
        &format!(
            "destinations: {{ metrics: {{ type: influxdb, url: '{}', version: 1, database: butler }}, ",
            influx.url()
        ),
    );
    let house = House::new(&format!(
        "{head}hosts:\n\
         - {{ name: lab, site: oslo, address: 127.0.0.1, port: {}, services: [Spooler, W32Time, Themes, Gone] }}\n\
         - {{ name: far, site: bergen, address: 127.0.0.1, port: 1, services: [Spooler] }}\n",
        host.address.port()
    ));
    let app = house.start().await;
    // What is wrong from the beginning is told as one summary, besides the host.
    receiver.wait_for(1).await;
    eventually("the first readings", async || {
        let answer = influx.ask("butler", "SELECT last(state_num) FROM win_service_state");
        answer["results"][0].get("series").map(|_| ())
    })
    .await;
    tokio::spawn(async move {
        // Goes on as long as the test does: what Prometheus counts has to be seen before it changes.
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            host.pid.fetch_add(1, Ordering::AcqRel);
            host.put("Themes", PAUSED);
            host.set("Spooler", false);
            tokio::time::sleep(Duration::from_secs(5)).await;
            host.set("Spooler", true);
        }
    });
    (app, house)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_both_dashboards_is_answered() {
    let influx = Influx::start(false);
    let (app, _house) = watched(&influx).await;
    let alertmanager = Server::alertmanager(1, "");
    let prometheus = Server::prometheus(&app.address().to_string(), &[], &alertmanager);
    let queries = asked(Datasource::Prometheus, &[]);
    assert!(queries.len() > 30, "{}", queries.len());
    for query in queries {
        let what = format!("{} {}: {}", query.title, query.letter, query.text);
        if MAY_BE_EMPTY.contains(&(query.title.as_str(), query.letter.as_str())) {
            // It fails where Prometheus does not take it.
            answer(&prometheus, &query.text);
        } else {
            eventually(&what, async || {
                answer(&prometheus, &query.text)
                    .pop()
                    .filter(|row| row["value"][1] != "NaN")
            })
            .await;
        }
    }
    let queries = asked(Datasource::Influxdb, &[]);
    assert!(queries.len() > 10, "{}", queries.len());
    for query in queries {
        let what = format!("{}: {}", query.title, query.text);
        eventually(&what, async || {
            let answer = influx.ask("butler", &query.text);
            assert!(
                answer["results"][0].get("error").is_none(),
                "{what}: {answer}"
            );
            let row = &answer["results"][0]["series"][0]["values"][0];
            row.get(1).filter(|value| !value.is_null()).map(|_| ())
        })
        .await;
    }
    one_site_and_what_nobody_sees(&prometheus);
    shares(&influx);
    app.stop().await.expect("it ends");
}

/// The timeline shows the services of the chosen site, and of a host that does not answer nothing but that.
fn one_site_and_what_nobody_sees(prometheus: &Server) {
    for (site, host, service, state) in [
        ("oslo", "lab", "w32time", "4"),
        ("oslo", "lab", "gone", "8"),
        ("bergen", "far", "spooler", "0"),
    ] {
        let queries = asked(Datasource::Prometheus, &[("$site", site)]);
        let timeline = queries.iter().find(|query| query.title == "States");
        let rows = answer(prometheus, &timeline.expect("a timeline").text);
        assert!(
            rows.iter().all(|row| row["metric"]["host"] == host),
            "{rows:?}"
        );
        let row = rows.iter().find(|row| row["metric"]["name"] == service);
        assert_eq!(row.expect("the service")["value"][1], state, "{rows:?}");
    }
    let queries = asked(Datasource::Prometheus, &[]);
    let fault = queries
        .iter()
        .find(|query| query.title == "Why hosts cannot be read");
    let rows = answer(prometheus, &fault.expect("a table").text);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["metric"]["page"], "host_unreachable");
    assert_eq!(rows[0]["metric"]["host"], "far");
}

/// The share of readings is what can be counted.
fn shares(influx: &Influx) {
    for (service, least, most) in [("W32Time", 0.999_9, 1.0), ("Spooler", 0.05, 0.99)] {
        let queries = asked(Datasource::Influxdb, &[("${service:regex}", service)]);
        let table = queries.iter().find(|query| query.title == "Availability");
        let answer = influx.ask("butler", &table.expect("a table").text);
        let series = answer["results"][0]["series"].as_array().expect("series");
        assert_eq!(series.len(), 1, "{answer}");
        let share = series[0]["values"][0][1].as_f64().expect("a share");
        assert!((least..=most).contains(&share), "{service}: {answer}");
    }
}
