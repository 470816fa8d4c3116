//! What a worker takes away from itself before it reads the first byte of a camera.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// File descriptors a worker may hold: a receive stage over UDP needs about a dozen.
const MAX_FILES: u64 = 8_192;

/// Limits the calling process for good and says which layers are active.
///
/// # Errors
/// When the kernel refuses a limit that every Debian kernel has.
pub fn enter() -> io::Result<Vec<String>> {
    let mut layers = Vec::new();
    rustix::thread::set_no_new_privs(true)?;
    layers.push("no_new_privs".to_owned());
    // A core of a decoder holds pictures and passwords.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    layers.push("no core dumps".to_owned());
    let hard = rustix::process::getrlimit(Resource::Nofile).maximum.unwrap_or(MAX_FILES).min(MAX_FILES);
    setrlimit(Resource::Nofile, Rlimit { current: Some(hard), maximum: Some(hard) })?;
    layers.push(format!("at most {hard} files"));
    Ok(layers)
}
