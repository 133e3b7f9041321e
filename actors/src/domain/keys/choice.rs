//! Enums without fields as values of keys. Layer `domain`.

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

/// Returns the names that an enum's variants have in files.
pub fn variants<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Asks<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Asks<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("only asks for names"))
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = variants;
            self.deserialize_any(visitor)
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    let _ = T::deserialize(Asks(&mut names));
    names
}

/// Makes enums without fields values of keys; serde knows their names.
#[doc(hidden)]
#[macro_export]
macro_rules! __choices {
    ($($kind:ty)+) => {$(
        impl $crate::domain::keys::value::KeyValue for $kind {
            type Written = Self;
            type Bound = ();

            fn read(written: Self) -> Self {
                written
            }

            fn write(&self) -> ::serde_json::Value {
                ::serde_json::json!(self)
            }

            fn schema() -> ::serde_json::Value {
                ::serde_json::json!({ "enum": $crate::domain::keys::choice::variants::<Self>() })
            }
        }
    )+};
}

#[doc(inline)]
pub use __choices as choices;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[allow(dead_code, reason = "only its names are read")]
    enum Way {
        ByLand,
        BySea,
    }

    #[test]
    fn the_names_of_an_enum_come_from_serde() {
        assert_eq!(variants::<Way>(), ["by_land", "by_sea"]);
        assert_eq!(variants::<String>(), [""; 0], "no enum");
    }
}
