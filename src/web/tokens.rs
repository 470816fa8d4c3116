//! Access tokens: JWT (RFC 7519), HS256 and nothing else, with expiry, issuer, audience and key id. And random text.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::errors::WebError;

/// How long an access token is good.
pub(super) const ACCESS_LIFETIME: Duration = Duration::from_secs(600);
const ISSUER: &str = "streampulse";
const AUDIENCE: &str = "streampulse-api";
/// Of signed links: no access token is one, and no link is an access token.
const LINK_AUDIENCE: &str = "streampulse-link";
/// What API tokens begin with, so that people and secret scanners know them.
pub(super) const API_TOKEN_PREFIX: &str = "sp_";
const KEY_BYTES: usize = 32;
const KEY_FILE: &str = "jwt-secret";

/// The key that signs access tokens.
pub struct Keys {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// Issuer.
    iss: String,
    /// Audience.
    aud: String,
    /// User name.
    pub(super) sub: String,
    /// Seconds since 1970.
    iat: i64,
    /// Seconds since 1970.
    pub(super) exp: i64,
    /// The account's token generation when it was issued.
    #[serde(rename = "gen")]
    pub(super) generation: i64,
    /// Family of the refresh token beside it.
    pub(super) fam: String,
}

/// What a signed link says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LinkClaims {
    iss: String,
    aud: String,
    /// Whose rights it has.
    pub(super) sub: String,
    /// Seconds since 1970.
    pub(super) exp: i64,
    /// The account's token generation when it was signed.
    #[serde(rename = "gen")]
    pub(super) generation: i64,
    /// Path and parameters, all of them but the signature.
    pub(super) target: String,
}

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    /// It was good once.
    Expired,
    /// It was never good here.
    Invalid,
}

impl Keys {
    /// Makes a new key in the place of the one that is there. A service that runs takes it up within seconds; access
    /// tokens and signed links of before are not good any more, sessions go on with their refresh tokens.
    ///
    /// # Errors
    /// When the file cannot be written; the old key stays then.
    pub fn rotate(state_dir: &Path) -> Result<(), WebError> {
        write_private(&secret_file(state_dir), &random_bytes::<KEY_BYTES>()?)
    }

    /// Reads `<state>/jwt-secret`, or makes it (32 random bytes, mode 0600), and tries it once.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not a key.
    pub fn load_or_create(state_dir: &Path) -> Result<Self, WebError> {
        let path = secret_file(state_dir);
        let secret = match fs::read(&path) {
            Ok(secret) => {
                let file = |source| WebError::File { action: "read", path: path.clone(), source };
                if fs::metadata(&path).map_err(file)?.permissions().mode() & 0o077 != 0 {
                    tracing::warn!(file = %path.display(), "the signing key was readable by others; its mode is now 0600");
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(file)?;
                }
                secret
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let secret = random_bytes::<KEY_BYTES>()?;
                write_private(&path, &secret)?;
                secret.to_vec()
            }
            Err(source) => return Err(WebError::File { action: "read", path, source }),
        };
        if secret.len() != KEY_BYTES {
            return Err(WebError::BadKey(path));
        }
        let keys = Self::new(&secret);
        keys.self_check()?;
        Ok(keys)
    }

    fn new(secret: &[u8]) -> Self {
        // An own domain in the hash, so that the id tells nothing that the signature uses.
        let digest = Sha256::new().chain_update(b"streampulse key id").chain_update(secret).finalize();
        Self {
            id: hex(&digest[..8]),
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        }
    }

    /// `jsonwebtoken` panics at its first use when it was built with no back-end or with two: find out at the start.
    fn self_check(&self) -> Result<(), WebError> {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let token = self.issue("self-check", 0, "none", Timestamp::UNIX_EPOCH).map_err(|e| e.to_string())?;
            self.verify(&token, Timestamp::UNIX_EPOCH).map_err(|e| format!("{e:?}"))
        }));
        match outcome {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(WebError::Broken(format!("signing a token failed: {error}"))),
            Err(_) => Err(WebError::Broken("the token library has no working crypto back-end".to_owned())),
        }
    }

    /// A token for an account.
    pub(super) fn issue(
        &self,
        username: &str,
        generation: i64,
        family: &str,
        now: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let iat = now.as_second();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: username.to_owned(),
            iat,
            exp: iat + i64::try_from(ACCESS_LIFETIME.as_secs()).unwrap_or(i64::MAX),
            generation,
            fam: family.to_owned(),
        };
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.id.clone());
        encode(&header, &claims, &self.encoding)
    }

    /// The signature of a link to `target` with the rights of an account, good until `expires_at`.
    pub(super) fn sign_link(
        &self,
        subject: &str,
        generation: i64,
        target: &str,
        expires_at: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = LinkClaims {
            iss: ISSUER.to_owned(),
            aud: LINK_AUDIENCE.to_owned(),
            sub: subject.to_owned(),
            exp: expires_at.as_second(),
            generation,
            target: target.to_owned(),
        };
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.id.clone());
        encode(&header, &claims, &self.encoding)
    }

    /// Takes the signature of a link apart when everything about it is right. What it is a link to is for the caller to
    /// compare.
    pub(super) fn verify_link(&self, signature: &str, now: Timestamp) -> Result<LinkClaims, TokenError> {
        let claims: LinkClaims = self.decode(signature, LINK_AUDIENCE)?;
        if claims.exp <= now.as_second() { Err(TokenError::Expired) } else { Ok(claims) }
    }

    /// Takes a token apart when everything about it is right.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let claims: Claims = self.decode(token, AUDIENCE)?;
        if claims.exp <= now.as_second() { Err(TokenError::Expired) } else { Ok(claims) }
    }

    fn decode<T: DeserializeOwned>(&self, token: &str, audience: &str) -> Result<T, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.alg != Algorithm::HS256 || header.kid.as_deref() != Some(self.id.as_str()) {
            return Err(TokenError::Invalid);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        // By our own clock.
        validation.validate_exp = false;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        decode(token, &self.decoding, &validation).map(|data| data.claims).map_err(|_| TokenError::Invalid)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where the signing key lies.
pub(super) fn secret_file(state_dir: &Path) -> PathBuf {
    state_dir.join(KEY_FILE)
}

/// A new API token and the hash under which it is kept. It is shown once and nowhere kept.
///
/// # Errors
/// When the kernel gives no random numbers.
pub fn new_api_token() -> Result<(String, String), WebError> {
    let token = format!("{API_TOKEN_PREFIX}{}", random_text()?);
    let hash = token_hash(&token);
    Ok((token, hash))
}

/// Random bytes from the kernel.
pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N], WebError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| WebError::Broken(format!("the kernel gives no random numbers: {e}")))?;
    Ok(bytes)
}

/// 256 random bits as text for a URL or a cookie.
pub(super) fn random_text() -> Result<String, WebError> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?))
}

/// Under which name a random token is stored. It holds 256 random bits, so a plain hash is enough.
pub(super) fn token_hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Writes a file that only its owner reads, whole or not at all.
pub(super) fn write_private(path: &Path, content: &[u8]) -> Result<(), WebError> {
    let failed = |source| WebError::File { action: "write", path: path.to_owned(), source };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        // From root's command line it must be one that the service can read, from its first moment on.
        if let Some(dir) = path.parent().filter(|_| rustix::process::geteuid().is_root()) {
            let owner = fs::metadata(dir)?;
            rustix::fs::fchown(
                &file,
                Some(rustix::process::Uid::from_raw(owner.uid())),
                Some(rustix::process::Gid::from_raw(owner.gid())),
            )?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // The name itself survives a power cut only when its directory is on the disk.
        path.parent().map_or(Ok(()), |dir| fs::File::open(dir)?.sync_all())
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn part(json: &str) -> String {
        URL_SAFE_NO_PAD.encode(json)
    }

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let now = crate::clock::SystemClock.now();
        let first = Keys::load_or_create(dir.path()).unwrap();
        let mode = fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let token = first.issue("anna", 3, "f", now).unwrap();
        let again = Keys::load_or_create(dir.path()).unwrap();
        let claims = again.verify(&token, now).unwrap();
        assert_eq!((claims.sub.as_str(), claims.generation), ("anna", 3));
        fs::write(dir.path().join(KEY_FILE), b"short").unwrap();
        assert!(matches!(Keys::load_or_create(dir.path()), Err(WebError::BadKey(_))));
    }

    #[test]
    fn tokens_of_others_are_refused() {
        let (ours, theirs) = (Keys::new(&[1; 32]), Keys::new(&[2; 32]));
        let now = crate::clock::SystemClock.now();
        let good = ours.issue("anna", 1, "f", now).unwrap();
        assert!(ours.verify(&good, now).is_ok());
        assert_eq!(ours.verify(&theirs.issue("anna", 1, "f", now).unwrap(), now), Err(TokenError::Invalid));
        let old = now - jiff::SignedDuration::from_secs(601);
        assert_eq!(ours.verify(&ours.issue("anna", 1, "f", old).unwrap(), now), Err(TokenError::Expired));

        let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
        let kid = &ours.id;
        for alg in ["none", "None", "HS384", "RS256"] {
            let forged = part(&format!(r#"{{"typ":"JWT","alg":"{alg}","kid":"{kid}"}}"#));
            assert_eq!(ours.verify(&format!("{forged}.{claims}.{signature}"), now), Err(TokenError::Invalid), "{alg}");
            assert_eq!(ours.verify(&format!("{forged}.{claims}."), now), Err(TokenError::Invalid), "{alg}");
        }
        let other = part(&format!(
            r#"{{"iss":"streampulse","aud":"streampulse-api","sub":"root","exp":{},"iat":0,"gen":1,"fam":"f"}}"#,
            i64::MAX
        ));
        assert_eq!(ours.verify(&format!("{header}.{other}.{signature}"), now), Err(TokenError::Invalid));

        for (iss, aud) in [("elsewhere", AUDIENCE), (ISSUER, "elsewhere")] {
            let claims = Claims {
                iss: iss.to_owned(),
                aud: aud.to_owned(),
                sub: "anna".to_owned(),
                iat: 0,
                exp: now.as_second() + 60,
                generation: 1,
                fam: String::new(),
            };
            let mut header = Header::new(Algorithm::HS256);
            header.kid = Some(ours.id.clone());
            let token = encode(&header, &claims, &ours.encoding).unwrap();
            assert_eq!(ours.verify(&token, now), Err(TokenError::Invalid), "{iss} {aud}");
        }
    }
}
