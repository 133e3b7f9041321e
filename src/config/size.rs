//! Reads sizes as people write them: `512KiB`, `1MiB`. Part of `config`.

use std::fmt;

use botfleet_actors::domain::keys::value::KeyValue;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::{Value as Json, json};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl ByteSize {
    /// Makes a size of that many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Returns the number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (number, factor) =
            UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor))).unwrap_or((text, 1));
        number.trim().parse::<u64>().ok()?.checked_mul(factor).map(Self)
    }
}

/// A size as people write it, in the largest unit of 1,024 that leaves nothing over.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
        let unit = units.into_iter().find(|(_, factor)| self.0.is_multiple_of(*factor) && self.0 >= *factor);
        let (unit, factor) = unit.unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl KeyValue for ByteSize {
    type Written = Self;
    type Bound = Self;

    fn read(written: Self) -> Self {
        written
    }

    fn write(&self) -> Json {
        json!(self.to_string())
    }

    fn schema() -> Json {
        json!({ "type": ["string", "integer"] })
    }

    fn measure(&self) -> Option<Self> {
        Some(*self)
    }

    fn show(bound: &Self) -> String {
        bound.to_string()
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Size;
        impl Visitor<'_> for Size {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"512KiB\" or \"1MiB\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
                ByteSize::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<ByteSize, E> {
                let size = u64::try_from(bytes).ok().map(ByteSize);
                size.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Signed(bytes), &self))
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }
        }
        deserializer.deserialize_any(Size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        let read = |text| ByteSize::parse(text).map(ByteSize::bytes);
        assert_eq!(read("1MiB"), Some(1_048_576));
        assert_eq!(read("512 KiB"), Some(524_288));
        assert_eq!((read("2kB"), read("7B"), read("9")), (Some(2_000), Some(7), Some(9)));
        let written = |bytes| ByteSize::from_bytes(bytes).to_string();
        assert_eq!([written(0), written(7), written(1024), written(1 << 26)], ["0B", "7B", "1KiB", "64MiB"]);
        for text in ["", "MiB", "-1MiB", "1.5MiB", "1mib", "99999999999GiB"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
