//! Brokers that answer garbage, hang, close, refuse or lie: the verdict comes in time and says why.

use crate::dest_support::{PATIENCE, deliver, serve, stopped};
use crate::feed_support::{AT, reading, ready};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use svcwatch::{
    dest::{
        Settings,
        mqtt::{Settings as Mqtt, Topics, Version},
    },
    feed::Next,
    secret::Secret,
};
use svcwatch_core::observe::State;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What a broker says that lets us in, in both versions.
const WELCOME_3: &[u8] = b"\x20\x02\x00\x00";
const WELCOME_5: &[u8] = b"\x20\x03\x00\x00\x00";

fn settings(address: SocketAddr, version: Version) -> Mqtt {
    Mqtt {
        port: Some(address.port()),
        version,
        timeout: Duration::from_secs(1),
        user: Some(Secret::from("monitor")),
        password: Some(Secret::from("canary")),
        topics: Topics {
            stopped: Some("a/stopped".to_owned()),
            running: None,
            status: Some("a/status".to_owned()),
        },
        ..Mqtt::new("127.0.0.1")
    }
}

/// A broker that says the first of these to the introduction, the second to whatever follows, and then nothing; where
/// there is no second, it ends the connection.
async fn broker(first: &'static [u8], second: Option<&'static [u8]>) -> SocketAddr {
    serve(move |mut stream: TcpStream| async move {
        let mut buffer = [0; 4_096];
        let _heard = stream.read(&mut buffer).await;
        if stream.write_all(first).await.is_err() {
            return;
        }
        let Some(second) = second else { return };
        let _heard = stream.read(&mut buffer).await;
        if stream.write_all(second).await.is_ok() {
            std::future::pending::<()>().await;
        }
    })
    .await
}

/// More than any answer has.
static LONG: [u8; 70_000] = [0xff; 70_000];

/// What the broker does, in which version, what it says first and then, and the right verdict with its words.
type Case = (
    &'static str,
    Version,
    &'static [u8],
    Option<&'static [u8]>,
    &'static str,
    &'static str,
);

const CASES: [Case; 20] = [
    (
        "nothing",
        Version::V4,
        b"",
        Some(b""),
        "retry",
        "within 1 s",
    ),
    ("an end", Version::V4, b"", None, "retry", "connection"),
    (
        "HTTP",
        Version::V4,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        None,
        "retry",
        "nobody asked it for",
    ),
    (
        "SSH",
        Version::V5,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        None,
        "retry",
        "nobody asked it for",
    ),
    ("ones", Version::V5, &LONG, None, "retry", "broker"),
    (
        "a huge packet",
        Version::V4,
        b"\x20\xff\xff\xff\x7f",
        None,
        "retry",
        "more than any answer has",
    ),
    (
        "a pong",
        Version::V4,
        b"\xd0\x00",
        None,
        "retry",
        "out of turn",
    ),
    (
        "a bad password",
        Version::V4,
        b"\x20\x02\x00\x04",
        None,
        "rejected",
        "user name or password is wrong",
    ),
    (
        "no rights",
        Version::V4,
        b"\x20\x02\x00\x05",
        None,
        "rejected",
        "not authorized",
    ),
    (
        "not now",
        Version::V4,
        b"\x20\x02\x00\x03",
        None,
        "retry",
        "not available now",
    ),
    (
        "an older broker",
        Version::V5,
        b"\x20\x02\x00\x01",
        None,
        "rejected",
        "write version: 4",
    ),
    (
        "a full one",
        Version::V5,
        b"\x20\x03\x00\x97\x00",
        None,
        "retry",
        "a quota is used up",
    ),
    (
        "one without acknowledgements",
        Version::V5,
        b"\x20\x05\x00\x00\x02\x24\x00",
        Some(b""),
        "rejected",
        "write qos: 0",
    ),
    (
        "small packets alone",
        Version::V5,
        b"\x20\x08\x00\x00\x05\x27\x00\x00\x00\x10",
        Some(b""),
        "rejected",
        "the broker takes 16",
    ),
    (
        "no acknowledgement",
        Version::V4,
        WELCOME_3,
        Some(b""),
        "retry",
        "within 1 s",
    ),
    (
        "an end after it",
        Version::V4,
        WELCOME_3,
        None,
        "retry",
        "connection",
    ),
    (
        "another one's",
        Version::V4,
        WELCOME_3,
        Some(b"\x40\x02\x12\x34"),
        "retry",
        "was not given",
    ),
    (
        "a refusal",
        Version::V5,
        WELCOME_5,
        Some(b"\x40\x03\x00\x01\x87"),
        "rejected",
        "not authorized",
    ),
    (
        "no room",
        Version::V5,
        WELCOME_5,
        Some(b"\x40\x03\x00\x01\x97"),
        "retry",
        "a quota is used up",
    ),
    (
        "a goodbye",
        Version::V5,
        WELCOME_5,
        Some(b"\xe0\x01\x8e"),
        "retry",
        "client_id of its own",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_broker_does_the_verdict_comes_in_time_and_says_why() {
    for (what, version, first, second, verdict, says) in CASES {
        let address = broker(first, second).await;
        let outcome = deliver(Settings::Mqtt(settings(address, version)), stopped()).await;
        println!("{what}: {outcome:?}");
        outcome.expect(verdict, says);
        assert!(!format!("{outcome:?}").contains("canary"), "{what}");
    }
    let nobody = settings(SocketAddr::from(([127, 0, 0, 1], 1)), Version::V4);
    deliver(Settings::Mqtt(nobody), stopped())
        .await
        .expect("retry", "cannot be reached");
    let unknown = Mqtt::new("host.invalid");
    let unknown = Mqtt {
        topics: settings(SocketAddr::from(([127, 0, 0, 1], 1)), Version::V4).topics,
        ..unknown
    };
    deliver(Settings::Mqtt(unknown), stopped())
        .await
        .expect("retry", "host.invalid:1883");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_never_stops_talking_is_left() {
    let address = serve(|mut stream: TcpStream| async move {
        let mut buffer = [0; 4_096];
        let _heard = stream.read(&mut buffer).await;
        let _said = stream.write_all(WELCOME_3).await;
        let flood = [0xd0, 0x00].repeat(4_096);
        while stream.write_all(&flood).await.is_ok() {}
    })
    .await;
    deliver(Settings::Mqtt(settings(address, Version::V4)), stopped())
        .await
        .expect("retry", "out of turn");
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_stay_while_a_broker_refuses_them() {
    let address = broker(b"\x20\x02\x00\x05", None).await;
    let destination = ready(Settings::Mqtt(settings(address, Version::V4))).await;
    let one = reading("srv01", "Spooler", State::Running);
    let fed = destination.feed(&[&one, &one], AT).await;
    assert_eq!((fed.done, fed.dropped), (0, 0));
    assert!(
        matches!(&fed.next, Next::Retry { after: Some(_), reason } if reason.contains("not authorized")),
        "{fed:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_for_a_dead_broker_make_few_connections_and_end_in_time() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let address = serve(move |stream: TcpStream| {
        counted.fetch_add(1, Ordering::Relaxed);
        drop(stream);
        std::future::ready(())
    })
    .await;
    let destination = ready(Settings::Mqtt(settings(address, Version::V4))).await;
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..500 {
        let destination = Arc::clone(&destination);
        tasks.spawn(async move {
            let one = reading("srv01", &format!("s{number}"), State::Running);
            destination.feed(&[&one], AT).await
        });
    }
    while let Some(fed) = tasks.join_next().await {
        assert!(matches!(fed.expect("no panic").next, Next::Retry { .. }));
    }
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let made = connections.load(Ordering::Relaxed);
    println!("{made} connections for 500 messages");
    assert!(made < 50, "{made}");
}
