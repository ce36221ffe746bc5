//! Mail through a real mail server (aiosmtpd), and against servers that do everything wrong.

use crate::dest_support::{Certificates, Outcome, PATIENCE, deliver, serve, stopped};
use std::{path::Path, process::Stdio, sync::Arc, time::Duration};
use svcwatch::{
    dest::{
        Settings,
        email::{self, Encryption},
        sender::Destinations,
    },
    secret::Secret,
};
use svcwatch_core::{id::Name, id::Subject, notice::Notice};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
};

/// Debian's own Python, which sees Debian's modules whatever other Python comes first in the path.
const PYTHON: &str = "/usr/bin/python3";

/// A mail server in a process of its own. It ends with its input, that is with this value.
pub(crate) struct Server {
    _process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) async fn start(
        mode: &str,
        certificates: Option<&Certificates>,
        arguments: &[&str],
    ) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dest_mail_server.py");
        let mut command = Command::new(PYTHON);
        command.arg(script).args(["--mode", mode]).args(arguments);
        if let Some(certificates) = certificates {
            command.arg("--certificate").arg(certificates.certificate());
            command.arg("--key").arg(certificates.key());
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| missing(&format!("{PYTHON}: {error}")));
        let output = process.stdout.take().expect("its output");
        let mut server = Self {
            _process: process,
            lines: BufReader::new(output).lines(),
            port: 0,
        };
        let first = server.line().await;
        match first["port"].as_u64() {
            Some(port) => server.port = u16::try_from(port).expect("a port"),
            None => missing(&format!("the server said {first}")),
        }
        server
    }

    /// The next mail that it took, whenever it comes; none once the server has ended.
    pub(crate) async fn next(&mut self) -> Option<serde_json::Value> {
        let line = self.lines.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }

    /// The next thing that it says.
    async fn line(&mut self) -> serde_json::Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line())
            .await
            .expect("the mail server says nothing")
            .expect("its output");
        match line {
            Some(line) => serde_json::from_str(&line).expect("JSON"),
            None => missing("the server ended"),
        }
    }
}

fn missing(what: &str) -> ! {
    panic!(
        "the mail server of this test cannot run ({what}); run `cargo xtask peers`, which installs Debian's python3-aiosmtpd"
    )
}

fn mail(port: u16, tls: Encryption) -> email::Settings {
    let mut server = email::Server::new("127.0.0.1");
    server.port = Some(port);
    server.tls = tls;
    let mut settings = email::Settings::new(
        server,
        "svcwatch <svcwatch@corp.example>",
        vec!["Ops <ops@corp.example>".to_owned()],
    );
    settings.timeout = Duration::from_secs(5);
    settings
}

fn log_on(settings: &mut email::Settings, password: &str) {
    settings.smtp.user = Some(Secret::from("monitor"));
    settings.smtp.password = Some(Secret::from(password));
}

async fn send(settings: &email::Settings) -> Outcome {
    deliver(Settings::Email(settings.clone()), stopped()).await
}

fn header(message: &serde_json::Value, name: &str) -> Option<String> {
    let headers = message["headers"].as_array().expect("headers");
    let mut found = headers.iter().filter(|pair| {
        pair[0]
            .as_str()
            .is_some_and(|other| other.eq_ignore_ascii_case(name))
    });
    let value = found.next()?[1].as_str().map(str::to_owned);
    assert!(found.next().is_none(), "{name} stands there twice");
    value
}

#[tokio::test]
async fn a_mail_arrives_encrypted_and_logged_on() {
    let certificates = Certificates::new(&["127.0.0.1"], false);
    let logon = ["--user", "monitor", "--password", "open sesame"];
    for (mode, tls, ways) in [
        ("starttls", Encryption::Starttls, &[][..]),
        ("implicit", Encryption::Implicit, &[]),
        ("starttls", Encryption::Starttls, &["--without", "PLAIN"]),
    ] {
        let arguments = [&logon[..], ways].concat();
        let mut server = Server::start(mode, Some(&certificates), &arguments).await;
        let mut settings = mail(server.port, tls);
        settings.ca = Some(certificates.ca());
        log_on(&mut settings, "open sesame");
        let outcome = send(&settings).await;
        outcome.expect("delivered", "250 2.0.0 queued as 4711");

        let message = server.line().await;
        assert_eq!(message["encrypted"], true);
        assert_eq!(message["logged_on"], true);
        assert_eq!(message["mail_from"], "svcwatch@corp.example");
        assert_eq!(message["rcpt_tos"], serde_json::json!(["ops@corp.example"]));
        assert_eq!(message["defects"], serde_json::json!([]));
        let id = format!("<{}@corp.example>", outcome.key);
        assert_eq!(header(&message, "message-id"), Some(id));
        assert_eq!(
            header(&message, "subject").as_deref(),
            Some("[svcwatch] CRITICAL Spooler on srv01 stopped")
        );
        assert_eq!(
            header(&message, "auto-submitted").as_deref(),
            Some("auto-generated")
        );
        let plain = message["plain"].as_str().expect("a text part");
        assert!(
            plain.contains("exit code 1067: the process ended unexpectedly"),
            "{plain}"
        );
        let html = message["html"].as_str().expect("an HTML part");
        assert!(html.contains("Spooler on srv01 stopped</span>"), "{html}");
    }
}

#[tokio::test]
async fn a_repeat_arrives_as_the_same_bytes_and_each_recipient_gets_its_own() {
    let mut server = Server::start("off", None, &[]).await;
    let settings = mail(server.port, Encryption::Off);
    let mut raw = Vec::new();
    for _ in 0..2 {
        send(&settings).await.expect("delivered", "");
        raw.push(server.line().await["raw"].clone());
    }
    assert_eq!(raw[0], raw[1]);
    let mut other = settings.clone();
    other.to = vec!["boss@corp.example".to_owned()];
    send(&other).await.expect("delivered", "");
    let message = server.line().await;
    assert_eq!(
        message["rcpt_tos"],
        serde_json::json!(["boss@corp.example"])
    );
    assert_eq!(header(&message, "to").as_deref(), Some("boss@corp.example"));
}

#[tokio::test]
async fn hostile_names_add_no_header_and_no_line() {
    let mut server = Server::start("off", None, &[]).await;
    let notice = Notice {
        subject: Subject::Service {
            host: "srv\r\nBcc: victim@b.example\r\n\r\nHello".into(),
            service: "\u{202E}gnipoolS{{7*7}}<script>alert(1)</script>\0".into(),
        },
        cause: Some("\r\n.\r\nMAIL FROM:<x@y>\r\n..\n.".to_owned()),
        site: Some(Arc::from(".")),
        ..stopped()
    };
    let settings = Settings::Email(mail(server.port, Encryption::Off));
    deliver(settings, notice)
        .await
        .expect("delivered", "queued");
    let message = server.line().await;
    assert_eq!(header(&message, "bcc"), None);
    assert_eq!(message["defects"], serde_json::json!([]));
    assert_eq!(message["rcpt_tos"], serde_json::json!(["ops@corp.example"]));
    let subject = header(&message, "subject").expect("a subject");
    assert_eq!(
        subject,
        "[svcwatch] CRITICAL \u{FFFD}gnipoolS{{7*7}}<script>alert(1)</script>\u{FFFD} on srv Bcc: victim@b.example Hello stopped"
    );
    assert!(!message["html"].as_str().expect("HTML").contains("<script>"));
}

#[tokio::test]
async fn refusals_are_for_now_or_for_good() {
    let mut server = Server::start("off", None, &[]).await;
    for (to, word, says) in [
        (
            "nobody@corp.example",
            "rejected",
            "550 5.1.1 no such mailbox (at the recipient)",
        ),
        (
            "later@corp.example",
            "retry",
            "451 4.7.1 greylisted, try again (at the recipient)",
        ),
        (
            "spam@corp.example",
            "rejected",
            "554 5.7.1 this looks like spam (at the message)",
        ),
        ("ops@corp.example", "delivered", "queued"),
    ] {
        let mut settings = mail(server.port, Encryption::Off);
        settings.to = vec![to.to_owned()];
        send(&settings).await.expect(word, says);
    }
    assert_eq!(
        server.line().await["rcpt_tos"],
        serde_json::json!(["ops@corp.example"])
    );
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_never_told() {
    let certificates = Certificates::new(&["127.0.0.1"], false);
    let arguments = ["--user", "monitor", "--password", "open sesame"];
    let server = Server::start("starttls", Some(&certificates), &arguments).await;
    let mut settings = mail(server.port, Encryption::Starttls);
    settings.ca = Some(certificates.ca());
    log_on(&mut settings, "canary canary");
    let outcome = send(&settings).await;
    outcome.expect("rejected", "535 5.7.8 no: ******** ******** (at the logon)");
    assert!(!format!("{outcome:?}{settings:?}").contains("canary"));

    log_on(&mut settings, "open sesame");
    let list = [(Name::new("duty"), Settings::Email(settings.clone()))];
    let destinations = Destinations::new(list, None).expect("good settings");
    let duty = destinations.get(&"duty".into()).expect("the destination");
    assert_eq!(
        duty.check().await,
        Ok(format!("127.0.0.1:{} answers", server.port))
    );

    settings.smtp.user = None;
    settings.smtp.password = None;
    send(&settings)
        .await
        .expect("rejected", "530 5.7.0 Authentication required");
}

#[tokio::test]
async fn certificates_are_checked() {
    let good = Certificates::new(&["mail.corp.example"], false);
    let expired = Certificates::new(&["127.0.0.1"], true);
    let server = Server::start("starttls", Some(&good), &[]).await;
    let late = Server::start("implicit", Some(&expired), &[]).await;
    let mut settings = mail(server.port, Encryption::Starttls);
    send(&settings)
        .await
        .expect("retry", "not signed by an authority");
    settings.ca = Some(good.ca());
    send(&settings)
        .await
        .expect("retry", "for another name (at the encryption)");
    settings.smtp.server_name = Some("mail.corp.example".to_owned());
    send(&settings).await.expect("delivered", "queued");
    let mut settings = mail(late.port, Encryption::Implicit);
    settings.ca = Some(expired.ca());
    send(&settings).await.expect("retry", "has expired");
    settings.smtp.verify = false;
    send(&settings).await.expect("delivered", "queued");
}

#[tokio::test]
async fn what_the_server_lacks_is_said() {
    let server = Server::start("off", None, &[]).await;
    let settings = mail(server.port, Encryption::Starttls);
    send(&settings)
        .await
        .expect("retry", "does not offer STARTTLS");
    let mut settings = mail(server.port, Encryption::Off);
    log_on(&mut settings, "canary");
    send(&settings)
        .await
        .expect("rejected", "offers no logon by PLAIN or LOGIN");
    let settings = mail(server.port, Encryption::Implicit);
    send(&settings)
        .await
        .expect("retry", "does not speak TLS there");
}

#[tokio::test]
async fn where_encryption_is_preferred_no_password_goes_in_the_clear() {
    let mut server = Server::start("off", None, &[]).await;
    let mut settings = mail(server.port, Encryption::Preferred);
    send(&settings).await.expect("delivered", "queued");
    assert_eq!(server.line().await["encrypted"], false);
    log_on(&mut settings, "canary");
    let outcome = send(&settings).await;
    outcome.expect("retry", "does not offer STARTTLS");
    assert!(!format!("{outcome:?}").contains("canary"));

    let certificates = Certificates::new(&["127.0.0.1"], false);
    let logon = ["--user", "monitor", "--password", "open sesame"];
    let mut server = Server::start("starttls", Some(&certificates), &logon).await;
    let mut settings = mail(server.port, Encryption::Preferred);
    settings.ca = Some(certificates.ca());
    log_on(&mut settings, "open sesame");
    send(&settings).await.expect("delivered", "queued");
    let message = server.line().await;
    assert_eq!(
        (&message["encrypted"], &message["logged_on"]),
        (&true.into(), &true.into())
    );
}

/// A server that answers each line that it gets with the next of these; then it sends `rest`, forever where it is
/// repeated.
async fn script(answers: &'static [&'static [u8]], rest: &'static [u8], pause: Duration) -> u16 {
    let address = serve(move |mut stream: TcpStream| async move {
        for answer in answers {
            if stream.write_all(answer).await.is_err() {
                return;
            }
            let end: &[u8] = if answer.starts_with(b"354") {
                b"\r\n.\r\n"
            } else {
                b"\r\n"
            };
            let mut said = Vec::new();
            while !said.ends_with(end) {
                if !matches!(stream.read_buf(&mut said).await, Ok(1..)) {
                    return;
                }
            }
        }
        while !rest.is_empty() && stream.write_all(rest).await.is_ok() {
            tokio::time::sleep(pause).await;
        }
        // Whoever waits for more waits in vain.
        tokio::time::sleep(Duration::from_secs(30)).await;
    })
    .await;
    address.port()
}

#[tokio::test]
async fn hostile_servers_end_within_the_deadline_with_the_right_verdict() {
    const NO: Duration = Duration::ZERO;
    const SLOW: Duration = Duration::from_millis(300);
    const HELLO: &[u8] = b"250-hello\r\n250 8BITMIME\r\n";
    const MIB: &[u8] = &[b'2'; 1_048_576];
    type Case = (
        &'static str,
        &'static [&'static [u8]],
        &'static [u8],
        Duration,
        &'static str,
    );
    let cases: [Case; 11] = [
        ("says nothing", &[], b"", NO, "retry"),
        ("a byte at a time", &[], b"2", SLOW, "retry"),
        ("an endless line", &[], MIB, NO, "retry"),
        ("an endless greeting", &[], b"220-x\r\n", NO, "retry"),
        ("HTTP", &[], b"HTTP/1.1 200 OK\r\n\r\n", SLOW, "retry"),
        ("not now", &[b"421 too busy\r\n"], b"", NO, "retry"),
        ("not you", &[b"554 go away\r\n"], b"", NO, "rejected"),
        ("silent after hello", &[b"220 x\r\n"], b"", NO, "retry"),
        (
            "a code out of place",
            &[b"220 x\r\n", b"999 x\r\n"],
            b"",
            NO,
            "retry",
        ),
        (
            "silent after the message",
            &[
                b"220 x\r\n",
                HELLO,
                b"250 a\r\n",
                b"250 b\r\n",
                b"354 c\r\n",
            ],
            b"",
            NO,
            "retry",
        ),
        (
            "silent after yes",
            &[
                b"220 x\r\n",
                HELLO,
                b"250 a\r\n",
                b"250 b\r\n",
                b"354 c\r\n",
                b"250 yes\r\n",
            ],
            b"",
            NO,
            "delivered",
        ),
    ];
    for (name, answers, rest, pause, word) in cases {
        let port = script(answers, rest, pause).await;
        let mut settings = mail(port, Encryption::Off);
        settings.timeout = Duration::from_secs(1);
        let outcome = send(&settings).await;
        println!("{name}: {outcome:?}");
        assert_eq!(outcome.verdict.as_str(), word, "{name}: {outcome:?}");
        assert!(outcome.took < PATIENCE, "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_is_put_in_before_the_encryption_is_not_believed() {
    let port = script(
        &[
            b"220 x\r\n",
            b"250-hello\r\n250 STARTTLS\r\n",
            b"220 go\r\n250-hello\r\n250 AUTH PLAIN\r\n",
        ],
        b"",
        Duration::ZERO,
    )
    .await;
    let mut settings = mail(port, Encryption::Starttls);
    settings.timeout = Duration::from_secs(1);
    log_on(&mut settings, "canary");
    send(&settings)
        .await
        .expect("retry", "sent more in the clear after STARTTLS");
}
