//! The end of a certificate's validity, and who is told before it comes. Layer `http`.
//!
//! # Source
//! RFC 5280, 4.1: the fields of a certificate, in order; 4.1.2.5: the two forms of times. X.690, 8.1: elements of DER.

use std::time::Duration;

use botfleet_actors::domain::time::Timestamp;
use botfleet_actors::ports::metrics;
use chrono::{NaiveDateTime, TimeDelta};
use rustls::pki_types::CertificateDer;

/// Time before the end from which people are told: a certificate that renews itself is renewed long before.
const TOLD_BEFORE: Duration = Duration::from_hours(14 * 24);

/// Most often that people are told.
const TOLD_EVERY: Duration = Duration::from_hours(24);

const DAY: Duration = Duration::from_hours(24);

/// Tags of elements: the version, which old certificates lack, and the two forms of times.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Returns the instant at which the first certificate of a chain ends; `None` when none can be read.
pub(super) fn of_chain(chain: &[CertificateDer<'_>]) -> Option<Timestamp> {
    chain.iter().filter_map(|certificate| not_after(certificate)).min()
}

fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (_, mut signed) = element(&mut &*certificate)?;
    let (_, mut fields) = element(&mut signed)?;
    let (first, _) = element(&mut fields)?;
    // The number, when the version came first; then the algorithm of the signature, and who signed.
    for _ in 0..if first == VERSION { 3 } else { 2 } {
        element(&mut fields)?;
    }
    let (_, mut validity) = element(&mut fields)?;
    element(&mut validity)?;
    let (tag, time) = element(&mut validity)?;
    let text = std::str::from_utf8(time).ok()?.strip_suffix('Z')?;
    let century = match tag {
        UTC_TIME if text.get(..2)?.parse::<u8>().ok()? >= 50 => "19",
        UTC_TIME => "20",
        GENERALIZED_TIME => "",
        _ => return None,
    };
    let time = NaiveDateTime::parse_from_str(&format!("{century}{text}"), "%Y%m%d%H%M%S").ok()?;
    Some(Timestamp::from_millis(time.and_utc().timestamp_millis()))
}

/// Takes one element off: its tag and its content.
fn element<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, after) = rest.split_first()?;
    let (&first, mut after) = after.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let bytes = after.get(..usize::from(first & 0x7f)).filter(|bytes| (1..=4).contains(&bytes.len()))?;
        length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        after = after.get(bytes.len()..)?;
    }
    let content = after.get(..length)?;
    *rest = after.get(length..)?;
    Some((tag, content))
}

/// Tells of the end: the metric at each look, the log once a day when the end is near.
#[derive(Debug, Default)]
pub(super) struct Notice {
    told: Option<Timestamp>,
}

impl Notice {
    /// Takes note of the end that the certificate in force has, and of the time.
    pub(super) fn look(&mut self, ends_at: Option<Timestamp>, now: Timestamp) {
        let Some(ends_at) = ends_at else { return };
        let left_ms = ends_at.as_millis().saturating_sub(now.as_millis());
        metrics::tls_certificate_left_days.handle().set(left_ms as f64 / DAY.as_millis() as f64);
        if !self.is_due(ends_at, now) {
            return;
        }
        self.told = Some(now);
        let days = TimeDelta::milliseconds(left_ms).num_days();
        if left_ms <= 0 {
            tracing::error!("the certificate of server.tls has expired, and clients refuse it; replace its files");
        } else {
            tracing::warn!(days, "the certificate of server.tls expires soon; replace its files");
        }
    }

    fn is_due(&self, ends_at: Timestamp, now: Timestamp) -> bool {
        ends_at.since(now) <= TOLD_BEFORE && self.told.is_none_or(|told| now.since(told) >= TOLD_EVERY)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn certificate(year: i32) -> CertificateDer<'static> {
        let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 3, 1);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn ends(chain: &[CertificateDer<'static>]) -> String {
        let at = of_chain(chain).unwrap();
        chrono::DateTime::from_timestamp_millis(at.as_millis()).unwrap().to_rfc3339()
    }

    #[test]
    fn both_forms_of_times_are_read_and_the_first_end_of_a_chain_counts() {
        assert_eq!(ends(&[certificate(2031)]), "2031-03-01T00:00:00+00:00");
        assert_eq!(ends(&[certificate(2077)]), "2077-03-01T00:00:00+00:00");
        assert_eq!(ends(&[certificate(2040), certificate(2030)]), "2030-03-01T00:00:00+00:00");
    }

    #[test]
    fn what_breaks_off_anywhere_has_no_end_and_does_no_harm() {
        let whole = certificate(2031);
        for length in 0..whole.len() {
            let _ = not_after(&whole[..length]);
        }
        assert_eq!((not_after(&[]), not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0])), (None, None));
        assert_eq!(not_after(&[0x30, 0x80, 0, 0]), None, "no length is no DER");
    }

    #[test]
    fn people_are_told_two_weeks_before_the_end_and_once_a_day() {
        let end = Timestamp::from_secs(2_000_000_000);
        let mut notice = Notice::default();
        assert!(!notice.is_due(end, end - TOLD_BEFORE - DAY));
        let now = end - TOLD_BEFORE;
        assert!(notice.is_due(end, now));
        notice.look(Some(end), now);
        assert!(!notice.is_due(end, now + DAY / 2) && notice.is_due(end, now + DAY));
        assert!(notice.is_due(end, end + DAY), "an expired one is told of too");
    }
}
