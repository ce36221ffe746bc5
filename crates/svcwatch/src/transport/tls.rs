//! One way of encryption for all transports: TLS 1.2 and 1.3 by rustls with ring, the system's authorities, and those
//! of a destination's own `ca` file besides.

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use std::{io::Read, path::Path, sync::Arc};

/// Bytes of a `ca` file, at most.
const CA_BYTES_MAX: u64 = 1_048_576;

/// Settings of encryption that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of certificates or keys cannot be read.
    #[error("the file {path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A file holds no certificates that can be used.
    #[error(
        "the file {path} holds no usable certificate; it must be in PEM form, with BEGIN CERTIFICATE lines"
    )]
    NoCertificate {
        /// The file.
        path: String,
    },
    /// A file holds no private key.
    #[error(
        "the file {path} holds no private key; it must be in PEM form, with BEGIN PRIVATE KEY lines, and without a password"
    )]
    NoKey {
        /// The file.
        path: String,
    },
    /// A certificate of our own that its key does not belong to, or that cannot be used.
    #[error("the certificate {path} cannot be used with its key: {error}")]
    Identity {
        /// The file of the certificate.
        path: String,
        /// Why.
        error: Error,
    },
    /// The library cannot do what we ask for.
    #[error("TLS 1.2 and 1.3 are not available: {0}")]
    Versions(Error),
}

/// The authorities that the system trusts, read once for all destinations of a configuration.
#[derive(Debug, Clone)]
pub struct Roots {
    store: RootCertStore,
}

impl Roots {
    /// Reads the system's authorities. A system without any is no error: then only a destination's own are trusted.
    pub fn load() -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self { store }
    }

    /// The settings of encryption for one destination. With `verify` off every certificate is taken.
    pub fn client(&self, ca: Option<&Path>, verify: bool) -> Result<ClientConfig, TlsError> {
        self.client_as(ca, verify, None)
    }

    /// The same, with a certificate of our own and its key (files in PEM form) where the far end asks for one.
    pub fn client_as(
        &self,
        ca: Option<&Path>,
        verify: bool,
        identity: Option<(&Path, &Path)>,
    ) -> Result<ClientConfig, TlsError> {
        let mut store = self.store.clone();
        if let Some(path) = ca {
            let (added, _) = store.add_parsable_certificates(read_ca(path)?);
            if added == 0 {
                return Err(TlsError::NoCertificate {
                    path: path.display().to_string(),
                });
            }
        }
        let provider = Arc::new(ring::default_provider());
        let versions: &[&'static rustls::SupportedProtocolVersion] =
            &[&rustls::version::TLS13, &rustls::version::TLS12];
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(TlsError::Versions)?;
        let builder = if verify {
            builder.with_root_certificates(store)
        } else {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate { provider }))
        };
        let Some((cert, key)) = identity else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = read_ca(cert)?;
        let private =
            PrivateKeyDer::from_pem_slice(&read_pem(key)?).map_err(|_| TlsError::NoKey {
                path: key.display().to_string(),
            })?;
        builder
            .with_client_auth_cert(chain, private)
            .map_err(|error| TlsError::Identity {
                path: cert.display().to_string(),
                error,
            })
    }
}

pub(crate) fn read_pem(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |error| TlsError::Unreadable {
        path: path.display().to_string(),
        error,
    };
    let mut pem = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(CA_BYTES_MAX).read_to_end(&mut pem))
        .map_err(unreadable)?;
    Ok(pem)
}

pub(crate) fn read_ca(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read_pem(path)?;
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .filter_map(Result::ok)
        .collect();
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate {
            path: path.display().to_string(),
        });
    }
    Ok(certificates)
}

/// What went wrong with the encryption, in words that say what to do.
pub fn describe(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => {
                "its certificate is not signed by an authority that is known here; name that one's file under ca"
                    .to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet; compare the clocks".to_owned()
            }
            CertificateError::Revoked => "its certificate is revoked".to_owned(),
            _ => "its certificate is not valid".to_owned(),
        },
        Error::InvalidMessage(_) => {
            "it does not speak TLS there; look at the port and at how it encrypts".to_owned()
        }
        other => format!("TLS failed: {other}"),
    }
}

/// The fault of the encryption within an error of another kind, where there is one.
pub fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    let mut next: Option<&'a (dyn std::error::Error + 'static)> = Some(error);
    for _ in 0..16 {
        let current = next?;
        if let Some(found) = current.downcast_ref::<Error>() {
            return Some(found);
        }
        next = match current.downcast_ref::<std::io::Error>() {
            // An I/O error hides what it was made from from `source`.
            Some(io) => match io.get_ref() {
                Some(inner) => Some(inner),
                None => current.source(),
            },
            None => current.source(),
        };
    }
    None
}

/// Takes every certificate: what `verify: false` asks for.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
