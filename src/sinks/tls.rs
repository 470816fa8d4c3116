//! Whom TLS trusts, for every sink: the system's authorities, those of a file, or anybody; and what a handshake means that
//! failed.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// The authorities of a whole system have 220 KB.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why nobody can be trusted.
#[derive(Debug)]
pub(super) enum NoTrust {
    /// The file cannot be used: what is wrong with it, and behind `; ` what to do.
    File(String),
    /// This machine has no authorities.
    NoAuthorities,
}

/// What a failed handshake means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoHandshake {
    /// The certificate: over.
    Expired,
    /// The certificate: not begun.
    NotYetValid,
    /// The certificate: for another name.
    OtherName,
    /// The certificate: signed by a stranger.
    UnknownIssuer,
    /// The certificate: something else.
    BadCertificate(String),
    /// No version or cipher in common.
    NoCommonTls,
    /// The other side does not speak TLS.
    NoTls,
    /// Something else.
    Other(String),
}

impl From<&Error> for NoHandshake {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => match error {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::OtherName,
                // Another authority of the same name.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
                error => Self::BadCertificate(error.to_string()),
            },
            Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
            | Error::PeerIncompatible(_) => Self::NoCommonTls,
            Error::InvalidMessage(_) => Self::NoTls,
            error => Self::Other(error.to_string()),
        }
    }
}

/// Who judges the certificate of the other side. It may take as long as a disk does.
///
/// # Errors
/// A file that cannot be used, or no authorities.
pub(super) fn verifier(
    ca_file: Option<&Path>,
    takes_any: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, NoTrust> {
    if takes_any {
        return Ok(Arc::new(TakesAny(provider.clone())));
    }
    Ok(Arc::new(Judge::new(ca_file, provider)?))
}

/// The certificates of a file, at least one.
///
/// # Errors
/// What is wrong with the file, and behind `; ` what to do.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path)?;
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|_| unusable(path, "is damaged; copy it again"))?;
    if found.is_empty() {
        return Err(unusable(path, "holds no PEM certificate; convert DER with openssl x509 -inform der"));
    }
    Ok(found)
}

/// What is wrong with a file that a setting names, in one sentence, and the next step, which is behind `; `, in another.
pub(super) fn of_file(setting: &str, problem: &str) -> (String, String) {
    let (what, next_step) = problem.split_once("; ").unwrap_or((problem, "correct the setting"));
    let mut letters = next_step.chars();
    let next_step: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    (format!("{setting}: {what}."), format!("{next_step}."))
}

/// What is wrong with a file.
pub(super) fn unusable(path: &Path, problem: &str) -> String {
    format!("{} {problem}", path.display())
}

/// The bytes of a file of certificates or of a key.
///
/// # Errors
/// What is wrong with the file, and behind `; ` what to do.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("there is no file {}; write where it is", path.display()),
        _ => unusable(path, &format!("cannot be read: {error}; let the service's group read it")),
    };
    // Asked before the file is opened: opening a named pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(unusable(path, "is not a regular file; name a PEM file"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unusable(path, "is larger than 1 MiB; name a file of PEM certificates or the key only"));
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
    fn new(file: Option<&Path>, provider: &Arc<CryptoProvider>) -> Result<Self, NoTrust> {
        let named = file.map(certificates).transpose().map_err(NoTrust::File)?;
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
            (Err(_), Some(file)) => {
                Err(NoTrust::File(unusable(file, "holds no certificate of an authority; copy it again")))
            }
            (Err(_), None) => Err(NoTrust::NoAuthorities),
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
