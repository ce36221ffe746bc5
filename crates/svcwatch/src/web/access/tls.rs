//! How what is served is encrypted: by rustls with ring, from the files that `web.config_file` names.

use crate::{
    config::{ClientCertificates, TlsVersion, WebTls},
    transport::tls::{TlsError, read_ca, read_pem},
};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::{VerifierBuilderError, WebPkiClientVerifier},
    version::{TLS12, TLS13},
};
use std::{path::Path, sync::Arc};

/// What cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerTlsError {
    /// A certificate or a key.
    #[error(transparent)]
    File(#[from] TlsError),
    /// The authorities of clients.
    #[error("client_ca_file {path} cannot be used: {error}")]
    Authorities {
        /// The file.
        path: String,
        /// Why.
        error: VerifierBuilderError,
    },
}

/// Reads the files and makes of them how a server encrypts.
pub(super) fn server(settings: &WebTls) -> Result<Arc<ServerConfig>, ServerTlsError> {
    let provider = Arc::new(ring::default_provider());
    let versions: Vec<&'static SupportedProtocolVersion> =
        [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)]
            .into_iter()
            .filter(|(version, _)| (settings.oldest..=settings.newest).contains(version))
            .map(|(_, supported)| supported)
            .collect();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(TlsError::Versions)?;
    let builder = match &settings.clients {
        ClientCertificates::None => builder.with_no_client_auth(),
        ClientCertificates::IfGiven(path) | ClientCertificates::Required(path) => {
            let roots = Arc::new(authorities(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = if matches!(settings.clients, ClientCertificates::IfGiven(_)) {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            let unusable = |error| ServerTlsError::Authorities {
                path: path.display().to_string(),
                error,
            };
            builder.with_client_cert_verifier(verifier.build().map_err(unusable)?)
        }
    };
    let chain = read_ca(&settings.certificate)?;
    let key = read_pem(&settings.key)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| TlsError::NoKey {
        path: settings.key.display().to_string(),
    })?;
    let mut server = builder
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::Identity {
            path: settings.certificate.display().to_string(),
            error,
        })?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(read_ca(path)?);
    if added == 0 {
        return Err(TlsError::NoCertificate {
            path: path.display().to_string(),
        });
    }
    Ok(store)
}
