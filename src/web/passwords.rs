//! Passwords: Argon2id (RFC 9106), bounded so that a flood of logins cannot starve a small machine, and the first one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::errors::{ApiError, WebError};
use super::tokens::{random_bytes, write_private};
use crate::model::{Role, Secret, User};
use crate::store::Store;

/// The account that is there from the start.
pub const FIRST_USER: &str = "admin";
/// Fewest characters of a password.
pub const MIN_PASSWORD_CHARS: usize = 10;
/// More are refused: hashing a megabyte is work for an attacker to give.
const MAX_PASSWORD_BYTES: usize = 256;
const FIRST_PASSWORD_FILE: &str = "initial-password";

/// Name of the credential of systemd that holds the first administrator's password; the unit loads it.
const CREDENTIAL: &str = "streampulse.admin-password";
/// Letters and digits that nobody mistakes for another on paper.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Hashes at once: each takes 19 MiB and a tenth of a second of a Pi's core.
const PARALLEL: usize = 1;
/// Requests that wait for a hash; the next one gets 503.
const MAX_WAITING: usize = 32;

/// Where the first account's password came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstPassword {
    /// Random, in this file, to be changed at the first sign-in.
    Generated(PathBuf),
    /// From the file that `STREAMPULSE_ADMIN_PASSWORD_FILE` names.
    Preset,
    /// There is an administrator already.
    Exists,
}

/// Makes the account `admin` when there is no administrator. Its password is the one in the file that
/// `STREAMPULSE_ADMIN_PASSWORD_FILE` names, else systemd's credential [`CREDENTIAL`], else a random one, written to `<state>/initial-password` (0600).
///
/// # Errors
/// When a file or the database cannot be read or written, or the preset password is too short.
pub async fn ensure_first_account(store: &Store, state_dir: &Path) -> Result<FirstPassword, WebError> {
    let named = std::env::var_os("STREAMPULSE_ADMIN_PASSWORD_FILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    // systemd.exec(5), LoadCredential=.
    let credential = || {
        let directory = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|path| !path.is_empty())?;
        Some(Path::new(&directory).join(CREDENTIAL)).filter(|path| path.exists())
    };
    let preset = named.or_else(credential);
    ensure_first_account_from(store, state_dir, preset.as_deref()).await
}

/// [`ensure_first_account`] with the preset file as a value.
///
/// # Errors
/// As there.
pub async fn ensure_first_account_from(
    store: &Store,
    state_dir: &Path,
    preset: Option<&Path>,
) -> Result<FirstPassword, WebError> {
    // Accounts may have been made by the command line before the first start; without an administrator nobody could make
    // the others.
    let users = store.users().await?;
    if users.iter().any(|user| user.role == Role::Admin || user.username == FIRST_USER) {
        return Ok(FirstPassword::Exists);
    }
    let file = initial_password_file(state_dir);
    let (password, outcome) = match preset {
        Some(path) => {
            let bad = |message: String| WebError::BadPreset { path: path.to_owned(), message };
            let text = fs::read_to_string(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
            let password = text.trim_end_matches(['\r', '\n']).to_owned();
            check_new_password(&password, FIRST_USER).map_err(bad)?;
            (password, FirstPassword::Preset)
        }
        None => {
            let password = generate()?;
            write_private(&file, format!("{password}\n").as_bytes())?;
            (password, FirstPassword::Generated(file))
        }
    };
    let hash = Passwords::default().hash(Secret::new(password)).await?;
    let user = User {
        username: FIRST_USER.to_owned(),
        password_hash: hash,
        role: Role::Admin,
        groups: None,
        must_change_password: outcome != FirstPassword::Preset,
        token_generation: 0,
    };
    store.add_user(user).await?;
    Ok(outcome)
}

/// Where the first password lies until it is changed.
fn initial_password_file(state_dir: &Path) -> PathBuf {
    state_dir.join(FIRST_PASSWORD_FILE)
}

/// The first password, as long as it is the one.
///
/// # Errors
/// When its file is there and cannot be read.
pub fn initial_password(state_dir: &Path) -> std::io::Result<Option<String>> {
    match fs::read_to_string(initial_password_file(state_dir)) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the file with the first password, which is not good any more.
pub async fn remove_initial_password(state_dir: &Path) {
    let file = initial_password_file(state_dir);
    match tokio::fs::remove_file(&file).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(file = %file.display(), %error, "the first password is not good any more, but its file could not be removed");
        }
        _ => {}
    }
}

/// What is wrong with a new password, for a person.
///
/// # Errors
/// One clause that says what to do instead.
pub fn check_new_password(password: &str, username: &str) -> Result<(), String> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        Err(format!("the password is too short; take at least {MIN_PASSWORD_CHARS} characters"))
    } else if password.len() > MAX_PASSWORD_BYTES {
        Err(format!("the password is too long; take at most {MAX_PASSWORD_BYTES} bytes"))
    } else if password.eq_ignore_ascii_case(username) {
        Err("the password is the user name; take another".to_owned())
    } else {
        Ok(())
    }
}

/// A random password that is easy to type: four groups of five, 99 bits.
///
/// # Errors
/// When the kernel gives no random numbers.
pub fn generate() -> Result<String, WebError> {
    let mut groups = Vec::new();
    while groups.len() < 4 {
        let mut group = String::new();
        while group.len() < 5 {
            let [byte] = random_bytes::<1>()?;
            // 248 is the largest multiple of 31 in a byte: beyond it some letters would come more often.
            if byte < 248 {
                group.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
            }
        }
        groups.push(group);
    }
    Ok(groups.join("-"))
}

/// Hashes and checks passwords, few at a time.
#[derive(Clone, Debug)]
pub struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(PARALLEL)), waiting: Arc::new(Semaphore::new(MAX_WAITING)) }
    }
}

impl Passwords {
    /// A PHC string (`$argon2id$…`) with a random salt.
    ///
    /// # Errors
    /// When the machine has no memory or no random numbers for it.
    pub async fn hash(&self, password: Secret) -> Result<String, WebError> {
        let slot = self.running.clone().acquire_owned().await;
        let hashed = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            argon2().hash_password(password.expose().as_bytes()).map(|hash| hash.to_string())
        });
        match hashed.await {
            Ok(Ok(hash)) => Ok(hash),
            Ok(Err(error)) => Err(WebError::Broken(format!("hashing a password failed: {error}"))),
            Err(error) => Err(WebError::Broken(format!("hashing a password failed: {error}"))),
        }
    }

    /// [`Self::hash`], refused when too many wait already.
    pub(super) async fn hash_for_request(&self, password: Secret) -> Result<String, ApiError> {
        let _place = self.place()?;
        Ok(self.hash(password).await?)
    }

    fn place(&self) -> Result<tokio::sync::OwnedSemaphorePermit, ApiError> {
        let busy = |_| ApiError::unavailable("busy", "Too many sign-ins at once; try again in a moment.");
        self.waiting.clone().try_acquire_owned().map_err(busy)
    }

    /// True when the password is the one of `hash`. Without a hash (an unknown user) it costs the same and is false.
    pub(super) async fn verify(&self, password: Secret, hash: Option<String>) -> Result<bool, ApiError> {
        let _place = self.place()?;
        let slot = self.running.clone().acquire_owned().await;
        let verified = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            let password = &password.expose().as_bytes()[..password.expose().len().min(MAX_PASSWORD_BYTES + 1)];
            match hash.as_deref().map(PasswordHash::new) {
                Some(Ok(hash)) => argon2().verify_password(password, &hash).is_ok(),
                Some(Err(_)) | None => {
                    let mut out = [0; 32];
                    let _ = argon2().hash_password_into(password, b"for nobody's sake", &mut out);
                    std::hint::black_box(out);
                    false
                }
            }
        });
        verified.await.map_err(ApiError::internal)
    }
}

/// The second recommendation of OWASP's cheat sheet, 19 MiB and two passes, written out so that an update of the
/// library does not change it unseen.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_password_is_long_and_plain() {
        let password = generate().unwrap();
        assert_eq!(password.len(), 23);
        assert!(password.split('-').all(|group| group.len() == 5 && group.bytes().all(|b| ALPHABET.contains(&b))));
        assert_ne!(password, generate().unwrap());
        assert!(check_new_password(&password, "admin").is_ok());
    }

    #[tokio::test]
    async fn a_hash_knows_its_password() {
        let passwords = Passwords::default();
        let hash = passwords.hash(Secret::new("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(Secret::new("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(Secret::new("correct h0rse"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(Secret::new("correct horse"), None).await.unwrap());
        assert!(!passwords.verify(Secret::new("x"), Some("garbage".to_owned())).await.unwrap());
    }
}
