//! Cursors: where the next page of a list begins. Layer `operate`.
//!
//! A cursor holds the version of its form, a fingerprint of the list with its order and filters, and the key of the last row. The key
//! is made of columns that never change, so rows that come or go meanwhile are neither missed nor shown twice. Callers hand a cursor
//! back as they got it; with other filters than those of its list it is refused.

use std::fmt::{Display, Write as _};

use data_encoding::BASE64URL_NOPAD;
use ring::digest;

use super::failure::{Code, Failure};

/// Version of the form.
const VERSION: u8 = 1;

/// Bytes of a fingerprint. Nobody gains anything by a cursor of another list: each key is checked like any input.
const FINGERPRINT: usize = 8;

/// Longest cursor that is read: that of a name of 100 letters, of up to four bytes each.
const CURSOR_MAX_BYTES: usize = 640;

/// A list that is shown in pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing([u8; FINGERPRINT]);

impl Listing {
    /// Names a list with its order, and its filters as they were asked for; `limit` is none of them.
    pub(super) fn new(name: &str, filters: &[(&str, Option<String>)]) -> Self {
        let mut text = name.to_owned();
        for (filter, value) in filters {
            // A value is quoted, so that two filters cannot read like one.
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{filter}={value:?}");
        }
        let mut fingerprint = [0; FINGERPRINT];
        for (byte, of_hash) in fingerprint.iter_mut().zip(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()) {
            *byte = *of_hash;
        }
        Self(fingerprint)
    }

    /// Returns the cursor of the page after the row of that key.
    pub(super) fn after(self, key: &dyn Display) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.0);
        bytes.extend(key.to_string().into_bytes());
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// Reads a cursor of this list; `key` reads the key of a row.
    ///
    /// # Errors
    /// `BadRequest` for a cursor of another list, order, filter or version, and for what is none.
    pub(super) fn read<K>(self, cursor: Option<&str>, key: impl Fn(&str) -> Option<K>) -> Result<Option<K>, Failure> {
        let Some(cursor) = cursor else { return Ok(None) };
        let bytes =
            (cursor.len() <= CURSOR_MAX_BYTES).then(|| BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()).flatten();
        let parts = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&[VERSION]));
        let parts = parts.and_then(<[u8]>::split_first_chunk::<FINGERPRINT>);
        let (fingerprint, text) = parts.ok_or_else(|| refused("it is no cursor of this version"))?;
        if *fingerprint != self.0 {
            return Err(refused("it is of a list with other filters"));
        }
        let found = std::str::from_utf8(text).ok().and_then(key);
        found.map(Some).ok_or_else(|| refused("it names no row"))
    }
}

fn refused(why: &str) -> Failure {
    let detail = format!("the cursor: {why}; give the value of `next` as the last page told it, with the same filters");
    Failure::new(Code::BadRequest, detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn number(text: &str) -> Option<i64> {
        text.parse().ok()
    }

    fn refusal(listing: Listing, cursor: &str) -> String {
        let failure = listing.read(Some(cursor), number).unwrap_err();
        assert_eq!(failure.code, Code::BadRequest);
        failure.detail
    }

    #[test]
    fn a_cursor_leads_on_in_its_own_list_alone() {
        let list = |act: Option<&str>| Listing::new("audit", &[("act", act.map(str::to_owned)), ("object", None)]);
        let cursor = list(None).after(&42);
        assert_eq!(list(None).read(Some(&cursor), number).unwrap(), Some(42));
        assert_eq!(list(None).read(None, number).unwrap(), None);
        for other in [list(Some("stop")), list(Some("")), Listing::new("orders", &[]), Listing::new("audit", &[])] {
            assert!(refusal(other, &cursor).contains("other filters"));
        }
    }

    #[test]
    fn filters_do_not_read_like_one_another() {
        let of = |one: &str, other: Option<&str>| {
            Listing::new("x", &[("one", Some(one.to_owned())), ("other", other.map(str::to_owned))]).after(&1)
        };
        assert_ne!(of("a", Some("b")), of("a\")\nother=Some(\"b", None));
        assert_ne!(of("a", None), of("a", Some("None")));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let list = Listing::new("orders", &[]);
        let sound = list.after(&1);
        let mut older = BASE64URL_NOPAD.decode(sound.as_bytes()).unwrap();
        older[0] = 0;
        let long = list.after(&"1".repeat(600));
        for odd in ["", "1", "turn-1", "=", &sound[..8], &BASE64URL_NOPAD.encode(&older), &long] {
            assert!(refusal(list, odd).contains("no cursor of this version"), "{odd}");
        }
        assert!(refusal(list, &list.after(&"words")).contains("names no row"));
    }
}
