//! The dashboard of what a feed, or Butler, writes into InfluxDB: the measurement `win_service_state` with the tags
//! `host` and `service_name`. InfluxQL, which InfluxDB 1, 2 and 3 all answer at `/query`; Flux would be for InfluxDB 2
//! alone.

use super::{
    Datasource,
    panel::{Cell, Colours, Column, Dashboard, Panel, Query, Row, Runbook, Shown, Variable},
};

/// What is chosen and shown. A name may hold any character, so it is written as a pattern that Grafana escapes.
const CHOSEN: &str = r#"FROM "win_service_state" WHERE $timeFilter AND "host" =~ /^${host:regex}$/ AND "service_name" =~ /^${service:regex}$/"#;
/// One answer for each service.
const EACH: &str = r#"GROUP BY "host", "service_name""#;
/// 1 for the number of `running`, 4, and next to nothing for the others: InfluxQL compares only in its conditions, and
/// divides no count by another one of other rows.
const RUNS: &str = r#"1 / (1 + 1000000 * ("state_num" - 4) * ("state_num" - 4)) AS "runs""#;

/// The dashboard.
pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        datasource: Datasource::Influxdb,
        uid: "svcwatch-influxdb",
        title: "Windows services (InfluxDB)",
        says: "The states of Windows services over time, from the readings that svcwatch or Butler writes.",
        variables: vec![
            Variable {
                name: "host",
                title: "Host",
                query: r#"SHOW TAG VALUES FROM "win_service_state" WITH KEY = "host""#,
            },
            Variable {
                name: "service",
                title: "Service",
                query: r#"SHOW TAG VALUES FROM "win_service_state" WITH KEY = "service_name" WHERE "host" =~ /^${host:regex}$/"#,
            },
        ],
        rows: vec![
            Row {
                title: "Now",
                panels: now(),
            },
            Row {
                title: "Services over time",
                panels: over_time(),
            },
        ],
    }
}

fn query(text: String, legend: &'static str) -> Vec<Query> {
    vec![Query { text, legend }]
}

/// How many services were last in states of these numbers.
fn count(title: &'static str, says: &'static str, condition: &str, colours: Colours) -> Panel {
    Panel {
        title,
        says,
        width: 6,
        height: 4,
        shown: Shown::Number(colours),
        unit: "",
        queries: query(
            format!(
                r#"SELECT count("n") FROM (SELECT last("state_num") AS "n" {CHOSEN} {EACH}) WHERE {condition}"#
            ),
            title,
        ),
        runbook: None,
    }
}

const fn host_and_service() -> [Column; 2] {
    [
        Column {
            field: "host",
            title: "Host",
            cell: Cell::Plain,
        },
        Column {
            field: "service_name",
            title: "Service",
            cell: Cell::Linked,
        },
    ]
}

fn table(
    title: &'static str,
    says: &'static str,
    select: String,
    columns: impl IntoIterator<Item = Column>,
) -> Panel {
    Panel {
        title,
        says,
        width: 12,
        height: 9,
        shown: Shown::Table(host_and_service().into_iter().chain(columns).collect()),
        unit: "",
        queries: query(select, ""),
        runbook: Some(Runbook::Page("service_status")),
    }
}

fn now() -> Vec<Panel> {
    vec![
        count(
            "Running",
            "Services whose last reading in the time shown was running.",
            r#""n" = 4"#,
            Colours::Plain,
        ),
        count(
            "Stopped",
            "Services whose last reading was stopped. Some may well be: InfluxDB does not know what is expected.",
            r#""n" = 1"#,
            Colours::Zero,
        ),
        count(
            "Paused, or on the way",
            "Services that were last paused, starting, stopping, pausing or continuing.",
            r#""n" > 1 AND "n" != 4"#,
            Colours::Zero,
        ),
        count(
            "Unknown or missing",
            "Services that nobody can see, because their host cannot be read, and such as are not installed.",
            r#""n" < 0"#,
            Colours::Zero,
        ),
    ]
}

fn states() -> Panel {
    Panel {
        title: "States",
        says: "The state of each service over time, a row for each. Grey: nobody could see it.",
        width: 24,
        height: 14,
        shown: Shown::Timeline,
        unit: "",
        queries: query(
            format!(
                r#"SELECT last("state_text") {CHOSEN} GROUP BY time($__interval), "host", "service_name" fill(none)"#
            ),
            "$tag_host $tag_service_name",
        ),
        runbook: Some(Runbook::Page("service_status")),
    }
}

fn readings() -> Panel {
    Panel {
        title: "Readings",
        says: "Readings of each host. A host without any cannot be read, or svcwatch does not run.",
        width: 12,
        height: 9,
        shown: Shown::Lines,
        unit: "",
        queries: query(
            format!(
                r#"SELECT count("state_num") {CHOSEN} GROUP BY time($__interval), "host" fill(0)"#
            ),
            "$tag_host",
        ),
        runbook: None,
    }
}

fn over_time() -> Vec<Panel> {
    vec![
        states(),
        table(
            "Not running",
            "Services whose last reading in the time shown was another state than running.",
            format!(
                r#"SELECT "state", "start" FROM (SELECT last("state_text") AS "state", "startup_mode_text" AS "start" {CHOSEN} {EACH}) WHERE "state" != 'RUNNING' {EACH}"#
            ),
            [
                Column {
                    field: "state",
                    title: "State",
                    cell: Cell::State,
                },
                Column {
                    field: "start",
                    title: "Start type",
                    cell: Cell::Plain,
                },
            ],
        ),
        table(
            "Availability",
            "The share of readings in which a service ran, of those in which it could be seen.",
            format!(
                r#"SELECT mean("runs") AS "share" FROM (SELECT {RUNS} {CHOSEN} AND "state_num" > 0 {EACH}) {EACH}"#
            ),
            [Column {
                field: "share",
                title: "Ran",
                cell: Cell::Share,
            }],
        ),
        table(
            "Changes of state",
            "How often a service was in another state than at its reading before. A restart between two readings is none.",
            format!(
                r#"SELECT count("step") AS "changes" FROM (SELECT difference("state_num") AS "step" {CHOSEN} {EACH}) WHERE "step" != 0 {EACH}"#
            ),
            [Column {
                field: "changes",
                title: "Changes",
                cell: Cell::Plain,
            }],
        ),
        readings(),
    ]
}
