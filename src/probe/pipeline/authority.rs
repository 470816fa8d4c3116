//! Judges the certificate that a camera shows. One place for all of a worker's TLS.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, Once, OnceLock, PoisonError};

use gio::prelude::*;
use gstreamer as gst;
use sha2::{Digest as _, Sha256};

use super::elements::make;
use crate::model::Fingerprint;
use crate::model::trust::certificates_in_pem;
use crate::probe::certificate::{Flaw, TlsFault};
use crate::probe::protocol::Target;

/// The purpose for which a chain is verified (`G_TLS_DATABASE_PURPOSE_AUTHENTICATE_SERVER`).
const SERVER: &str = "1.3.6.1.5.5.7.3.1";

/// The authorities that Debian trusts (ca-certificates). GLib's own default is this file, too, and is not asked for it
/// because its place is taken, see [`prepare`].
const SYSTEM_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Keeps the system's authorities for every thread: in a property of an element that does nothing else, since GLib's
/// database may be shared between threads and its Rust type may not. Made when it is first needed: reading it takes
/// hundreds of milliseconds of a small machine.
static SYSTEM: OnceLock<Option<gst::Element>> = OnceLock::new();

static PREPARED: Once = Once::new();

/// The newest certificate that was taken of each host and port, PEM. It is emptied when there are [`MAX_TAKEN`].
static TAKEN: LazyLock<Mutex<HashMap<(String, u16), String>>> = LazyLock::new(Mutex::default);

/// More cameras than one worker has.
const MAX_TAKEN: usize = 20_000;

/// Certificates of a chain; more are no chain.
const MAX_CHAIN: usize = 8;

/// Makes every certificate come before [`judge`].
///
/// GLib asks nobody (`GTlsConnection::accept-certificate`) about a certificate that its default database trusts, so a
/// certificate that is not the pinned one would pass unseen. From the first call on that database is empty.
pub fn prepare() {
    PREPARED.call_once(|| {
        // Where this fails, a certificate that the system trusts comes before nobody, and is therefore not taken.
        if let Ok(nobody) = gio::TlsFileDatabase::new("/dev/null") {
            gio::TlsBackend::default().set_default_database(Some(&nobody));
        }
    });
}

/// Takes a certificate or says why not.
///
/// # Errors
/// What is wrong with it.
pub fn judge(certificate: &gio::TlsCertificate, target: &Target) -> Result<(), TlsFault> {
    weigh(certificate, target)?;
    let mut taken = lock_taken();
    if taken.len() >= MAX_TAKEN {
        taken.clear();
    }
    taken.insert((target.host.clone(), target.port), with_its_issuers(certificate));
    Ok(())
}

/// Judges a connection that came without a certificate: GLib resumes the session of an earlier one to the same host and
/// port (RFC 8446 section 2.2), which only the peer of that one can. So it is that one's certificate that counts, and it
/// is judged anew: another stream may have taken it on other terms.
///
/// # Errors
/// What is wrong with it; [`TlsFault::Handshake`] when there was none.
pub fn judge_resumed(target: &Target) -> Result<(), TlsFault> {
    let pem = lock_taken().get(&(target.host.clone(), target.port)).cloned();
    let certificate = pem.and_then(|pem| gio::TlsCertificate::from_pem(&pem).ok()).ok_or(TlsFault::Handshake)?;
    weigh(&certificate, target)
}

fn lock_taken() -> MutexGuard<'static, HashMap<(String, u16), String>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// PEM, the certificate itself first, as [`gio::TlsCertificate::from_pem`] reads a chain.
fn with_its_issuers(certificate: &gio::TlsCertificate) -> String {
    let mut chain = String::new();
    let mut next = Some(certificate.clone());
    for _ in 0..MAX_CHAIN {
        let Some(certificate) = next else { break };
        chain.push_str(&certificate.certificate_pem().unwrap_or_default());
        next = certificate.issuer();
    }
    chain
}

fn weigh(certificate: &gio::TlsCertificate, target: &Target) -> Result<(), TlsFault> {
    let der = certificate.certificate();
    let seen = Fingerprint::from_digest(Sha256::digest(der.as_deref().unwrap_or_default()).into());
    if let Some(pinned) = target.trust.pinned {
        return if pinned == seen { Ok(()) } else { Err(TlsFault::NotPinned { seen }) };
    }
    if !target.trust.verify {
        return Ok(());
    }
    let identity = gio::NetworkAddress::new(target.host_without_zone(), target.port);
    let mut flags = gio::TlsCertificateFlags::UNKNOWN_CA;
    for pem in certificates_in_pem(target.trust.authorities.as_deref().unwrap_or_default()) {
        let Ok(authority) = gio::TlsCertificate::from_pem(pem) else { continue };
        flags = certificate.verify(Some(&identity), Some(&authority));
        // Signed by this one: what it says counts.
        if !flags.contains(gio::TlsCertificateFlags::UNKNOWN_CA) {
            break;
        }
    }
    if flags.contains(gio::TlsCertificateFlags::UNKNOWN_CA) {
        flags = by_the_system(certificate, &identity);
    }
    if flags.is_empty() { Ok(()) } else { Err(TlsFault::Certificate { flaws: flaws(flags, certificate), seen }) }
}

fn by_the_system(certificate: &gio::TlsCertificate, identity: &gio::NetworkAddress) -> gio::TlsCertificateFlags {
    let keeper = SYSTEM.get_or_init(|| {
        let system = gio::TlsFileDatabase::new(SYSTEM_FILE).ok()?;
        let keeper = make("rtspsrc").ok()?;
        keeper.set_property("tls-database", &system);
        Some(keeper)
    });
    let system = keeper.as_ref().and_then(|keeper| keeper.property::<Option<gio::TlsDatabase>>("tls-database"));
    let Some(system) = system else {
        // A machine without authorities trusts nobody; the rest of the certificate is looked at all the same.
        return certificate.verify(Some(identity), None::<&gio::TlsCertificate>) | gio::TlsCertificateFlags::UNKNOWN_CA;
    };
    let (no_interaction, no_cancelling) = (None::<&gio::TlsInteraction>, None::<&gio::Cancellable>);
    let none = gio::TlsDatabaseVerifyFlags::NONE;
    let verified = system.verify_chain(certificate, SERVER, Some(identity), no_interaction, none, no_cancelling);
    verified.unwrap_or(gio::TlsCertificateFlags::GENERIC_ERROR)
}

fn flaws(flags: gio::TlsCertificateFlags, certificate: &gio::TlsCertificate) -> Vec<Flaw> {
    use gio::TlsCertificateFlags as F;
    let self_signed = certificate.issuer().is_none()
        && certificate.subject_name().is_some()
        && certificate.subject_name() == certificate.issuer_name();
    let stranger = if self_signed { Flaw::SelfSigned } else { Flaw::UnknownAuthority };
    let table = [
        (F::EXPIRED, Flaw::Expired),
        (F::NOT_ACTIVATED, Flaw::NotYetValid),
        (F::REVOKED, Flaw::Revoked),
        (F::BAD_IDENTITY, Flaw::OtherName),
        (F::UNKNOWN_CA, stranger),
        (F::INSECURE, Flaw::Weak),
        (F::GENERIC_ERROR, Flaw::Unclear),
    ];
    table.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, flaw)| flaw).collect()
}
