//! From when until when a certificate is valid, out of its DER (RFC 5280 section 4.1). Nothing else of it is looked at.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Its two ends; `None` when it is no certificate.
pub(super) fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let mut whole = Der(certificate);
    let mut signed = Der(Der(whole.take(SEQUENCE)?).take(SEQUENCE)?);
    if signed.0.first() == Some(&VERSION) {
        signed.take(VERSION)?;
    }
    signed.take(INTEGER)?; // serial number
    signed.take(SEQUENCE)?; // signature algorithm
    signed.take(SEQUENCE)?; // issuer
    let mut validity = Der(signed.take(SEQUENCE)?);
    Some((validity.time()?, validity.time()?))
}

/// What is left of a sequence of elements: tag, length, content (X.690 section 8.1).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element, when it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, first], mut rest) = self.0.split_first_chunk()?;
        if found != tag {
            return None;
        }
        let mut length = usize::from(first);
        if first >= 0x80 {
            let bytes = rest.split_off(..usize::from(first & 0x7f))?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            length =
                bytes.iter().try_fold(0_usize, |length, byte| length.checked_mul(256)?.checked_add((*byte).into()))?;
        }
        let content = rest.split_off(..length)?;
        self.0 = rest;
        Some(content)
    }

    fn time(&mut self) -> Option<Timestamp> {
        let (tag, digits) = match self.0.first()? {
            &UTC_TIME => (UTC_TIME, 12),
            _ => (GENERALIZED_TIME, 14),
        };
        let text = std::str::from_utf8(self.take(tag)?).ok()?.strip_suffix('Z')?;
        if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // RFC 5280 section 4.1.2.5.1: two digits stand for 1950 to 2049.
        let century = if text.as_bytes()[0] < b'5' { "20" } else { "19" };
        let text = if tag == UTC_TIME { format!("{century}{text}") } else { text.to_owned() };
        let part = |from: usize| text[from..from + 2].parse::<i8>().ok();
        let (year, month, day) = (text[..4].parse().ok()?, part(4)?, part(6)?);
        let time = DateTime::new(year, month, day, part(8)?, part(10)?, part(12)?, 0).ok()?;
        // 99991231235959Z says that there is no end.
        Some(TimeZone::UTC.to_timestamp(time).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(from: (i32, u8, u8), to: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        for (from, to, read) in [
            ((1999, 12, 31), (2049, 1, 2), ("1999-12-31T00:00:00Z", "2049-01-02T00:00:00Z")),
            ((2025, 2, 28), (2051, 7, 1), ("2025-02-28T00:00:00Z", "2051-07-01T00:00:00Z")),
        ] {
            let (since, until) = validity(&certificate(from, to)).unwrap();
            assert_eq!((since.to_string().as_str(), until.to_string().as_str()), read);
        }
        let forever = certificate((2025, 1, 1), (9999, 12, 31));
        assert_eq!(validity(&forever).unwrap().1, Timestamp::MAX);
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        let whole = certificate((2025, 1, 1), (2026, 1, 1));
        // The end of the certificate is its signature, but its length is at its beginning.
        assert!((0..whole.len()).all(|length| validity(&whole[..length]).is_none()));
        for at in 0..whole.len().min(120) {
            for byte in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                let _ = validity(&damaged);
            }
        }
    }
}
