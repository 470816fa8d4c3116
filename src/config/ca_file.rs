//! Reads the files that `ca_file` names: at once, because a probe worker shall not find one missing later.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use crate::model::trust::certificates_in_pem;

/// The certificate of a camera's authority has 2 KB; all of the system's together have 220 KB and need not be named.
const MAX_BYTES: u64 = 64 * 1024;

/// The text of a file of PEM certificates.
///
/// # Errors
/// One clause with what is wrong with the file and what to do.
pub fn read_ca_file(path: &Path) -> Result<Arc<str>, String> {
    let wrong = |what: &str| format!("{} {what}", path.display());
    let failed = |error: std::io::Error| wrong(&format!("cannot be read: {error}; name a file of PEM certificates"));
    // Asked before the file is opened: opening a named pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(wrong("is not a regular file; name a file of PEM certificates"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(wrong("is larger than 64 KiB; name a file with the camera's authority only"));
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    let certificates = certificates_in_pem(&text);
    if certificates.is_empty() {
        return Err(wrong("holds no PEM certificate; convert DER with openssl x509 -inform der"));
    }
    // What else is in the file, perhaps a private key, stays there.
    Ok(certificates.join("\n").into())
}
