//! The demo in this process: the simulated fleet, and a whole svcwatch that watches it.

use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use svcwatch::demo::{Condition, Demo, Difference, SEED, Settings, words};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// Ten times what the demo promises at this speed: the first outage within seconds.
const OUTAGE_WITHIN: Duration = Duration::from_mins(1);
/// Ten times what the slowest fault takes to be confirmed.
const FAULTS_WITHIN: Duration = Duration::from_mins(2);

async fn demo(hosts: usize, speed: f64) -> Demo {
    let settings = Settings {
        hosts,
        speed,
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        seed: SEED,
    };
    Box::pin(Demo::start(&settings)).await.unwrap()
}

/// The items of a list of the API, all pages of it.
async fn items(address: SocketAddr, list: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut next = String::new();
    loop {
        let path = format!("/api/v1/{list}?limit=1000{next}");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let page: Value = serde_json::from_str(body).unwrap();
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(more) => next = format!("&next={more}"),
            None => return all,
        }
    }
}

/// The faults of the hosts, by name.
async fn faults(address: SocketAddr) -> BTreeMap<String, Option<String>> {
    let hosts = items(address, "hosts").await;
    let fault = |host: &Value| host["fault"].as_str().map(str::to_owned);
    let named = |host: &Value| host["name"].as_str().unwrap().to_owned();
    hosts
        .iter()
        .map(|host| (named(host), fault(host)))
        .collect()
}

const fn word(condition: Condition) -> &'static str {
    match condition {
        Condition::Well => "",
        Condition::Refuses | Condition::Dead => "unreachable",
        Condition::Silent => "timeout",
        Condition::RefusesLogon => "logon_refused",
        Condition::DeniesAccess => "access_denied",
        Condition::Garbage => "protocol_error",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_in_words_and_its_end_too() {
    let demo = demo(30, 10.0).await;
    let mut tail = demo.tail();
    let mut told = Vec::new();
    let both = async {
        loop {
            let line = words::line(&tail.next().await.unwrap())
                .unwrap()
                .print(false);
            told.push(line);
            let has = |what: &str| told.iter().any(|line| line.contains(what));
            if has("stopped: ") && has("RESOLVED") {
                return;
            }
        }
    };
    let in_time = timeout(OUTAGE_WITHIN, both).await;
    assert!(in_time.is_ok(), "told so far: {told:#?}");
    let folder = demo.folder().to_owned();
    assert!(folder.exists());
    demo.stop().await.unwrap();
    assert!(!folder.exists(), "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_has_its_own_word_and_harms_no_other_host() {
    let mut demo = demo(30, 10.0).await;
    let address = demo.app().address();
    let world = Arc::clone(demo.fleet().world());
    let mut expected: BTreeMap<String, &str> = BTreeMap::new();
    for (host, condition) in &demo.cast().hosts {
        expected.insert(world.host_name(*host).to_owned(), word(*condition));
    }
    for host in &demo.cast().impostors {
        expected.insert(world.host_name(*host).to_owned(), "wrong_host");
    }
    assert_eq!(expected.len(), 6, "{expected:?}");
    let until = Instant::now() + FAULTS_WITHIN;
    loop {
        let faults = faults(address).await;
        let all = expected
            .iter()
            .all(|(host, fault)| faults.get(host).and_then(Option::as_deref) == Some(*fault));
        if all {
            break;
        }
        assert!(
            Instant::now() < until,
            "wanted {expected:?}, saw {faults:?}"
        );
        sleep(Duration::from_millis(100)).await;
    }
    // What is wrong with those is wrong with no host that is well.
    let well = &demo.cast().services;
    let faults = faults(address).await;
    for (target, _) in well {
        let name = world.host_name(target.host);
        assert_eq!(faults.get(name), Some(&None), "{name}");
    }
    demo.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_paused_missing_hidden_and_stuck_are_told_apart() {
    let mut demo = demo(30, 10.0).await;
    let address = demo.app().address();
    let world = Arc::clone(demo.fleet().world());
    let expected: Vec<(String, String, &str)> = demo
        .cast()
        .services
        .iter()
        .map(|(target, difference)| {
            let event = match difference {
                Difference::Missing => "missing",
                Difference::Hidden => "hidden",
                paused if *paused == Difference::PAUSED => "paused",
                stuck if *stuck == Difference::starting(1) => "stuck",
                Difference::Status { .. } => "stopped",
            };
            let host = world.host_name(target.host).to_owned();
            (host, world.service_name(*target).to_owned(), event)
        })
        .collect();
    assert_eq!(expected.len(), 5, "{expected:?}");
    let until = Instant::now() + FAULTS_WITHIN;
    loop {
        let incidents = items(address, "incidents").await;
        let open = |host: &str, service: &str, event: &str| {
            incidents.iter().any(|incident| {
                incident["host"] == *host
                    && incident["service"] == *service
                    && incident["event"] == *event
            })
        };
        let missing: Vec<_> = expected
            .iter()
            .filter(|(host, service, event)| !open(host, service, event))
            .collect();
        if missing.is_empty() {
            break;
        }
        assert!(
            Instant::now() < until,
            "wanted {missing:?}, saw {incidents:#?}"
        );
        sleep(Duration::from_millis(100)).await;
    }
    demo.stop().await.unwrap();
}
