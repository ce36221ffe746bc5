//! Against servers that are broken or mean harm: each has a fault with a cause, in time.

use std::time::{Duration, Instant};

use svcwatch::probe::{Encryption, Prober};
use svcwatch_core::observe::Fault;
use svcwatch_core::time::Span;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{access, fault, request};

/// How long a check of these servers may take.
const TIMEOUT: Span = Span(1_000);

/// What a server does with a connection, once the client's first message has come.
#[derive(Debug, Clone)]
enum Habit {
    /// Sends this and closes.
    Say(Vec<u8>),
    /// Sends this byte by byte, one each second.
    Drip(Vec<u8>),
    /// Sends this over and over.
    Flood(Vec<u8>),
    /// Says nothing.
    Silence,
    /// Closes without a word.
    Close,
}

async fn serve(mut stream: TcpStream, habit: Habit) -> std::io::Result<()> {
    let mut first = [0; 1024];
    let _read = stream.read(&mut first).await?;
    match habit {
        Habit::Say(bytes) => stream.write_all(&bytes).await?,
        Habit::Close => {}
        Habit::Drip(bytes) => {
            for byte in bytes {
                stream.write_all(&[byte]).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Habit::Flood(bytes) => loop {
            stream.write_all(&bytes).await?;
        },
        Habit::Silence => std::future::pending().await,
    }
    stream.shutdown().await
}

/// One check of a server with this habit; gives the fault and how it was said.
async fn meet(habit: Habit) -> (Fault, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = habit.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let habit = habit.clone();
            tokio::spawn(async move {
                // The client hangs up on such a server; that is no failure of the test.
                if let Err(error) = serve(stream, habit).await {
                    eprintln!("the client hung up: {error}");
                }
            });
        }
    });
    let mut short = request(&[]);
    short.timeout = TIMEOUT;
    let begun = Instant::now();
    let observation = Prober::new()
        .check(
            &short,
            &access(port, "user", "password", Encryption::Required),
        )
        .await;
    assert!(
        begun.elapsed() < Duration::from_millis(10 * TIMEOUT.0),
        "{served:?} took {:?}",
        begun.elapsed()
    );
    assert!(!observation.session_kept);
    let told = fault(observation);
    assert!(
        !told.cause.is_empty() && !told.cause.contains("password"),
        "{told:?}"
    );
    (told.fault, told.cause)
}

/// A frame that announces an SMB2 message of this length, with the beginning of one.
fn announced(length: u32, message: &[u8]) -> Vec<u8> {
    [length.to_be_bytes().as_slice(), message].concat()
}

/// An SMB2 answer with this command and body behind a plausible header.
fn smb2(command: u16, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 64];
    message[..4].copy_from_slice(b"\xfeSMB");
    message[4] = 64;
    message[12..14].copy_from_slice(&command.to_le_bytes());
    message[14] = 1;
    message[16] = 1;
    message.extend_from_slice(body);
    announced(u32::try_from(message.len()).unwrap(), &message)
}

#[tokio::test]
async fn garbage_is_a_protocol_error() {
    for garbage in [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(),
        vec![0xff; 4096],
        announced(72, &[b'x'; 72]),
        announced(0x00ff_ffff, b"\xfeSMB"),
        announced(3, b"abc"),
        announced(100, &[b"\xffSMB".as_slice(), &[0; 96]].concat()),
        smb2(0, &[0xff; 100]),
        smb2(0, &[]),
    ] {
        let told = meet(Habit::Say(garbage.clone())).await;
        assert_eq!(
            told.0,
            Fault::ProtocolError,
            "{:x?}: {}",
            &garbage[..garbage.len().min(16)],
            told.1
        );
    }
}

#[tokio::test]
async fn half_a_message_is_a_protocol_error() {
    for half in [
        announced(200, &[b"\xfeSMB".as_slice(), &[0; 60]].concat()),
        vec![0, 0],
    ] {
        let told = meet(Habit::Say(half)).await;
        assert_eq!(told.0, Fault::ProtocolError, "{}", told.1);
        assert!(told.1.contains("in the middle of a message"), "{}", told.1);
    }
}

#[tokio::test]
async fn a_slow_or_silent_host_runs_into_the_deadline() {
    for habit in [Habit::Drip(announced(200, &[0xfe; 200])), Habit::Silence] {
        let told = meet(habit.clone()).await;
        assert_eq!(told.0, Fault::Timeout, "{habit:?}: {}", told.1);
        assert!(told.1.contains("logging on"), "{}", told.1);
    }
}

#[tokio::test]
async fn a_flood_ends_with_the_deadline_at_the_latest() {
    // Well-formed messages that answer nothing, without end.
    let told = meet(Habit::Flood(smb2(13, &[4, 0, 0, 0]))).await;
    assert!(
        matches!(told.0, Fault::Timeout | Fault::ProtocolError),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_host_that_hangs_up_is_unreachable() {
    let told = meet(Habit::Close).await;
    assert_eq!(told.0, Fault::Unreachable, "{}", told.1);
}
