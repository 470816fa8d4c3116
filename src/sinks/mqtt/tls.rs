//! TLS to the broker: which certificates it may show, which one of ours it gets, and what a failed handshake means.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    self, AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};

use super::failure::Fault;
use crate::config::Mqtt;

/// The authorities of a whole system have 220 KB.
const MAX_BYTES: u64 = 1024 * 1024;

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
    let verifier: Arc<dyn ServerCertVerifier> = if mqtt.tls_insecure {
        Arc::new(TakesAny(provider.clone()))
    } else {
        Arc::new(Judge::new(mqtt.ca_file.as_deref(), &provider)?)
    };
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
    let bad = |error: &CertificateError| Fault::BadCertificate(error.to_string());
    match error {
        Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Fault::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Fault::OtherName,
            // Another authority of the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Fault::UnknownIssuer { own_authority: false }
            }
            error => bad(error),
        },
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
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => Fault::NoCommonTls,
        Error::InvalidMessage(_) => Fault::NoTls,
        error => Fault::Handshake(error.to_string()),
    }
}

/// The certificates of a file, at least one.
fn certificates(setting: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let bytes = read(setting, path)?;
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|_| unusable(setting, path, "is damaged; copy it again"))?;
    if found.is_empty() {
        return Err(unusable(setting, path, "holds no PEM certificate; convert DER with openssl x509 -inform der"));
    }
    Ok(found)
}

fn own_key(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, Fault> {
    let chain = certificates(CERTIFICATE, certificate)?;
    let bytes = read(KEY, key)?;
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

fn unusable(setting: &'static str, path: &Path, problem: &str) -> Fault {
    Fault::File { setting, problem: format!("{} {problem}", path.display()) }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, Fault> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            let problem = format!("there is no file {}; write where it is", path.display());
            Fault::File { setting, problem }
        }
        _ => unusable(setting, path, &format!("cannot be read: {error}; let the service's group read it")),
    };
    // Asked before the file is opened: opening a named pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(unusable(setting, path, "is not a regular file; name a PEM file"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unusable(setting, path, "is larger than 1 MiB; name a file of PEM certificates or the key only"));
    }
    Ok(bytes)
}

/// Takes what the authorities signed, and what is in their file itself: people name there the broker's own certificate,
/// which `openssl req -x509` makes an authority that signed itself.
#[derive(Debug)]
struct Judge {
    authorities: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Judge {
    fn new(file: Option<&Path>, provider: &Arc<CryptoProvider>) -> Result<Self, Fault> {
        let named = file.map(|file| certificates(CA, file)).transpose()?;
        let mut roots = RootCertStore::empty();
        // One that is odd leaves the others good.
        roots.add_parsable_certificates(match &named {
            Some(named) => named.clone(),
            None => rustls_native_certs::load_native_certs().certs,
        });
        let named = named.unwrap_or_default();
        let authorities = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build();
        match (authorities, file) {
            (Ok(authorities), _) => Ok(Self { authorities, named }),
            (Err(_), Some(file)) => Err(unusable(CA, file, "holds no certificate of an authority; copy it again")),
            (Err(_), None) => Err(Fault::NoAuthorities),
        }
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match judged {
            // "An authority is no server": its dates were looked at before that, its name was not.
            Err(Error::InvalidCertificate(CertificateError::Other(_))) if self.named.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// `tls_insecure`: whatever the other side shows, also what cannot be read.
#[derive(Debug)]
struct TakesAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakesAny {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
