//! What the tests of destinations share: certificates, servers that misbehave, and one delivery from notice to verdict.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use svcwatch::dest::{
    Settings,
    sender::{Destinations, Senders},
    test_notice,
};
use svcwatch_core::{
    event::Verdict,
    id::{DeliveryKey, IncidentId, Name, Subject},
    notice::{IncidentRef, Kind, Notice, Severity, ToldEvent},
    observe::State,
    time::Wall,
};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

/// 2024-03-13T12:05:00.042Z.
pub(crate) const AT: Wall = Wall(1_710_331_500_042);
/// No verdict may take longer, whatever the far end does: ten times the `timeout` of one second that the tests set.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A service that stopped.
pub(crate) fn stopped() -> Notice {
    Notice {
        kind: Kind::Opened,
        event: ToldEvent::Stopped,
        severity: Severity::Critical,
        subject: Subject::Service {
            host: "srv01".into(),
            service: "Spooler".into(),
        },
        state: Some(State::Stopped),
        previous_state: Some(State::Running),
        since: Some(AT),
        exit_code: Some(1067),
        incident: Some(IncidentRef {
            id: IncidentId(Arc::from("0123456789abcdef-7")),
            opened_at: AT,
        }),
        seq: 7,
        ..test_notice(AT)
    }
}

/// What became of a delivery.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) answer: String,
    pub(crate) took: Duration,
    pub(crate) key: DeliveryKey,
}

impl Outcome {
    /// Checks the verdict's word, and that the reason or answer says this.
    pub(crate) fn expect(&self, word: &str, says: &str) {
        assert_eq!(self.verdict.as_str(), word, "{self:?}");
        assert!(
            self.answer.contains(says) || format!("{:?}", self.verdict).contains(says),
            "{says:?} is not said: {self:?}"
        );
        assert!(self.took < PATIENCE, "too late: {self:?}");
    }
}

/// Renders the notice for the first recipient and sends it.
pub(crate) async fn deliver(settings: Settings, notice: Notice) -> Outcome {
    let recipient = settings.recipients().first().cloned().expect("a recipient");
    let name = Name::new("duty");
    let list = [(name.clone(), settings)];
    let destinations =
        tokio::task::spawn_blocking(|| Destinations::new(list, Some("http://127.0.0.1:7467")))
            .await
            .expect("no panic")
            .expect("good settings");
    let senders = Senders::new(destinations);
    let key = DeliveryKey::new(
        &name,
        &recipient,
        "0123456789abcdef-7",
        "opened",
        notice.seq,
    );
    let payload = senders
        .render(key.clone(), name.clone(), recipient, Arc::new(notice), AT)
        .await
        .expect("a message");
    let began = Instant::now();
    let (verdict, answer) = senders.send(key.clone(), name, payload, AT).await;
    Outcome {
        verdict,
        answer,
        took: began.elapsed(),
        key,
    }
}

/// A server on a free port that hands each connection to `serve`.
pub(crate) async fn serve<F, R>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads the head of an HTTP request, and its body where it has one.
pub(crate) async fn read_request(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut request = Vec::new();
    let mut buffer = [0_u8; 4_096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let complete = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length: ")
                        .map(str::to_owned)
                })
                .and_then(|length| length.parse::<usize>().ok());
            body.len() >= length.unwrap_or(0)
        });
        if read == 0 || complete {
            return text;
        }
    }
}

/// An authority and a certificate that it signed, as files of a folder of their own.
pub(crate) struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// A certificate for these names, valid now, or until yesterday.
    pub(crate) fn new(names: &[&str], expired: bool) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).expect("no names");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(rcgen::DnType::CommonName, "An authority of this test");
        let authority_key = rcgen::KeyPair::generate().expect("a key");
        let authority_certificate = authority
            .self_signed(&authority_key)
            .expect("a certificate");
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let mut leaf = rcgen::CertificateParams::new(names).expect("good names");
        if expired {
            let yesterday = SystemTime::now() - Duration::from_hours(24);
            leaf.not_before = (yesterday - Duration::from_hours(24)).into();
            leaf.not_after = yesterday.into();
        }
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = leaf.signed_by(&key, &issuer).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).expect("a file");
        };
        write("ca.pem", authority_certificate.pem());
        write("certificate.pem", certificate.pem());
        write("key.pem", key.serialize_pem());
        Self { folder }
    }

    /// The file of the authority.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The file of the certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// The file of its key.
    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// The server's side of an encrypted connection.
    pub(crate) fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
        let chain = CertificateDer::pem_file_iter(self.certificate())
            .expect("the file")
            .collect::<Result<Vec<_>, _>>()
            .expect("certificates");
        let key = PrivateKeyDer::from_pem_file(self.key()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a pair");
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    }
}
