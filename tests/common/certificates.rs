//! Certificates of simulated cameras, good and bad.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use sha2::{Digest as _, Sha256};

/// A certificate chain with its private key, PEM, and the fingerprint of its own certificate.
pub struct Identity {
    pub chain: String,
    pub key: String,
    pub fingerprint: String,
}

impl Identity {
    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let digest = Sha256::digest(certificate.der());
        Self {
            chain: certificate.pem(),
            key: key.serialize_pem(),
            fingerprint: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// What the certificates of the simulator's first cameras are for: an address each, chosen in order from 127.1.0.1.
fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).expect("names")
}

/// A certificate that signed itself.
pub fn self_signed(names: &[&str]) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let mut params = params(names);
    params.distinguished_name.push(rcgen::DnType::CommonName, "camera");
    Identity::new(&params.self_signed(&key).expect("signed"), &key)
}

/// The same as `openssl req -x509` makes it: an authority that is a server, too.
pub fn self_signed_authority(names: &[&str]) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let mut params = params(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "broker");
    Identity::new(&params.self_signed(&key).expect("signed"), &key)
}

/// A certificate authority in a file of its own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "the authority of the cameras");
        let directory = tempfile::tempdir().expect("a directory");
        let certificate = params.self_signed(&key).expect("signed");
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).expect("written");
        Self { issuer: Issuer::new(params, key), directory }
    }

    /// Its certificate.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A certificate for these names.
    pub fn sign(&self, names: &[&str]) -> Identity {
        self.sign_params(params(names))
    }

    /// The same, long expired.
    pub fn sign_expired(&self, names: &[&str]) -> Identity {
        let mut params = params(names);
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        self.sign_params(params)
    }

    fn sign_params(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        Identity::new(&params.signed_by(&key, &self.issuer).expect("signed"), &key)
    }
}
