//! A certificate chain and its key, read from PEM files (RFC 7468).

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use super::validity::validity;
use crate::config::WebTls;

/// A long chain has 10 KB.
const MAX_BYTES: u64 = 256 * 1024;
const CERTIFICATE: &str = "web.tls.cert_file";
const KEY: &str = "web.tls.key_file";

/// Why certificate and key cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// There is no such file.
    #[error("{setting}: there is no file {}; write where it is, or make one: docs/https.md says how", .file.display())]
    Missing {
        /// Which of the two.
        setting: &'static str,
        /// The file.
        file: PathBuf,
    },
    /// It is there, and is no file, or is not ours to read.
    #[error(
        "{setting}: {path} cannot be read: {source}; let the service's group: chgrp streampulse {path} && chmod 640 {path}",
        path = .file.display()
    )]
    Unreadable {
        /// Which of the two.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{setting}: {} {problem}", .file.display())]
    Unusable {
        /// Which of the two.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// The key belongs to another certificate.
    #[error(
        "{KEY}: {} is not the key of the certificate in {}, or that is not the first one in it; name the two that were made together", .key.display(), .certificate.display()
    )]
    Mismatch {
        /// The key.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
    },
}

/// What both files hold.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pair {
    chain: Arc<[u8]>,
    key: Arc<[u8]>,
    pub(super) is_key_public: bool,
    pub(super) valid_from: Option<Timestamp>,
    pub(super) valid_until: Option<Timestamp>,
}

impl Pair {
    /// Reads both.
    ///
    /// # Errors
    /// When one cannot be read; what is in them is judged by [`Self::acceptor`].
    pub(super) fn read(files: &WebTls) -> Result<Self, TlsError> {
        let (chain, _) = read(CERTIFICATE, &files.cert_file)?;
        let (key, mode) = read(KEY, &files.key_file)?;
        let first = CertificateDer::from_pem_slice(&chain).ok();
        let (valid_from, valid_until) = first.and_then(|first| validity(&first)).unzip();
        Ok(Self { chain: chain.into(), key: key.into(), is_key_public: mode & 0o004 != 0, valid_from, valid_until })
    }

    /// Ready to shake hands.
    ///
    /// # Errors
    /// When the two are no certificate and its key.
    pub(super) fn acceptor(&self, files: &WebTls) -> Result<TlsAcceptor, TlsError> {
        let wrong =
            |setting, file: &Path, problem: String| TlsError::Unusable { setting, file: file.to_owned(), problem };
        let chain = CertificateDer::pem_slice_iter(&self.chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| {
            wrong(CERTIFICATE, &files.cert_file, format!("is damaged: {}; copy it again", pem_clause(&error)))
        })?;
        if chain.is_empty() {
            let problem = "holds no PEM certificate; convert DER with openssl x509 -inform der".to_owned();
            return Err(wrong(CERTIFICATE, &files.cert_file, problem));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| wrong(KEY, &files.key_file, self.key_problem(&error, &files.key_file)))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder.and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::Mismatch { key: files.key_file.clone(), certificate: files.cert_file.clone() }
            }
            rustls::Error::InvalidCertificate(error) => wrong(
                CERTIFICATE,
                &files.cert_file,
                format!("is no certificate of a web server: {error}; make a new one"),
            ),
            error => {
                wrong(KEY, &files.key_file, format!("cannot be used: {error}; make a key with RSA, ECDSA or Ed25519"))
            }
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn key_problem(&self, error: &pem::Error, file: &Path) -> String {
        let holds = |text: &str| self.key.windows(text.len()).any(|window| window == text.as_bytes());
        if holds("BEGIN ENCRYPTED PRIVATE KEY") || holds("Proc-Type: 4,ENCRYPTED") {
            let file = file.display();
            return format!("is locked with a password; write it without one: openssl pkey -in {file} -out FILE");
        }
        match error {
            pem::Error::NoItemsFound => {
                "holds no PEM private key; convert DER with openssl pkey -inform der".to_owned()
            }
            error => format!("is damaged: {}; copy it again", pem_clause(error)),
        }
    }
}

/// What is wrong, without a byte of what is in the file: it may be a key.
fn pem_clause(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "its END line is missing",
        pem::Error::Base64Decode(_) => "it is not Base64",
        _ => "it is no PEM",
    }
}

/// A file and its mode.
fn read(setting: &'static str, file: &Path) -> Result<(Vec<u8>, u32), TlsError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => TlsError::Missing { setting, file: file.to_owned() },
        _ => TlsError::Unreadable { setting, file: file.to_owned(), source },
    };
    let wrong = |problem: &str| TlsError::Unusable { setting, file: file.to_owned(), problem: problem.to_owned() };
    // Asked before the file is opened: opening a named pipe would wait for its writer.
    let metadata = std::fs::metadata(file).map_err(failed)?;
    if !metadata.is_file() {
        return Err(wrong("is not a regular file; name a PEM file"));
    }
    let mut bytes = Vec::new();
    File::open(file).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(wrong("is larger than 256 KiB; name a file with the certificate and its chain, or the key, only"));
    }
    Ok((bytes, metadata.permissions().mode()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(chain: &str, key: &str) -> (tempfile::TempDir, WebTls) {
        let directory = tempfile::tempdir().unwrap();
        let (cert_file, key_file) = (directory.path().join("web.pem"), directory.path().join("web.key"));
        std::fs::write(&cert_file, chain).unwrap();
        std::fs::write(&key_file, key).unwrap();
        (directory, WebTls { cert_file, key_file, hsts_seconds: 0 })
    }

    fn made(names: &[&str]) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    #[test]
    fn each_way_to_be_wrong_is_named_and_no_key_is_shown() {
        let (chain, key) = made(&["a.example"]);
        let (_, other_key) = made(&["b.example"]);
        let secret: String = key.lines().nth(1).unwrap().chars().take(30).collect();
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMIIB\n\
                   -----END RSA PRIVATE KEY-----\n";
        let cut = key.replace("-----END PRIVATE KEY-----", "");
        let garbled = key.replacen(&secret, "!!!!", 1);
        let none = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        let whole = format!("{chain}{key}");
        for (chain, key, expected) in [
            (chain.as_str(), key.as_str(), ""),
            // One file for both, as some tools write them.
            (&whole, &whole, ""),
            ("", &key, "web.tls.cert_file: web.pem holds no PEM certificate; "),
            (&key, &key, "web.tls.cert_file: web.pem holds no PEM certificate; "),
            (none, &key, "web.tls.cert_file: web.pem is no certificate of a web server: "),
            (&chain, "", "web.tls.key_file: web.key holds no PEM private key; "),
            (&chain, &chain, "web.tls.key_file: web.key holds no PEM private key; "),
            (&chain, locked, "web.tls.key_file: web.key is locked with a password; write it without one: openssl pkey"),
            (&chain, old, "web.tls.key_file: web.key is locked with a password; write it without one: openssl pkey"),
            (&chain, &cut, "web.tls.key_file: web.key is damaged: its END line is missing; "),
            (&chain, &garbled, "web.tls.key_file: web.key is damaged: it is not Base64; "),
            (&chain, &other_key, "web.tls.key_file: web.key is not the key of the certificate in web.pem"),
        ] {
            let (directory, files) = files(chain, key);
            let made = Pair::read(&files).and_then(|pair| pair.acceptor(&files).map(|_| pair.valid_until));
            let told = made.map_or_else(|error| error.to_string(), |until| until.map(|_| String::new()).unwrap());
            let told = told.replace(&format!("{}/", directory.path().display()), "");
            assert!(told.starts_with(expected) && told.is_empty() == expected.is_empty(), "{expected:?}: {told:?}");
            assert!(!told.contains(&secret), "{told}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_or_is_none_is_named() {
        let (directory, mut files) = files("", "");
        files.key_file = directory.path().join("absent.key");
        let told = Pair::read(&files).err().unwrap().to_string();
        assert!(told.starts_with("web.tls.key_file: there is no file /") && told.contains("absent.key; "), "{told}");
        files.cert_file = directory.path().to_owned();
        let told = Pair::read(&files).err().unwrap().to_string();
        assert!(told.contains(" is not a regular file; "), "{told}");
    }
}
