//! Who may use the dashboard and the API.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What an account may do. Each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees states and pictures, never a URL.
    Viewer,
    /// Also probes and acknowledges.
    Operator,
    /// Also edits the configuration and the accounts.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The text of database, API and command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An account of a person.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Unique, as it is typed at the login.
    pub username: String,
    /// PHC string of the password's hash. Not shown by `Debug`.
    pub password_hash: String,
    /// What the account may do.
    pub role: Role,
    /// The groups whose streams it sees; `None`: every stream.
    pub groups: Option<Vec<String>>,
    /// True: the account can do nothing but change its password.
    pub must_change_password: bool,
    /// Counted up to make every token given out before invalid.
    pub token_generation: i64,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("username", &self.username)
            .field("role", &self.role)
            .field("groups", &self.groups)
            .field("must_change_password", &self.must_change_password)
            .field("token_generation", &self.token_generation)
            .finish_non_exhaustive()
    }
}

/// A refresh token as it is kept: only its hash. Each is good for one use; its successor has the same family.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// SHA-256 of the token, lower-case hexadecimal. Not shown by `Debug`.
    pub hash: String,
    /// Whose.
    pub username: String,
    /// One login and all tokens that came of it.
    pub family: String,
    /// Not accepted from then on.
    pub expires_at: Timestamp,
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken")
            .field("username", &self.username)
            .field("family", &self.family)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A key for a program: it may do what its role may do until it expires or is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Unique for good.
    pub id: i64,
    /// Unique among those that are not revoked; what it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The groups whose streams it sees; `None`: every stream.
    pub groups: Option<Vec<String>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Not accepted from then on; `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
    /// When it was last shown, to a few minutes.
    pub last_used_at: Option<Timestamp>,
}

impl ApiToken {
    /// False from its expiry on.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// What is wrong with a name for an account or a token, for a person: both are written into logs, headers and commands.
///
/// # Errors
/// One clause that says what to write instead.
pub fn check_account_name(name: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-@+".contains(&b);
    if name.is_empty() || name.len() > MAX_NAME_CHARS {
        Err(format!("a name has 1 to {MAX_NAME_CHARS} characters"))
    } else if !name.bytes().all(fits) {
        Err("a name holds letters a to z, digits and . _ - @ + only".to_owned())
    } else {
        Ok(())
    }
}

/// Longest name of an account or a token, in characters.
const MAX_NAME_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_keep_their_texts() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert_eq!(Role::parse("root"), None);
    }

    #[test]
    fn names_of_accounts_are_plain() {
        for good in ["anna", "a.b-c_d@example.org", "Grafana+2"] {
            assert_eq!(check_account_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "token:1", "ä", "a/b", &"x".repeat(65)] {
            assert!(check_account_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_no_hash() {
        let user = User {
            username: "admin".into(),
            password_hash: "$argon2id$abc".into(),
            role: Role::Admin,
            groups: None,
            must_change_password: true,
            token_generation: 3,
        };
        assert!(!format!("{user:?}").contains("argon2id"));
    }
}
