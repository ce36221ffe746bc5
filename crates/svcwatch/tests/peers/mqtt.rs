//! Notices and readings through a real broker.

use crate::dest_support::{Certificates, deliver, stopped};
use crate::feed_support::{AT, reading, readings, ready};
use crate::run_support::{DEADLINE, Host, House, Receiver, eventually};
use crate::support::mosquitto::{Broker, Ear, Heard};
use std::time::{Duration, Instant};
use svcwatch::{
    dest::{
        Settings,
        mqtt::{Settings as Mqtt, Tls, Topics, Version},
    },
    feed::{Fed, Reading},
    secret::Secret,
};
use svcwatch_core::observe::State;

fn settings(broker: &Broker) -> Mqtt {
    Mqtt {
        port: Some(broker.port),
        timeout: Duration::from_secs(5),
        topics: Topics {
            stopped: Some("qliksense/service_stopped".to_owned()),
            running: Some("qliksense/service_running".to_owned()),
            status: Some("qliksense/service_status".to_owned()),
        },
        ..Mqtt::new("127.0.0.1")
    }
}

fn field(heard: &Heard, name: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(&heard.payload).unwrap_or_default();
    body[name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_delivered_when_the_broker_has_acknowledged_it() {
    let broker = Broker::start("allow_anonymous true");
    let mut ear = broker.listen(&[]);
    for version in [Version::V4, Version::V5] {
        let settings = Mqtt {
            version,
            presence: false,
            ..settings(&broker)
        };
        deliver(Settings::Mqtt(settings), stopped())
            .await
            .expect("delivered", "acknowledged");
    }
    let first = ear.wait_for("the notice", |heard| {
        heard.topic == "qliksense/service_stopped/srv01/Spooler"
    });
    assert_eq!(
        (field(&first, "serviceStatus").as_str(), first.kept),
        ("STOPPED", false)
    );
    let second = ear.wait_for("its properties", |heard| {
        heard.properties.contains("incident")
    });
    for name in [
        "key:",
        "event:stopped",
        "at:2024-03-13T12:05:00.042Z",
        "incident:0123456789abcdef-7",
    ] {
        assert!(second.properties.contains(name), "{second:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_state_is_kept_for_those_who_come_later_and_so_is_our_presence() {
    let broker = Broker::start("allow_anonymous true");
    for version in [Version::V4, Version::V5] {
        let destination = ready(Settings::Mqtt(Mqtt {
            version,
            ..settings(&broker)
        }))
        .await;
        let states = [State::Running, State::StopPending, State::Stopped];
        let all: Vec<Reading> = states
            .into_iter()
            .map(|state| reading("srv01", "MSSQL$A/B", state))
            .collect();
        let all: Vec<&Reading> = all.iter().collect();
        assert_eq!(destination.feed(&all, AT).await, Fed::all(3));
        let mut late = broker.listen(&[]);
        let kept = late.wait_for("the last state", |heard| {
            heard.topic == "qliksense/service_status/srv01/MSSQL$A%2FB"
        });
        assert_eq!(
            (field(&kept, "serviceStatus").as_str(), kept.kept),
            ("STOPPED", true)
        );
        let there = late.wait_for("our presence", |heard| {
            heard.topic == "qliksense/service_status/svcwatch"
        });
        assert_eq!((there.payload.as_str(), there.kept), ("online", true));
        // Nobody uses the connection any more: it says goodbye.
        drop(destination);
        late.wait_for("our end", |heard| {
            heard.topic.ends_with("/svcwatch") && heard.payload == "offline"
        });
    }
}

#[test]
fn the_broker_itself_says_that_we_are_gone_when_we_cannot() {
    let broker = Broker::start("allow_anonymous true");
    let mut ear = broker.listen(&[]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let settings = Settings::Mqtt(settings(&broker));
    // It lives on while its runtime ends, as after a kill: nothing of it says goodbye.
    let _held = runtime.block_on(async {
        let destination = ready(settings).await;
        let one = reading("srv01", "Spooler", State::Running);
        assert_eq!(destination.feed(&[&one], AT).await, Fed::all(1));
        destination
    });
    ear.wait_for("our presence", |heard| heard.payload == "online");
    runtime.shutdown_background();
    ear.wait_for("the last will", |heard| {
        heard.topic == "qliksense/service_status/svcwatch" && heard.payload == "offline"
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_needed_where_the_broker_has_users() {
    let broker = Broker::with_password("monitor", "canary-right");
    let with = |user: Option<&str>, password: &str, version| {
        Settings::Mqtt(Mqtt {
            user: user.map(Secret::from),
            password: user.map(|_| Secret::from(password)),
            version,
            ..settings(&broker)
        })
    };
    for version in [Version::V4, Version::V5] {
        let right = deliver(with(Some("monitor"), "canary-right", version), stopped()).await;
        right.expect("delivered", "acknowledged");
        for (user, password) in [
            (None, ""),
            (Some("monitor"), "canary-wrong"),
            (Some("nobody"), "canary-wrong"),
        ] {
            let refused = deliver(with(user, password, version), stopped()).await;
            refused.expect("rejected", "we are not authorized");
            assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
        }
    }
    let wrong = ready(with(Some("monitor"), "canary-wrong", Version::V5)).await;
    assert!(
        wrong
            .check()
            .await
            .is_err_and(|said| said.contains("not authorized"))
    );
    let right = ready(with(Some("monitor"), "canary-right", Version::V5)).await;
    assert!(
        right
            .check()
            .await
            .is_ok_and(|said| said.contains("lets us in"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_needs_a_known_authority_and_a_certificate_where_one_is_asked_for() {
    let certificates = Certificates::new(&["127.0.0.1", "localhost"], false);
    let files = format!(
        "allow_anonymous true\ncafile {}\ncertfile {}\nkeyfile {}\n",
        certificates.ca().display(),
        certificates.certificate().display(),
        certificates.key().display()
    );
    let with = |broker: &Broker, ca: bool, identity: bool| {
        let own = |path: std::path::PathBuf| identity.then_some(path);
        Settings::Mqtt(Mqtt {
            tls: Some(Tls {
                ca: ca.then(|| certificates.ca()),
                cert: own(certificates.certificate()),
                key: own(certificates.key()),
            }),
            // As Azure Event Grid wants it: the user is the client id, and there is no password.
            user: identity.then(|| Secret::from("monitor-7")),
            client_id: identity.then(|| "monitor-7".to_owned()),
            ..settings(broker)
        })
    };
    let open = Broker::start(&files);
    deliver(with(&open, true, false), stopped())
        .await
        .expect("delivered", "acknowledged");
    deliver(with(&open, false, false), stopped())
        .await
        .expect("retry", "not signed by an authority that is known here");
    let plain = Settings::Mqtt(settings(&open));
    deliver(plain, stopped())
        .await
        .expect("retry", "connection");
    let strict = Broker::start(&format!("{files}require_certificate true\n"));
    deliver(with(&strict, true, true), stopped())
        .await
        .expect("delivered", "acknowledged");
    deliver(with(&strict, true, false), stopped())
        .await
        .expect("retry", "127.0.0.1");
    let clear = Broker::start("allow_anonymous true");
    deliver(with(&clear, true, false), stopped())
        .await
        .expect("retry", "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_readings_and_a_thousand_notices_each_second() {
    let broker = Broker::start("allow_anonymous true\nmax_queued_messages 0");
    let destination = ready(Settings::Mqtt(settings(&broker))).await;
    let all = readings(10_000);
    let all: Vec<&Reading> = all.iter().collect();
    let begun = Instant::now();
    assert_eq!(destination.feed(&all, AT).await, Fed::all(10_000));
    let took = begun.elapsed();
    println!("10,000 acknowledged messages through MQTT: {took:?}");
    // Ten times what is promised: tests share the machine and are not optimised.
    assert!(took < Duration::from_secs(100), "{took:?}");
}

/// The notices that were heard, as event and incident. One that was acknowledged when nobody heard it any more comes
/// once more, and stands there once.
fn notices(ear: &Ear) -> Vec<(String, String)> {
    let mut seen: Vec<(String, String)> = Vec::new();
    for notice in ear.heard() {
        if !notice.topic.starts_with("a/stopped/") && !notice.topic.starts_with("a/running/") {
            continue;
        }
        let word = |name: &str| {
            let found = notice.properties.split_once(&format!("{name}:"));
            let (_, rest) = found.expect("it is there");
            rest.split(' ').next().unwrap_or_default().to_owned()
        };
        let one = (word("event"), word("incident"));
        if seen.last() != Some(&one) {
            seen.push(one);
        }
    }
    seen
}

/// One simulated host that is read each second, with a broker beside the webhook.
fn house(host: &Host, receiver: &Receiver, broker: &Broker) -> House {
    let head = House::head(receiver).replace(
        "destinations: { ",
        &format!(
            "destinations: {{ broker: {{ type: mqtt, host: 127.0.0.1, port: {}, version: 5, timeout: 2s, topics: {{ stopped: a/stopped, running: a/running, status: a/status }} }}, ",
            broker.port
        ),
    );
    House::new(&format!(
        "{head}hosts: [{{ name: lab, address: 127.0.0.1, port: {}, services: [Spooler] }}]\n",
        host.address.port()
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_notice_is_lost_while_the_broker_is_restarted_again_and_again() {
    let mut broker = Broker::start("allow_anonymous true");
    let (host, receiver) = (Host::start(&["Spooler"]).await, Receiver::start().await);
    let house = house(&host, &receiver, &broker);
    // It keeps what this one has not heard, over its own restarts too.
    let mut ear = broker.listen(&["-i", "ear", "-c"]);
    let app = house.start().await;
    ear.wait_for("a reading", |heard| heard.topic == "a/status/lab/Spooler");
    let mut told = 0;
    for turn in 0..3 {
        for runs in [false, true] {
            host.set("Spooler", runs);
            told += 1;
            receiver.wait_for(told).await;
        }
        broker.down();
        for runs in [false, true] {
            host.set("Spooler", runs);
            told += 1;
            receiver.wait_for(told).await;
        }
        broker.up();
        println!("turn {turn}: {told} notices told");
    }
    let wanted: Vec<(String, String)> = receiver
        .bodies()
        .iter()
        .map(|body| {
            (
                body["event"].to_string(),
                body["incident"]["id"].to_string(),
            )
        })
        .map(|(event, incident)| (event.replace('"', ""), incident.replace('"', "")))
        .collect();
    let begun = Instant::now();
    let heard = loop {
        let seen = notices(&ear);
        if seen.len() >= wanted.len() || begun.elapsed() > DEADLINE {
            break seen;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(heard, wanted, "each, in its order");
    // The state is right in the end, also for those who come only now.
    let mut late = broker.listen(&[]);
    let state = eventually("the last state", async || {
        let kept = late
            .heard()
            .into_iter()
            .rfind(|heard| heard.topic == "a/status/lab/Spooler");
        kept.map(|heard| field(&heard, "serviceStatus"))
            .filter(|state| state == "RUNNING")
    })
    .await;
    assert_eq!(state, "RUNNING");
    // Killed in an instant, the broker says so for us; ended well, we do.
    app.stop().await.unwrap();
    late.wait_for("our end", |heard| {
        heard.topic == "a/status/svcwatch" && heard.payload == "offline"
    });
}
