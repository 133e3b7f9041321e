//! Names of enums without fields, and kinds of enums whose variants hold an id, as they stand in the database, the API,
//! metrics and reasons. Layer `domain`.

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

/// Gives the variants of an enum their kinds: `kinds! { LeaseKey { Bot(BotId) = "bot", Chat(ChatId) = "chat" } }`. A
/// variant without an id stands first, in parentheses, and has id 0.
#[doc(hidden)]
#[macro_export]
macro_rules! __kinds {
    ($type:ident { $(($unit:ident) = $of_unit:literal,)? $($variant:ident($id:ident) = $kind:literal),+ $(,)? }) => {
        impl $type {
            /// Returns the kind, as in the database and the API.
            pub const fn kind(self) -> &'static str {
                match self {
                    $(Self::$unit => $of_unit,)?
                    $(Self::$variant(_) => $kind),+
                }
            }

            /// Returns the id within the kind.
            pub const fn id(self) -> i64 {
                match self {
                    $(Self::$unit => 0,)?
                    $(Self::$variant($id(id)) => id),+
                }
            }

            /// Returns the variant of a kind and an id.
            pub fn of_kind(kind: &str, id: i64) -> Option<Self> {
                match kind {
                    $($of_unit => Some(Self::$unit),)?
                    $($kind => Some(Self::$variant($id(id))),)+
                    _ => None,
                }
            }
        }
    };
}

#[doc(inline)]
pub use __kinds as kinds;
#[doc(inline)]
pub use __names as names;
