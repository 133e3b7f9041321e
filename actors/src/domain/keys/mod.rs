//! Keys of manifest and settings, each said once: name, value, default, range and meaning. Layer `domain`.
//!
//! A struct that stands in a file is declared by [`keyed!`]. Each of its fields is a key, and the expression behind the
//! field says how the key is read. Everything else walks over that list by a [`Source`]: the reader of files (in
//! `config`), the built-in values, and [`describe::Description`], from which examples, tables and schemas are made.
//!
//! | file | holds |
//! |---|---|
//! | `rule` | the ways in which a field is read: a value, a group, a list, a name of something else |
//! | `value`, `choice` | the types that a value can have; enums among them |
//! | `describe` | the keys as data |

pub mod choice;
pub mod describe;
pub mod rule;
pub mod value;

use std::collections::BTreeMap;

use rule::Key;
use value::KeyValue;

/// Name and meaning of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The key, as a file writes it.
    pub key: &'static str,
    /// The key's meaning, in lines that begin with a space.
    pub doc: &'static str,
}

/// A table of a file whose keys are listed once.
pub trait Keyed {
    /// The type that the keys come to.
    type Of;

    /// Meaning of the table.
    const DOC: &'static str;

    /// Walks over the keys in order, and puts their values together.
    fn take<S: Source>(source: &mut S) -> Self::Of;
}

/// Something that gives a value to each key.
pub trait Source {
    /// Gives the value of a key.
    fn value<T: KeyValue>(&mut self, name: Name, key: Key<T>) -> T;

    /// Notes a key whose value the caller looks up, as the name of a persona.
    fn apart<T: KeyValue>(&mut self, name: Name, key: Key<T>);

    /// Gives the table under a key; `shared` tables may stand in `[defaults]` too.
    fn group<K: Keyed>(&mut self, name: Name, shared: bool) -> K::Of;

    /// Gives the table under a key that may be absent.
    fn optional<K: Keyed>(&mut self, name: Name) -> Option<K::Of>;

    /// Gives the list of tables under a key.
    fn list<K: Keyed>(&mut self, name: Name) -> Vec<K::Of>;

    /// Gives the tables under a key, each with its name.
    fn named<K: Keyed>(&mut self, name: Name) -> BTreeMap<String, K::Of>;
}

/// The source of the built-in values.
struct BuiltIn;

impl Source for BuiltIn {
    fn value<T: KeyValue>(&mut self, _: Name, key: Key<T>) -> T {
        key.default
    }

    fn apart<T: KeyValue>(&mut self, _: Name, _: Key<T>) {}

    fn group<K: Keyed>(&mut self, _: Name, _: bool) -> K::Of {
        K::take(self)
    }

    fn optional<K: Keyed>(&mut self, _: Name) -> Option<K::Of> {
        None
    }

    fn list<K: Keyed>(&mut self, _: Name) -> Vec<K::Of> {
        Vec::new()
    }

    fn named<K: Keyed>(&mut self, _: Name) -> BTreeMap<String, K::Of> {
        BTreeMap::new()
    }
}

/// Returns a table of which no key is set.
pub fn built_in<K: Keyed>() -> K::Of {
    K::take(&mut BuiltIn)
}

/// Declares a struct whose fields are keys of a file: `pub field: Type = how it is read;`.
///
/// The struct gets its built-in values as `Default`. A field that is no key says so by [`rule::no_key`]; a field
/// without a rule does not compile.
#[doc(hidden)]
#[macro_export]
macro_rules! __keyed {
    (
        $(#[$($about:tt)*])*
        $vis:vis struct $name:ident {
            $( $(#[$($attr:tt)*])* $seen:vis $field:ident : $kind:ty = $how:expr ; )*
        }
    ) => {
        $(#[$($about)*])*
        $vis struct $name {
            $( $(#[$($attr)*])* $seen $field: $kind, )*
        }

        $crate::domain::keys::takes! {
            $(#[$($about)*])*
            $name, Self, {}, { $( $(#[$($attr)*])* $field : $kind = $how ; )* }
        }

        impl Default for $name {
            fn default() -> Self {
                $crate::domain::keys::built_in::<Self>()
            }
        }
    };
}

/// Lists the keys of a struct that is declared elsewhere; a field that is left out does not compile.
#[doc(hidden)]
#[macro_export]
macro_rules! __keys_of {
    (
        $(#[$($about:tt)*])*
        $vis:vis $name:ident of $owner:ident as $default:ident {
            $( $(#[$($attr:tt)*])* $field:ident : $kind:ty = $how:expr ; )*
        }
    ) => {
        $(#[$($about)*])*
        $vis struct $name;

        $crate::domain::keys::takes! {
            $(#[$($about)*])*
            $name, $owner, { let $default = <$owner>::default(); }, { $( $(#[$($attr)*])* $field : $kind = $how ; )* }
        }
    };
}

/// Implements `Keyed`: takes each key in order, by its rule, after `$first`.
#[doc(hidden)]
#[macro_export]
macro_rules! __takes {
    (
        $(#[$($about:tt)*])*
        $name:ident, $owner:ident, { $($first:stmt;)? }, {
            $( $(#[$($attr:tt)*])* $field:ident : $kind:ty = $how:expr ; )*
        }
    ) => {
        impl $crate::domain::keys::Keyed for $name {
            type Of = $owner;

            const DOC: &'static str = $crate::domain::keys::doc_of!($([$($about)*])*);

            fn take<S: $crate::domain::keys::Source>(source: &mut S) -> Self::Of {
                $($first)?
                $owner { $(
                    $field: $crate::domain::keys::rule::Rule::<$kind>::take(
                        $how,
                        $crate::domain::keys::Name {
                            key: stringify!($field),
                            doc: $crate::domain::keys::doc_of!($([$($attr)*])*),
                        },
                        source,
                    ),
                )* }
            }
        }
    };
}

/// Joins the lines of doc comments among attributes.
#[doc(hidden)]
#[macro_export]
macro_rules! __doc_of {
    () => { "" };
    ([doc = $line:literal] $($rest:tt)*) => { concat!($line, "\n", $crate::domain::keys::doc_of!($($rest)*)) };
    ([$($other:tt)*] $($rest:tt)*) => { $crate::domain::keys::doc_of!($($rest)*) };
}

#[doc(hidden)]
pub use __doc_of as doc_of;
#[doc(inline)]
pub use __keyed as keyed;
#[doc(inline)]
pub use __keys_of as keys_of;
#[doc(hidden)]
pub use __takes as takes;
