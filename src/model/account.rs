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
    fn debug_shows_no_hash() {
        let user = User {
            username: "admin".into(),
            password_hash: "$argon2id$abc".into(),
            role: Role::Admin,
            must_change_password: true,
            token_generation: 3,
        };
        assert!(!format!("{user:?}").contains("argon2id"));
    }
}
