//! Ten thousand services that stop at once, told at all seven kinds of destination: by the whole program, on the real
//! store.

use crate::{
    feed_influxdb, feed_support,
    run_support::{Host, House, STOPPED, get, items},
    speed_support::{Arrived, Places, SERVICES, broker, http, mail, name, serve},
};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use svcwatch::{app::App, dest::Settings, feed::Fed};

const OF_HOST: usize = 100;
const HOSTS: usize = SERVICES / OF_HOST;
/// Seven recipients, at 1,000 deliveries a second in all, and ten times as long as that.
const WITHIN: Duration = Duration::from_secs(700);
/// How much more memory the process may hold while all is told, in MiB, receivers and simulated hosts included. What
/// waits is 70,000 deliveries that share 10,000 notices, and all of them begin in a few transactions: 6 KiB for each,
/// with its lane, its copy in the transaction and in the store, and 100 MiB for everything else. Messages of a few
/// KiB are only made for those that are under way.
const GROWTH_MAX: u64 = 512;

/// Memory that this process holds, in MiB (proc(5), VmRSS).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0_u64) / 1_024
}

async fn hosts() -> Vec<Arc<Host>> {
    let mut hosts = Vec::new();
    for host in 0..HOSTS {
        let names: Vec<String> = (0..OF_HOST).map(|one| name(host * OF_HOST + one)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        hosts.push(Host::start(&names).await);
    }
    hosts
}

/// All seven, without limits, and the hosts.
async fn config(places: &Arc<Places>, hosts: &[Arc<Host>]) -> String {
    let http = serve(places, http).await;
    let (mail, broker) = (serve(places, mail).await, serve(places, broker).await);
    let mut lines = vec![format!(
        "listen: 127.0.0.1:0\n\
         credentials: {{ ops: {{ user: watcher, password: {{ env: PATH }} }} }}\n\
         defaults: {{ every: 30s, timeout: 2m, host_for: 0s, settle: 0s, credentials: ops }}\n\
         notices: {{ summary_above: off, reminder: off }}\n\
         destinations:\n\
         \x20 slack: {{ type: slack, url: 'http://{http}/slack' }}\n\
         \x20 teams: {{ type: teams, url: 'http://{http}/teams' }}\n\
         \x20 webhook: {{ type: webhook, url: 'http://{http}/webhook' }}\n\
         \x20 newrelic: {{ type: newrelic, event_url: 'http://{http}/events', log_url: 'http://{http}/log', accounts: [{{ name: ops, id: 1, key: {{ env: PATH }} }}] }}\n\
         \x20 email: {{ type: email, smtp: {{ host: 127.0.0.1, port: {}, tls: off }}, from: svcwatch@corp.example, to: [ops@corp.example] }}\n\
         \x20 mqtt: {{ type: mqtt, host: 127.0.0.1, port: {}, topics: {{ stopped: told/stopped, running: told/running, status: told/status }} }}\n\
         \x20 influxdb: {{ type: influxdb, url: 'http://{http}', version: 1, database: butler }}\n\
         hosts:",
        mail.port(),
        broker.port()
    )];
    for (place, host) in hosts.iter().enumerate() {
        let port = host.address.port();
        lines.push(format!(
            "  - {{ name: h{place:02}, address: 127.0.0.1, port: {port}, services: ['Svc*'] }}"
        ));
    }
    lines.join("\n")
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < WITHIN, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn services(place: &Mutex<Arrived>) -> usize {
    place.lock().unwrap().services
}

/// All services stop in one moment, as far as the program can see: each host is being read by then.
async fn stop_all(hosts: &[Arc<Host>]) -> Instant {
    for host in hosts {
        host.hold(true);
    }
    until("a check of each host", || {
        hosts.iter().all(|host| host.is_asked())
    })
    .await;
    for (place, host) in hosts.iter().enumerate() {
        for one in 0..OF_HOST {
            host.put(&name(place * OF_HOST + one), STOPPED);
        }
    }
    for host in hosts {
        host.hold(false);
    }
    Instant::now()
}

/// Waits until all is told; the most memory that was held meanwhile.
async fn told(places: &Places) -> u64 {
    let begun = Instant::now();
    let mut most = 0;
    loop {
        most = most.max(resident());
        let notices = places.of_notices();
        let feeds = [("status", &places.status), ("readings", &places.stopped)];
        let all = notices.iter().chain(&feeds);
        let short: Vec<(&str, usize)> = all
            .map(|(name, place)| (*name, services(place)))
            .filter(|(_, services)| *services < SERVICES)
            .collect();
        if short.is_empty() {
            return most;
        }
        assert!(
            begun.elapsed() < WITHIN,
            "of {SERVICES} came only {short:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn rate(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64()
}

fn tell(places: &Places, since: Instant) {
    let mut last = Duration::ZERO;
    for (name, place) in places.of_notices() {
        let arrived = place.lock().unwrap();
        let took = arrived.whole.unwrap() - since;
        last = last.max(took);
        println!(
            "{name}: {SERVICES} in {took:.1?}, {:.0} deliveries/s",
            rate(SERVICES, took)
        );
    }
    let all = SERVICES * places.of_notices().len();
    println!(
        "in all: {all} in {last:.1?}, {:.0} deliveries/s",
        rate(all, last)
    );
    for (name, place) in [
        ("influxdb", &places.stopped),
        ("mqtt status", &places.status),
    ] {
        let arrived = place.lock().unwrap();
        let (first, whole) = (arrived.first.unwrap(), arrived.whole.unwrap());
        println!(
            "{name}: {SERVICES} readings of what stopped within {:.2?} of the stop, {:.2?} from the first to the last of them",
            whole - since,
            whole - first
        );
    }
}

/// What the program says of its commits.
async fn tell_commits(app: &App) {
    let metrics = get(app, "/metrics").await.1;
    for line in metrics.lines() {
        if line.starts_with("svcwatch_commit_duration_seconds_") && !line.contains("_bucket") {
            println!("{line}");
        }
    }
}

/// The database takes ten thousand readings in one go.
async fn feed_at_once() {
    let database = feed_support::Database::start().await;
    let settings = feed_influxdb::one(&database);
    let destination = feed_support::ready(Settings::Influxdb(settings)).await;
    let all = feed_support::readings(SERVICES);
    let began = Instant::now();
    let fed = feed_influxdb::feed(&destination, &all).await;
    println!(
        "influxdb: {SERVICES} readings in one go in {:.2?}, {} requests",
        began.elapsed(),
        database.writes().len()
    );
    assert_eq!(fed, Fed::all(SERVICES));
    assert_eq!(database.lines().len(), SERVICES);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_stops_are_told_at_all_seven_destinations() {
    feed_at_once().await;
    let places = Arc::new(Places::default());
    let hosts = hosts().await;
    let house = House::new(&config(&places, &hosts).await);
    let app = house.start().await;
    until("the first reading of all", || {
        services(&places.running) == SERVICES
    })
    .await;
    let stopped = stop_all(&hosts).await;
    let before = resident();
    let most = told(&places).await;
    tell(&places, stopped);
    tell_commits(&app).await;
    let growth = most.saturating_sub(before);
    println!("memory: {before} MiB before, {most} MiB at most, {growth} MiB more");
    // What is told twice would come by now: nothing is on its way any more.
    let begun = Instant::now();
    for state in ["pending", "sending"] {
        let path = format!("/api/v1/deliveries?state={state}");
        while !items(&app, &path).await.is_empty() {
            assert!(begun.elapsed() < WITHIN, "deliveries are still {state}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    app.stop().await.unwrap();
    for (name, place) in places.of_notices() {
        let arrived = place.lock().unwrap();
        let lost = arrived.times.iter().filter(|times| **times == 0).count();
        let doubled = arrived.times.iter().filter(|times| **times > 1).count();
        assert_eq!((lost, doubled), (0, 0), "lost and doubled at {name}");
        assert_eq!(arrived.messages, SERVICES, "{name}");
        // MQTT 3.1.1 has no place for a key; there the topic says which service it is.
        let keys = if name == "mqtt" { 0 } else { SERVICES };
        assert_eq!(arrived.keys.len(), keys, "keys at {name}");
    }
    assert!(growth < GROWTH_MAX, "memory grew by {growth} MiB");
}
