//! Webhooks against servers that do everything wrong.

use crate::{
    dest_http::hook,
    dest_support::{PATIENCE, deliver, read_request, serve, stopped},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use svcwatch::dest::Settings;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A server that reads the request and then writes these bytes, forever where they are repeated.
async fn answering(
    head: &'static [u8],
    repeated: &'static [u8],
    pause: Duration,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let address = serve(move |mut stream: TcpStream| {
        let counter = Arc::clone(&counter);
        async move {
            read_request(&mut stream).await;
            drop(stream.write_all(head).await);
            while !repeated.is_empty() && stream.write_all(repeated).await.is_ok() {
                counter.fetch_add(repeated.len(), Ordering::Relaxed);
                tokio::time::sleep(pause).await;
            }
        }
    })
    .await;
    (address, written)
}

const MIB: &[u8] = &[b'x'; 1_048_576];
const NO: Duration = Duration::ZERO;
const SLOW: Duration = Duration::from_millis(300);

/// What the server is called here, what it answers, what it then repeats with which pause, and the right verdict.
type Case = (
    &'static str,
    &'static [u8],
    &'static [u8],
    Duration,
    &'static str,
);

const CASES: [Case; 13] = [
    ("says nothing", b"", b"", SLOW, "retry"),
    (
        "a byte at a time",
        b"HTTP/1.1 200 OK\r\n",
        b"a",
        SLOW,
        "retry",
    ),
    (
        "endless head",
        b"HTTP/1.1 200 OK\r\n",
        b"X-A: bbbbbbbbbbbbbbbbbbbbbbbb\r\n",
        NO,
        "retry",
    ),
    ("garbage", b"\x16\x03\x01\0\xff{}\r\n\r\n", b"", NO, "retry"),
    ("SMTP", b"220 mail.example ESMTP\r\n", b"", NO, "retry"),
    (
        "endless 100 Continue",
        b"",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        NO,
        "retry",
    ),
    (
        "endless body",
        b"HTTP/1.1 200 OK\r\n\r\n",
        MIB,
        NO,
        "delivered",
    ),
    (
        "endless refusal",
        b"HTTP/1.1 404 No\r\n\r\n",
        MIB,
        NO,
        "rejected",
    ),
    (
        "endless chunk",
        b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffff\r\n",
        MIB,
        NO,
        "retry",
    ),
    (
        "a slow body",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"a",
        SLOW,
        "delivered",
    ),
    (
        "a short body",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc",
        b"",
        NO,
        "delivered",
    ),
    (
        "two lengths",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"",
        NO,
        "retry",
    ),
    (
        "a gzip bomb",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
        MIB,
        NO,
        "delivered",
    ),
];

#[tokio::test]
async fn hostile_servers_end_within_the_deadline_with_the_right_verdict() {
    for (name, head, repeated, pause, word) in CASES {
        let (address, written) = answering(head, repeated, pause).await;
        let outcome = deliver(
            Settings::Webhook(hook(format!("http://{address}/hook"))),
            stopped(),
        )
        .await;
        println!("{name}: {outcome:?}");
        assert_eq!(outcome.verdict.as_str(), word, "{name}: {outcome:?}");
        assert!(outcome.took < PATIENCE, "{name}: {outcome:?}");
        assert!(outcome.answer.chars().count() <= 301, "{name}");
        // What it wrote lies in the buffers of the two sockets; we read 64 KiB of it.
        let sent = written.load(Ordering::Relaxed);
        assert!(sent < 32 * 1_048_576, "{name}: {sent} bytes were taken");
    }
}

#[tokio::test]
async fn broken_connections_are_tried_again() {
    let closed = serve(|stream: TcpStream| async move { drop(stream) }).await;
    let reset = serve(|mut stream: TcpStream| async move {
        // Closing with bytes unread makes the kernel send a reset.
        drop(stream.read_u8().await);
        drop(stream);
    })
    .await;
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        listener.local_addr().expect("its address")
    };
    for (address, says) in [(closed, ""), (reset, ""), (nobody, "cannot be reached")] {
        let outcome = deliver(
            Settings::Webhook(hook(format!("http://{address}/canary"))),
            stopped(),
        )
        .await;
        outcome.expect("retry", says);
        assert!(
            outcome.answer.starts_with(&format!("http://{address}: ")),
            "{outcome:?}"
        );
    }
    let unknown = hook("http://host.invalid/canary?canary");
    let outcome = deliver(Settings::Webhook(unknown), stopped()).await;
    outcome.expect("retry", "http://host.invalid: ");
}

#[tokio::test]
async fn a_redirect_is_named_and_not_followed() {
    let visits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&visits);
    let target = serve(move |stream: TcpStream| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move { drop(stream) }
    })
    .await;
    let answer = format!(
        "HTTP/1.1 307 Go\r\nLocation: http://{target}/latest/meta-data?token=x\r\nContent-Length: 0\r\n\r\n"
    );
    let answer: &'static [u8] = answer.leak().as_bytes();
    let (address, _) = answering(answer, b"", Duration::ZERO).await;
    let outcome = deliver(
        Settings::Webhook(hook(format!("http://{address}/hook"))),
        stopped(),
    )
    .await;
    outcome.expect("rejected", &format!("to http://{target}/latest/meta-data;"));
    assert!(!format!("{outcome:?}").contains("token"));
    assert_eq!(visits.load(Ordering::Relaxed), 0);
}
