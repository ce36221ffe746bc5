//! `web.config_file`: who is let in, over which encryption, and on every path.

use crate::web_server::Server;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use reqwest::{Certificate, Client as Http, Identity};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use svcwatch::{
    secret::Secret,
    web::{Access, Bound, client::Client},
};

const PATHS: [&str; 8] = [
    "/metrics",
    "/probe?target=srv01",
    "/-/healthy",
    "/-/ready",
    "/api/v1/hosts",
    "/api/v1/sd",
    "/runbooks",
    "/nothing",
];

/// An authority with a certificate of a server and of a client, and a file of `web.config_file`.
struct Papers {
    folder: tempfile::TempDir,
    authority: String,
    client: String,
}

impl Papers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let signed = |names: Vec<String>, usage| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(names).unwrap();
            params.extended_key_usages = vec![usage];
            let certificate = params.signed_by(&key, &authority).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let (certificate, key) = signed(names, ExtendedKeyUsagePurpose::ServerAuth);
        let client = signed(Vec::new(), ExtendedKeyUsagePurpose::ClientAuth);
        let papers = Self {
            authority: authority.pem(),
            client: [client.0, client.1].concat(),
            folder,
        };
        for (name, text) in [
            ("server.crt", &certificate),
            ("server.key", &key),
            ("ca.crt", &papers.authority),
        ] {
            fs::write(papers.path(name), text).unwrap();
        }
        papers
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file with this text, in which TLS stands for encryption with these certificates.
    fn file(&self, text: &str) -> PathBuf {
        let tls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";
        fs::write(self.path("web.yaml"), text.replace("TLS\n", tls)).unwrap();
        self.path("web.yaml")
    }

    async fn server(&self, text: &str) -> Server {
        let access = Access::load(&self.file(text)).unwrap();
        let server = Server::guarded(access).await;
        server.ready.loaded();
        server
    }

    fn http(&self, identity: bool) -> Http {
        drop(rustls::crypto::ring::default_provider().install_default());
        let authority = Certificate::from_pem(self.authority.as_bytes()).unwrap();
        let mut builder = Http::builder()
            .no_proxy()
            .timeout(Duration::from_mins(1))
            .tls_certs_only([authority]);
        if identity {
            builder = builder.identity(Identity::from_pem(self.client.as_bytes()).unwrap());
        }
        builder.build().unwrap()
    }
}

fn users() -> String {
    let hash = bcrypt::hash_with_salt("s3cret", 4, [9; 16]).unwrap();
    format!("basic_auth_users:\n  alice: {hash}\n")
}

#[tokio::test]
async fn a_login_guards_every_path_and_a_refusal_tells_nothing() {
    let papers = Papers::new();
    let server = papers.server(&users()).await;
    for path in PATHS {
        for headers in [
            vec![],
            vec![("Authorization", "Basic YWxpY2U6d3Jvbmc=")],
            vec![("Authorization", "Basic nonsense")],
            vec![("Host", "evil.example")],
        ] {
            let answer = server.send("GET", path, &headers, "").await;
            assert_eq!(answer.status, 401, "{path} {headers:?}");
            let asked = answer.header("www-authenticate").unwrap_or_default();
            assert!(asked.starts_with("Basic realm="), "{asked}");
            assert!(!answer.body.contains("127.0.0.1"), "{}", answer.body);
        }
        let good = ("Authorization", "Basic YWxpY2U6czNjcmV0");
        let answer = server.send("GET", path, &[good], "").await;
        assert!(
            !matches!(answer.status, 401 | 503),
            "{path}: {}",
            answer.body
        );
    }
    let evil = [
        ("Authorization", "Basic YWxpY2U6czNjcmV0"),
        ("Host", "evil.example"),
    ];
    assert_eq!(server.send("GET", "/metrics", &evil, "").await.status, 421);
    server.stop().await;
}

#[tokio::test]
async fn encrypted_with_a_user_is_answered_and_in_the_clear_is_not() {
    let papers = Papers::new();
    let text = format!(
        "TLS\nhttp_server_config: {{ headers: {{ Strict-Transport-Security: max-age=60, X-Frame-Options: SAMEORIGIN }} }}\n{}",
        users()
    );
    let server = papers.server(&text).await;
    let url = format!("https://{}/metrics", server.address);
    let http = papers.http(false);
    assert_eq!(http.get(&url).send().await.unwrap().status(), 401);
    let good = http.get(&url).basic_auth("alice", Some("s3cret"));
    let answer = good.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let header = |name| answer.headers()[name].to_str().unwrap();
    assert_eq!(header("strict-transport-security"), "max-age=60");
    assert_eq!(header("x-frame-options"), "SAMEORIGIN");
    assert!(answer.text().await.unwrap().contains("svcwatch_build_info"));
    let clear = Http::builder().no_proxy().build().unwrap();
    let clear = clear.get(format!("http://{}/metrics", server.address));
    assert!(clear.send().await.is_err(), "nothing is said in the clear");

    let client = |password: &str| {
        let client = Client::trusting(
            &format!("https://{}", server.address),
            Some(&papers.path("ca.crt")),
        );
        client.unwrap().with_login("alice", Secret::from(password))
    };
    assert!(
        client("s3cret")
            .incidents(&[])
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let refused = client("wrong")
        .incidents(&[])
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("--password-file"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn a_certificate_of_a_client_is_asked_for_where_it_is_required() {
    let papers = Papers::new();
    let required = "TLS\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  min_version: TLS13\n";
    let server = papers.server(required).await;
    let url = format!("https://{}/-/ready", server.address);
    assert_eq!(
        papers.http(true).get(&url).send().await.unwrap().status(),
        200
    );
    assert!(
        papers.http(false).get(&url).send().await.is_err(),
        "without a certificate"
    );
    let stranger = Papers::new();
    let other = Papers {
        authority: papers.authority.clone(),
        client: stranger.client.clone(),
        folder: stranger.folder,
    };
    assert!(
        other.http(true).get(&url).send().await.is_err(),
        "signed by somebody else"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_handshake_that_stalls_holds_up_nobody() {
    let papers = Papers::new();
    let server = papers.server("TLS\n").await;
    let mut stalled = Vec::new();
    for _ in 0..20 {
        stalled.push(
            tokio::net::TcpStream::connect(server.address)
                .await
                .unwrap(),
        );
    }
    let url = format!("https://{}/-/healthy", server.address);
    assert_eq!(
        papers.http(false).get(&url).send().await.unwrap().status(),
        200
    );
    drop(stalled);
    server.stop().await;
}

#[tokio::test]
async fn what_other_machines_reach_needs_a_guard() {
    let papers = Papers::new();
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let bound = async |text: &str| {
        let access = Access::load(&papers.file(text)).unwrap();
        Bound::guarded(everywhere, false, Arc::new(access)).await
    };
    assert!(bound(&users()).await.is_ok());
    let refused = bound("TLS\n").await.unwrap_err().to_string();
    assert!(
        refused.contains("web.config_file") && refused.contains("--insecure-listen"),
        "{refused}"
    );
}

#[test]
fn files_that_cannot_be_used_are_named_with_a_sentence() {
    let papers = Papers::new();
    let said = |text: &str| {
        let error = Access::load(&papers.file(text)).unwrap_err();
        let sentences = error.sentences();
        assert_eq!(sentences.len(), 1, "{sentences:?}");
        sentences[0].clone()
    };
    let with = |certificate: &str, key: &str| {
        said(&format!(
            "tls_server_config: {{ cert_file: {certificate}, key_file: {key} }}\n"
        ))
    };
    fs::write(papers.path("empty"), "").unwrap();
    let other = Papers::new();
    fs::copy(other.path("server.key"), papers.path("other.key")).unwrap();
    for (sentence, words) in [
        (
            with("gone.crt", "server.key"),
            ["gone.crt", "cannot be read"],
        ),
        (with("empty", "server.key"), ["empty", "BEGIN CERTIFICATE"]),
        (
            with("server.crt", "server.crt"),
            ["server.crt", "BEGIN PRIVATE KEY"],
        ),
        (
            with("server.crt", "other.key"),
            ["server.crt", "cannot be used with its key"],
        ),
    ] {
        for word in words {
            assert!(sentence.contains(word), "{sentence}");
        }
        assert!(sentence.contains("web.yaml"), "{sentence}");
    }
    assert!(Access::load(Path::new("/nowhere")).is_err());
}

#[test]
fn listening_for_everybody_is_warned_about_at_every_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = "listen: 0.0.0.0:0\ncredentials: { ops: { user: u, password: { env: PATH } } }\ndefaults: { credentials: ops }\nhosts: [{ name: lab, address: 127.0.0.1, port: 9, services: [Spooler] }]\ndestinations: { out: { type: log } }\n";
    fs::write(folder.path().join("svcwatch.yaml"), config).unwrap();
    for start in 1..=2 {
        let mut running = Command::new(env!("CARGO_BIN_EXE_svcwatch"))
            .args(["run", "--insecure-listen", "-c"])
            .arg(folder.path().join("svcwatch.yaml"))
            .arg("--data")
            .arg(folder.path().join("data"))
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(running.stderr.take().unwrap()).lines();
        let warned = lines
            .map_while(Result::ok)
            .take(50)
            .any(|line| line.contains("everybody who reaches this address"));
        running.kill().unwrap();
        running.wait().unwrap();
        assert!(warned, "start {start} was not warned about");
    }
}
