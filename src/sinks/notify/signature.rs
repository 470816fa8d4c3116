//! How a message is signed, so that its receiver knows who sent it and when.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::Secret;

/// The value of the header `X-StreamPulse-Signature`: `t=<unix seconds>,v1=<hex>`, HMAC-SHA256 over `<unix seconds>.<body>`.
pub(super) fn signature(secret: &Secret, unix_seconds: i64, body: &[u8]) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return String::new() };
    mac.update(unix_seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let mut text = format!("t={unix_seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `printf '1764255600.{"a":1}' | openssl dgst -sha256 -hmac whsec`.
    #[test]
    fn a_signature_is_what_openssl_makes_of_it() {
        let made = signature(&Secret::new("whsec"), 1_764_255_600, br#"{"a":1}"#);
        assert_eq!(made, "t=1764255600,v1=9169319bcf3c10e72bf99d64f437885a14961f9dafef8bd072ff6803264b63ad");
    }
}
