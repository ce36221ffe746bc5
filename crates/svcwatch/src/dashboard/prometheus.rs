//! The dashboard of svcwatch's metrics.
//!
//! Whatever a host last showed stands in its metrics while it cannot be read, and `svcwatch_host_up` is 0 then. Here
//! the two are multiplied, so that nothing is green that nobody can see.

use super::{
    Datasource,
    panel::{Cell, Colours, Column, Dashboard, Panel, Query, Row, Runbook, Shown, Variable},
};

/// The hosts of the chosen sites; hosts without a site too, while all are chosen.
const OF_SITE: &str = r#"and on (job, instance, host) svcwatch_host_info{site=~"$site"}"#;
/// The chosen services, as labels.
const CHOSEN: &str = r#"host=~"$host", name=~"$service""#;
/// Makes 0 of what is said of a host that cannot be read.
const SEEN: &str = "* on (job, instance, host) group_left () svcwatch_host_up";
/// One value for each service, also where two svcwatch watch it.
const EACH: &str = "max by (host, name)";

/// The faults that have a runbook of their own, as a pattern; all others are of a host that does not answer.
pub(super) const FAULTS_WITH_PAGE: &str =
    "access_denied|account_paused|logon_refused|protocol_error|wrong_host";

/// The dashboard.
pub(super) fn dashboard() -> Dashboard {
    let variable = |name, title, query| Variable { name, title, query };
    let row = |title, panels| Row { title, panels };
    Dashboard {
        datasource: Datasource::Prometheus,
        uid: "svcwatch-prometheus",
        title: "Windows services (svcwatch)",
        says: "The states of Windows services over time, what is wrong, what was told, and how svcwatch itself does.",
        variables: vec![
            variable("site", "Site", "label_values(svcwatch_host_info, site)"),
            variable(
                "host",
                "Host",
                r#"label_values(svcwatch_host_info{site=~"$site"}, host)"#,
            ),
            variable(
                "service",
                "Service",
                r#"label_values(svcwatch_service_state{host=~"$host"}, name)"#,
            ),
        ],
        rows: vec![
            row("Now", numbers().into_iter().chain(lists()).collect()),
            row("Services over time", over_time()),
            row("Incidents and notices", told()),
            row("svcwatch", checks().into_iter().chain(written()).collect()),
        ],
    }
}

fn query(text: impl Into<String>, legend: &'static str) -> Query {
    Query {
        text: text.into(),
        legend,
    }
}

const fn column(field: &'static str, title: &'static str, cell: Cell) -> Column {
    Column { field, title, cell }
}

/// Services that are not as expected.
fn wrong() -> String {
    format!(r#"windows_service_status{{{CHOSEN}, status="ok"}} == 0"#)
}

fn number(
    title: &'static str,
    says: &'static str,
    text: impl Into<String>,
    colours: Colours,
) -> Panel {
    let share = matches!(colours, Colours::Share);
    Panel {
        title,
        says,
        width: 4,
        height: 4,
        shown: Shown::Number(colours),
        unit: if share { "percentunit" } else { "" },
        queries: vec![query(text, title)],
        runbook: None,
    }
}

fn chart(
    title: &'static str,
    says: &'static str,
    shown: Shown,
    unit: &'static str,
    queries: Vec<Query>,
) -> Panel {
    Panel {
        title,
        says,
        width: 8,
        height: 8,
        shown,
        unit,
        queries,
        runbook: None,
    }
}

fn table(
    title: &'static str,
    says: &'static str,
    width: u32,
    runbook: Runbook,
    queries: Vec<Query>,
    columns: Vec<Column>,
) -> Panel {
    Panel {
        title,
        says,
        width,
        height: 9,
        shown: Shown::Table(columns),
        unit: "",
        queries,
        runbook: Some(runbook),
    }
}

/// The share of the time in which services were as expected, of that in which they could be seen; none where they
/// never could.
fn as_expected() -> String {
    let status = format!(r#"windows_service_status{{{CHOSEN}, status="ok"}}"#);
    format!(
        "sum_over_time(({status} {SEEN})[$__range:$__interval]) / (sum_over_time((0 * {status} + on (job, instance, host) group_left () svcwatch_host_up)[$__range:$__interval]) > 0) {OF_SITE}"
    )
}

/// The share of the time in which hosts could be read.
fn readable() -> String {
    format!(r#"avg_over_time(svcwatch_host_up{{host=~"$host"}}[$__range]) {OF_SITE}"#)
}

/// The fault of each host, with the name of its runbook as a label.
fn fault_and_page() -> String {
    let fault = format!(r#"max by (host, fault) (svcwatch_host_fault{{host=~"$host"}} {OF_SITE})"#);
    let usual = format!(r#"label_replace({fault}, "page", "host_unreachable", "", "")"#);
    format!(r#"label_replace({usual}, "page", "$1", "fault", "({FAULTS_WITH_PAGE})")"#)
}

fn numbers() -> Vec<Panel> {
    let wrong = wrong();
    vec![
        number(
            "Services not as expected",
            "Services that are stopped, paused, stuck or missing and should not be, or run and should not, as they were last seen.",
            format!("count({wrong} {OF_SITE}) or vector(0)"),
            Colours::Zero,
        ),
        number(
            "Hosts that cannot be read",
            "Hosts whose services nobody can see.",
            format!(r#"count(svcwatch_host_up{{host=~"$host"}} == 0 {OF_SITE}) or vector(0)"#),
            Colours::Zero,
        ),
        number(
            "Open incidents",
            "Of all hosts, whichever are chosen above.",
            "sum(svcwatch_incidents_open)",
            Colours::Zero,
        ),
        number(
            "Services watched",
            "Of the chosen hosts.",
            format!("count(svcwatch_service_state{{{CHOSEN}}} {OF_SITE})"),
            Colours::Plain,
        ),
        number(
            "As expected",
            "The mean share of the time shown in which services were as expected, of the time in which they could be seen.",
            format!("avg({})", as_expected()),
            Colours::Share,
        ),
        number(
            "Readable",
            "The mean share of the time shown in which hosts could be read.",
            format!("avg({})", readable()),
            Colours::Share,
        ),
    ]
}

fn lists() -> Vec<Panel> {
    let wrong = wrong();
    vec![
        table(
            "Not as expected",
            "Services that are not as expected now, with their state, since when, Win32's exit code, and whether that is not told (muted). Unknown: the host cannot be read.",
            16,
            Runbook::Page("service_status"),
            vec![
                query(
                    format!(
                        "{EACH} (svcwatch_service_state {SEEN} and on (job, instance, host, name) ({wrong}) {OF_SITE})"
                    ),
                    "",
                ),
                query(
                    format!(
                        "1000 * {EACH} (svcwatch_service_last_change_timestamp_seconds and on (job, instance, host, name) ({wrong}) {OF_SITE})"
                    ),
                    "",
                ),
                query(
                    format!(
                        "{EACH} (svcwatch_service_exit_code and on (job, instance, host, name) ({wrong}) {OF_SITE})"
                    ),
                    "",
                ),
                query(
                    format!(
                        "{EACH} (svcwatch_service_muted and on (job, instance, host, name) ({wrong}) {OF_SITE})"
                    ),
                    "",
                ),
            ],
            vec![
                column("host", "Host", Cell::Plain),
                column("name", "Service", Cell::Linked),
                column("Value #A", "State", Cell::State),
                column("Value #B", "Since", Cell::Since),
                column("Value #C", "Exit code", Cell::Plain),
                column("Value #D", "Muted", Cell::Yes),
            ],
        ),
        table(
            "Why hosts cannot be read",
            "The fault of each host that cannot be read, and the runbook for it.",
            8,
            Runbook::Named("page"),
            vec![query(fault_and_page(), "")],
            vec![
                column("host", "Host", Cell::Plain),
                column("fault", "Fault", Cell::Plain),
                column("page", "Runbook", Cell::Linked),
                column("Value", "Value", Cell::Hidden),
            ],
        ),
    ]
}

fn over_time() -> Vec<Panel> {
    let mut states = chart(
        "States",
        "The state of each service over time, a row for each. Grey: its host could not be read, so nobody knows.",
        Shown::Timeline,
        "",
        vec![query(
            format!("{EACH} (svcwatch_service_state{{{CHOSEN}}} {SEEN} {OF_SITE})"),
            "{{host}} {{name}}",
        )],
    );
    (states.width, states.height, states.runbook) = (24, 14, Some(Runbook::Page("service_status")));
    vec![
        states,
        table(
            "Availability",
            "The hundred services that were least as expected: the share of the time in which they were, of that in which they could be seen; and how much that was.",
            12,
            Runbook::Page("service_status"),
            vec![
                query(
                    format!("bottomk(100, min by (host, name) ({}))", as_expected()),
                    "",
                ),
                query(
                    format!(
                        "min by (host, name) (0 * svcwatch_service_state{{{CHOSEN}}} + on (job, instance, host) group_left () ({}))",
                        readable()
                    ),
                    "",
                ),
            ],
            vec![
                column("host", "Host", Cell::Plain),
                column("name", "Service", Cell::Linked),
                column("Value #A", "As expected", Cell::Share),
                column("Value #B", "Seen", Cell::Share),
            ],
        ),
        table(
            "Restarts",
            "How often a service got another process in the time shown, a reboot of its host included; the fifty with the most.",
            12,
            Runbook::Page("restarted"),
            vec![query(
                format!(
                    "topk(50, {EACH} (changes(svcwatch_service_process_id{{{CHOSEN}}}[$__range]) {OF_SITE}) > 0)"
                ),
                "",
            )],
            vec![
                column("host", "Host", Cell::Plain),
                column("name", "Service", Cell::Linked),
                column("Value", "Restarts", Cell::Plain),
            ],
        ),
    ]
}

fn told() -> Vec<Panel> {
    vec![
        chart(
            "Open incidents",
            "By what is wrong and how bad it is; of all hosts.",
            Shown::Bars,
            "",
            vec![query(
                "sum by (event, severity) (svcwatch_incidents_open) > 0",
                "{{event}} ({{severity}})",
            )],
        ),
        chart(
            "Changes",
            "Confirmed changes of services and hosts, by what happened; of all hosts.",
            Shown::Bars,
            "",
            vec![query(
                "sum by (event) (increase(svcwatch_transitions_total[$__rate_interval])) > 0",
                "{{event}}",
            )],
        ),
        chart(
            "Not told",
            "What was not told, by the reason.",
            Shown::Bars,
            "",
            vec![query(
                "sum by (reason) (increase(svcwatch_drops_total[$__rate_interval])) > 0",
                "{{reason}}",
            )],
        ),
        chart(
            "Notices delivered",
            "Deliveries that a destination took.",
            Shown::Bars,
            "",
            vec![query(
                r#"sum by (destination) (increase(svcwatch_deliveries_total{result="delivered"}[$__rate_interval]))"#,
                "{{destination}}",
            )],
        ),
        chart(
            "Notices that failed",
            "Tries that did not deliver: retry is tried again, rejected is not.",
            Shown::Bars,
            "",
            vec![query(
                r#"sum by (destination, result) (increase(svcwatch_deliveries_total{result!="delivered"}[$__rate_interval]))"#,
                "{{destination}}: {{result}}",
            )],
        ),
        chart(
            "Deliveries that wait",
            "They should fall to zero again.",
            Shown::Lines,
            "",
            vec![query(
                "sum by (destination) (svcwatch_outbox_pending)",
                "{{destination}}",
            )],
        ),
    ]
}

/// Of a histogram, what this share of its values stays below.
fn quantile(share: &str, metric: &str) -> String {
    format!(
        "histogram_quantile({share}, sum by (instance, le) (rate({metric}_bucket[$__rate_interval])))"
    )
}

fn checks() -> Vec<Panel> {
    let checks =
        r#"sum by (instance) (rate(svcwatch_checks_total{result!="late"}[$__rate_interval]))"#;
    let missed = "sum by (instance) (rate(svcwatch_missed_rounds_total[$__rate_interval]))";
    let slow = |metric| {
        vec![
            query(quantile("0.5", metric), "{{instance}} half"),
            query(quantile("0.99", metric), "{{instance}} 99 of 100"),
        ]
    };
    vec![
        chart(
            "Checks in time",
            "The share of planned checks that were carried out; the others were left out because the one before was still under way, or no place was free.",
            Shown::Lines,
            "percentunit",
            vec![query(
                format!("{checks} / ({checks} + {missed})"),
                "{{instance}}",
            )],
        ),
        chart(
            "Checks by result",
            "Checks of hosts a second, by how they ended.",
            Shown::Lines,
            "ops",
            vec![query(
                "sum by (result) (rate(svcwatch_checks_total[$__rate_interval])) > 0",
                "{{result}}",
            )],
        ),
        chart(
            "Lag",
            "How much later than planned checks began. It should stay below a second.",
            Shown::Lines,
            "s",
            slow("svcwatch_schedule_lag_seconds"),
        ),
        chart(
            "How long checks take",
            "From the beginning of a check of a host to its end.",
            Shown::Lines,
            "s",
            slow("svcwatch_check_duration_seconds"),
        ),
    ]
}

/// What svcwatch writes: its store, and its feeds.
fn written() -> Vec<Panel> {
    vec![
        chart(
            "Store",
            "How long it took until records were durable, and tries to write them that failed.",
            Shown::Lines,
            "s",
            vec![
                query(
                    quantile("0.99", "svcwatch_commit_duration_seconds"),
                    "{{instance}} 99 of 100",
                ),
                query(
                    "sum by (instance) (increase(svcwatch_commit_failures_total[$__rate_interval])) > 0",
                    "{{instance}} failed",
                ),
            ],
        ),
        chart(
            "Feeds",
            "Readings that wait for InfluxDB or a broker, and such as were given up.",
            Shown::Lines,
            "",
            vec![
                query(
                    "sum by (destination) (svcwatch_feed_waiting)",
                    "{{destination}} waiting",
                ),
                query(
                    "sum by (destination) (increase(svcwatch_feed_dropped_total[$__rate_interval]))",
                    "{{destination}} given up",
                ),
            ],
        ),
    ]
}
