//! The types that the value of a key can have. Layer `domain`.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::{Value as Json, json};

use crate::domain::curve::Curve;
use crate::domain::hours::Hours;
use crate::domain::ids::TelegramChatId;

/// A type that the value of a key can have.
pub trait KeyValue: Clone + Sized {
    /// The value as a file writes it.
    type Written: DeserializeOwned;
    /// A bound of the value.
    type Bound: Clone + PartialOrd + fmt::Debug;

    /// Takes the value as a file writes it.
    fn read(written: Self::Written) -> Self;

    /// Returns the value as a file writes it; null when it is absent.
    fn write(&self) -> Json;

    /// Returns the JSON schema of the value.
    fn schema() -> Json;

    /// Returns the part of the value that a range bounds, when there is one.
    fn measure(&self) -> Option<Self::Bound> {
        None
    }

    /// Returns a bound as people read it.
    fn show(bound: &Self::Bound) -> String {
        format!("{bound:?}")
    }

    /// Returns a bound for a JSON schema; null when a schema cannot say it.
    fn edge(_: &Self::Bound) -> Json {
        Json::Null
    }

    /// Returns the value "none", when the type has one.
    fn none() -> Option<Self> {
        None
    }

    /// Returns the way in which a file writes zero.
    fn zero() -> &'static str {
        "0"
    }

    /// Returns whether the value is zero.
    fn is_zero(&self) -> bool {
        false
    }

    /// Returns the value without blanks at its ends, and without blank texts.
    #[must_use]
    fn tidied(self) -> Self {
        self
    }

    /// Returns whether the value is a blank text.
    fn is_blank(&self) -> bool {
        false
    }
}

/// Types whose values stand in a file as they are: the type of a bound, the schema, and what else there is to say.
macro_rules! as_written {
    ($($kind:ty, $bound:ty, $schema:tt $({ $($more:item)* })?;)+) => {$(
        impl KeyValue for $kind {
            type Written = Self;
            type Bound = $bound;

            fn read(written: Self) -> Self {
                written
            }

            fn write(&self) -> Json {
                json!(self)
            }

            fn schema() -> Json {
                json!($schema)
            }

            $($($more)*)?
        }
    )+};
}

macro_rules! numbers {
    ($($kind:ty: $schema:tt;)+) => {
        as_written! {$(
            $kind, Self, $schema {
                fn measure(&self) -> Option<Self> {
                    Some(*self)
                }

                fn edge(bound: &Self) -> Json {
                    json!(bound)
                }
            };
        )+}
    };
}

numbers! {
    u32: { "type": "integer", "minimum": 0 };
    usize: { "type": "integer", "minimum": 0 };
    i64: { "type": "integer" };
    f64: { "type": "number" };
    NonZeroU8: { "type": "integer", "minimum": 1, "maximum": 255 };
    NonZeroU32: { "type": "integer", "minimum": 1 };
    NonZeroU64: { "type": "integer", "minimum": 1 };
    NonZeroUsize: { "type": "integer", "minimum": 1 };
}

as_written! {
    bool, (), { "type": "boolean" };
    PathBuf, (), { "type": "string" };
    TelegramChatId, (), { "type": "integer" };
    String, (), { "type": "string" } {
        fn tidied(self) -> Self {
            self.trim().to_owned()
        }

        fn is_blank(&self) -> bool {
            self.trim().is_empty()
        }
    };
}

/// A duration, as in "30s".
impl KeyValue for Duration {
    type Written = humantime_serde::Serde<Self>;
    type Bound = Self;

    fn read(written: Self::Written) -> Self {
        written.into_inner()
    }

    fn write(&self) -> Json {
        json!(span(*self))
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^ *([0-9]+ *[a-zA-Z]+ *)+$" })
    }

    fn measure(&self) -> Option<Self> {
        Some(*self)
    }

    fn show(bound: &Self) -> String {
        span(*bound)
    }

    fn zero() -> &'static str {
        "0s"
    }

    fn is_zero(&self) -> bool {
        Self::is_zero(self)
    }
}

/// Returns a duration as files write it: in the largest unit that leaves nothing over, days from the fourth on.
pub fn span(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [("d", 86_400_000, 4), ("h", 3_600_000, 1), ("m", 60_000, 1), ("s", 1_000, 0)];
    let unit = units.into_iter().find(|(_, of, least)| ms.is_multiple_of(*of) && ms / of >= *least);
    unit.map_or_else(|| format!("{ms}ms"), |(unit, of, _)| format!("{}{unit}", ms / of))
}

/// Hours of the day; "none" is no hour.
impl KeyValue for Option<Hours> {
    type Written = NoneOr<Hours>;
    type Bound = ();

    fn read(written: Self::Written) -> Self {
        written.0
    }

    fn write(&self) -> Json {
        self.map_or(Json::Null, |hours| json!(hours))
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^( *none *|[ 0-9]+:[ 0-9]+-[ 0-9]+:[ 0-9]+)$" })
    }

    fn none() -> Option<Self> {
        Some(None)
    }
}

/// A curve over the day; "none" is no curve.
impl KeyValue for Option<Curve> {
    type Written = NoneOr<Curve>;
    type Bound = ();

    fn read(written: Self::Written) -> Self {
        written.0
    }

    fn write(&self) -> Json {
        self.as_ref().map_or(Json::Null, |curve| json!(curve))
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^( *none *|[0-9: .,]+)$" })
    }

    fn none() -> Option<Self> {
        Some(None)
    }
}

/// A value, or the word "none".
pub struct NoneOr<T>(Option<T>);

impl<'de, T: TryFrom<String, Error: fmt::Display>> Deserialize<'de> for NoneOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim() == "none" {
            return Ok(Self(None));
        }
        T::try_from(text).map(|value| Self(Some(value))).map_err(D::Error::custom)
    }
}

impl<T: KeyValue> KeyValue for Option<T> {
    type Written = T::Written;
    type Bound = T::Bound;

    fn read(written: Self::Written) -> Self {
        Some(T::read(written))
    }

    fn write(&self) -> Json {
        self.as_ref().map_or(Json::Null, KeyValue::write)
    }

    fn schema() -> Json {
        T::schema()
    }

    fn measure(&self) -> Option<Self::Bound> {
        self.as_ref().and_then(KeyValue::measure)
    }

    fn show(bound: &Self::Bound) -> String {
        T::show(bound)
    }

    fn edge(bound: &Self::Bound) -> Json {
        T::edge(bound)
    }

    fn none() -> Option<Self> {
        Some(None)
    }

    fn zero() -> &'static str {
        T::zero()
    }

    fn is_zero(&self) -> bool {
        self.as_ref().is_some_and(KeyValue::is_zero)
    }

    fn tidied(self) -> Self {
        self.map(KeyValue::tidied).filter(|value| !value.is_blank())
    }
}

impl<T: KeyValue> KeyValue for Vec<T> {
    type Written = Vec<T::Written>;
    type Bound = ();

    fn read(written: Self::Written) -> Self {
        written.into_iter().map(T::read).collect()
    }

    fn write(&self) -> Json {
        self.iter().map(KeyValue::write).collect()
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": T::schema() })
    }

    fn tidied(self) -> Self {
        self.into_iter().filter(|value| !value.is_blank()).collect()
    }
}

/// A value that a file writes as a text, and that is read from it, as an address.
#[derive(Clone, Debug)]
pub struct AsText<T>(pub T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for AsText<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

impl<T: Clone + fmt::Display + FromStr<Err: fmt::Display>> KeyValue for AsText<T> {
    type Written = Self;
    type Bound = ();

    fn read(written: Self) -> Self {
        written
    }

    fn write(&self) -> Json {
        json!(self.0.to_string())
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_in_the_largest_whole_unit() {
        let written = |ms| span(Duration::from_millis(ms));
        let spans = [0, 250, 1_500, 90_000, 600_000, 86_400_000, 259_200_000, 604_800_000].map(written);
        assert_eq!(spans, ["0s", "250ms", "1500ms", "90s", "10m", "24h", "72h", "7d"]);
    }
}
