//! Judges the certificate that a camera shows. One place for all of a worker's TLS.

use std::sync::OnceLock;

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

/// Keeps the system's authorities for every thread: in a property of an element that does nothing else, since GLib's
/// database may be shared between threads and its Rust type may not.
static SYSTEM: OnceLock<Option<gst::Element>> = OnceLock::new();

/// Makes every certificate come before [`judge`].
///
/// GLib asks nobody (`GTlsConnection::accept-certificate`) about a certificate that its default database trusts, so a
/// certificate that is not the pinned one would pass unseen. From the first call on that database is empty.
pub fn prepare() {
    SYSTEM.get_or_init(|| {
        let backend = gio::TlsBackend::default();
        let system = backend.default_database();
        let keeper = make("rtspsrc").ok()?;
        keeper.set_property("tls-database", &system);
        let nobody = gio::TlsFileDatabase::new("/dev/null").ok()?;
        backend.set_default_database(Some(&nobody));
        Some(keeper)
    });
}

/// Takes a certificate or says why not.
///
/// # Errors
/// What is wrong with it.
pub fn judge(certificate: &gio::TlsCertificate, target: &Target) -> Result<(), TlsFault> {
    let der = certificate.certificate();
    let seen = Fingerprint::from_digest(Sha256::digest(der.as_deref().unwrap_or_default()).into());
    if let Some(pinned) = target.trust.pinned {
        return if pinned == seen { Ok(()) } else { Err(TlsFault::NotPinned { seen }) };
    }
    if !target.trust.verify {
        return Ok(());
    }
    let identity = gio::NetworkAddress::new(&target.host, target.port);
    let mut flags = by_the_system(certificate, &identity);
    for pem in certificates_in_pem(target.trust.authorities.as_deref().unwrap_or_default()) {
        let Ok(authority) = gio::TlsCertificate::from_pem(pem) else { continue };
        let by_this = certificate.verify(Some(&identity), Some(&authority));
        // What an authority says of its own certificate counts more than that nobody else knows it.
        if !by_this.contains(gio::TlsCertificateFlags::UNKNOWN_CA) {
            flags = by_this;
        }
        if flags.is_empty() {
            break;
        }
    }
    if flags.is_empty() { Ok(()) } else { Err(TlsFault::Certificate { flaws: flaws(flags, certificate), seen }) }
}

fn by_the_system(certificate: &gio::TlsCertificate, identity: &gio::NetworkAddress) -> gio::TlsCertificateFlags {
    let keeper = SYSTEM.get().and_then(Option::as_ref);
    let Some(system) = keeper.and_then(|keeper| keeper.property::<Option<gio::TlsDatabase>>("tls-database")) else {
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
