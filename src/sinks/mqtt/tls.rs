//! TLS to the broker: which certificates it may show, which one of ours it gets, and what a failed handshake means.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, AlertDescription, ClientConfig, Error, SignatureScheme};

use super::failure::Fault;
use crate::config::Mqtt;
use crate::sinks::tls::{self, NoHandshake, NoTrust};

const CA: &str = "mqtt.ca_file";
const CERTIFICATE: &str = "mqtt.cert_file";
const KEY: &str = "mqtt.key_file";

/// Ready to shake hands, once.
pub(super) struct Client {
    pub(super) connector: TlsConnector,
    pub(super) own: Arc<OwnCertificate>,
}

/// Reads the files that the settings name. It may take as long as a disk does.
///
/// # Errors
/// A file that cannot be used.
pub(super) fn client(mqtt: &Mqtt) -> Result<Client, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        tls::verifier(mqtt.ca_file.as_deref(), mqtt.tls_insecure, &provider).map_err(|error| match error {
            NoTrust::File(problem) => Fault::File { setting: CA, problem },
            NoTrust::NoAuthorities => Fault::NoAuthorities,
        })?;
    let key = match (&mqtt.cert_file, &mqtt.key_file) {
        (Some(certificate), Some(key)) => Some(Arc::new(own_key(certificate, key, &provider)?)),
        _ => None,
    };
    let own = Arc::new(OwnCertificate { key, wanted: AtomicBool::new(false) });
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Fault::Handshake(error.to_string()))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let config = builder.with_client_cert_resolver(own.clone());
    Ok(Client { connector: TlsConnector::from(Arc::new(config)), own })
}

/// The certificate of ours, and whether it was asked for. With TLS 1.3 the broker's refusal comes only after the
/// handshake, and may be lost with the connection.
#[derive(Debug)]
pub(super) struct OwnCertificate {
    key: Option<Arc<CertifiedKey>>,
    wanted: AtomicBool,
}

impl OwnCertificate {
    /// What it means that the broker hung up before it said a word of MQTT.
    pub(super) fn hung_up(&self) -> Option<Fault> {
        let wanted = self.wanted.load(Ordering::Relaxed);
        wanted.then_some(if self.key.is_none() { Fault::CertificateWanted } else { Fault::CertificateRefused })
    }
}

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.wanted.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

/// What a failed handshake, or a connection that TLS gave up, means.
pub(super) fn fault(error: &Error, own: &OwnCertificate) -> Fault {
    match error {
        Error::AlertReceived(AlertDescription::CertificateRequired) => Fault::CertificateWanted,
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError,
        ) => Fault::CertificateRefused,
        // TLS 1.2 has no alert of its own for a certificate that is missing.
        Error::AlertReceived(AlertDescription::HandshakeFailure) => own.hung_up().unwrap_or(Fault::NoCommonTls),
        error => match NoHandshake::from(error) {
            NoHandshake::Expired => Fault::Expired,
            NoHandshake::NotYetValid => Fault::NotYetValid,
            NoHandshake::OtherName => Fault::OtherName,
            NoHandshake::UnknownIssuer => Fault::UnknownIssuer { own_authority: false },
            NoHandshake::BadCertificate(why) => Fault::BadCertificate(why),
            NoHandshake::NoCommonTls => Fault::NoCommonTls,
            NoHandshake::NoTls => Fault::NoTls,
            NoHandshake::Other(why) => Fault::Handshake(why),
        },
    }
}

fn own_key(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, Fault> {
    let chain = tls::certificates(certificate).map_err(of_file(CERTIFICATE))?;
    let bytes = tls::read(key).map_err(of_file(KEY))?;
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    if holds("BEGIN ENCRYPTED PRIVATE KEY") || holds("Proc-Type: 4,ENCRYPTED") {
        let problem = "is locked with a password; write it without one (openssl pkey -in OLD -out NEW)";
        return Err(unusable(KEY, key, problem));
    }
    // What is wrong with it is not told: it may be a key.
    let der = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| unusable(KEY, key, "holds no PEM private key; convert DER with openssl pkey -inform der"))?;
    CertifiedKey::from_der(chain, der, provider).map_err(|error| match error {
        Error::InconsistentKeys(_) => unusable(
            KEY,
            key,
            "is not the key of the certificate in mqtt.cert_file; name the two that were made together",
        ),
        _ => unusable(KEY, key, "cannot be used; make a key with RSA, ECDSA or Ed25519, and a certificate for it"),
    })
}

fn of_file(setting: &'static str) -> impl Fn(String) -> Fault {
    move |problem| Fault::File { setting, problem }
}

fn unusable(setting: &'static str, path: &Path, problem: &str) -> Fault {
    Fault::File { setting, problem: tls::unusable(path, problem) }
}
