//! One-time codes by time, and recovery codes. Layer `operate`. Keeps I12.
//!
//! # Source
//! RFC 6238 with the parameters that authenticator apps take: HMAC-SHA-1, 6 digits, 30 seconds.

use data_encoding::BASE32_NOPAD;
use ring::hmac;
use subtle::ConstantTimeEq;

use super::token;
use crate::operate::failure::Failure;

/// Seconds of a time step.
const STEP_S: i64 = 30;

/// Bytes of a seed.
pub const SEED_BYTES: usize = 20;

/// Number of recovery codes.
const RECOVERY_CODES: usize = 10;

/// Bytes of chance in a recovery code.
const RECOVERY_BYTES: usize = 8;

/// Letters between two hyphens of a recovery code.
const GROUP: usize = 4;

/// Returns the time step of an instant, in seconds since 1970.
pub fn step_at(seconds: i64) -> i64 {
    seconds.div_euclid(STEP_S)
}

/// Returns the code of a time step.
fn code_at(seed: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    // RFC 4226, 5.3: the last four bits say where the four bytes begin.
    let at = usize::from(tag.last().copied().unwrap_or(0) & 15);
    let bytes = tag.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; 4]);
    format!("{:06}", (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 1_000_000)
}

/// Returns the time step whose code this is: the present one, or one beside it.
pub fn step_of(seed: &[u8], code: &str, seconds: i64) -> Option<i64> {
    let now = step_at(seconds);
    let mut found = None;
    for step in now - 1..=now + 1 {
        if bool::from(code_at(seed, step).as_bytes().ct_eq(code.as_bytes())) {
            found = Some(step);
        }
    }
    found
}

/// Returns the address by which an authenticator app takes a seed.
///
/// # Source
/// The key URI format of Google Authenticator.
pub fn address(seed: &[u8], name: &str) -> String {
    format!("otpauth://totp/botfleet:{}?secret={}&issuer=botfleet", encoded(name), BASE32_NOPAD.encode(seed))
}

fn encoded(name: &str) -> String {
    let part = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    name.bytes().map(part).collect()
}

/// Makes recovery codes.
///
/// # Errors
/// `Unreadable` when the system gives no chance.
pub fn recovery() -> Result<Vec<String>, Failure> {
    let grouped =
        |code: String| code.as_bytes().chunks(GROUP).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-");
    (0..RECOVERY_CODES).map(|_| token::chance(RECOVERY_BYTES).map(grouped)).collect()
}

/// Returns the hash under which a recovery code is stored; hyphens, spaces and case do not count.
pub fn recovery_hash(code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    token::hash(&plain.to_lowercase())
}

/// Returns whether a code has the form of a code by time; otherwise it may be a recovery code.
pub fn is_timed(code: &str) -> bool {
    code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// RFC 6238, appendix B, cut to six digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let seed = b"12345678901234567890";
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (20_000_000_000, "353130")]
        {
            assert_eq!(code_at(seed, step_at(seconds)), code);
            assert_eq!(step_of(seed, code, seconds), Some(step_at(seconds)));
            assert_eq!(step_of(seed, code, seconds + 30), Some(step_at(seconds)), "one step of tolerance");
            assert_eq!(step_of(seed, code, seconds + 90), None);
        }
        assert_eq!(step_of(seed, "", 59), None);
    }

    #[test]
    fn recovery_codes_are_read_as_people_write_them() {
        let codes = recovery().unwrap();
        assert_eq!(codes.len(), 10);
        let code = &codes[0];
        assert_eq!(code.len(), 19, "{code}");
        assert_eq!(recovery_hash(code), recovery_hash(&code.to_uppercase().replace('-', " ")));
        assert_ne!(recovery_hash(code), recovery_hash(&codes[1]));
        assert!(is_timed("012345") && !is_timed("12345") && !is_timed(code));
    }

    #[test]
    fn the_address_holds_any_name() {
        assert_eq!(
            address(b"12345678901234567890", "ada b"),
            "otpauth://totp/botfleet:ada%20b?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=botfleet"
        );
    }
}
