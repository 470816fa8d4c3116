//! Text that must never be shown: its `Debug`, `Display` and `Serialize` print `***`.

use std::fmt;

use serde::{Serialize, Serializer};

/// What stands in the place of a secret wherever it would be printed.
pub const REDACTED: &str = "***";

/// A password or token. Only [`Secret::expose`] gives the text.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the wire and for hashing only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// User and password of a camera account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// User name, as the camera knows it (never percent-encoded).
    pub username: String,
    /// Password, as the camera knows it (never percent-encoded).
    pub password: Secret,
}

impl Credentials {
    /// Takes the two apart as the camera knows them.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: Secret::new(password) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_printing_shows_the_text() {
        let credentials = Credentials::new("admin", "hunter2");
        let printed = format!("{credentials:?} {0} {0:?}", credentials.password);
        let json = serde_json::to_string(&credentials.password).expect("serialize");
        assert!(!printed.contains("hunter2") && !json.contains("hunter2"), "{printed} {json}");
        assert_eq!(json, "\"***\"");
    }
}
