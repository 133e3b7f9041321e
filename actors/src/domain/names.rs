//! Names of enums without fields, as they stand in the database, the API, metrics and reasons. Layer `domain`.

/// Gives an enum's variants their names: `names! { Verdict { Speak = "speak", Silent = "silent" } }`.
#[doc(hidden)]
#[macro_export]
macro_rules! __names {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        #[allow(dead_code, unreachable_pub, reason = "not every enum is public, or read back")]
        impl $type {
            /// All variants.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// Returns the name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// Returns the variant of that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|variant| variant.as_str() == name)
            }
        }
    };
}

#[doc(inline)]
pub use __names as names;
