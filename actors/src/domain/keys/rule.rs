//! The ways in which a field of a file's table is read. Layer `domain`.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use super::value::KeyValue;
use super::{Keyed, Name, Source};

/// A way in which a field of type `T` is read.
pub trait Rule<T> {
    /// Reads the field from a source.
    fn take<S: Source>(self, name: Name, source: &mut S) -> T;
}

/// A key with a value.
#[derive(Clone, Debug)]
pub struct Key<T: KeyValue> {
    /// The value without the key.
    pub default: T,
    /// Least and greatest value.
    pub range: Option<RangeInclusive<T::Bound>>,
    /// Further facts.
    pub facts: Facts,
}

/// Facts about a key besides its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Remedy when the key is missing; a key without it may be left out.
    pub required: Option<&'static str>,
    /// The key in a file, where it is not called like the field.
    pub called: Option<&'static str>,
    /// True when the key may stand in `[defaults]` too.
    pub shared: bool,
    /// Meaning of 0.
    pub zero: Zero,
    /// True when blank texts count as absent.
    pub tidy: bool,
    /// True when the value is never repeated in a message (I12).
    pub secret: bool,
    /// Meaning of an absent key that has no default.
    pub unset: Option<&'static str>,
    /// A value for examples, as TOML, where the default shows nothing.
    pub example: Option<&'static str>,
}

/// Meaning of 0 as a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zero {
    /// A value like others.
    #[default]
    Plain,
    /// No limit: the value is `None`.
    Lifts,
    /// A fault.
    Refused,
}

/// Creates a key with its default.
pub fn key<T: KeyValue>(default: T) -> Key<T> {
    Key { default, range: None, facts: Facts::default() }
}

impl<T: KeyValue> Key<T> {
    /// Bounds the value.
    #[must_use]
    pub fn within(mut self, range: RangeInclusive<T::Bound>) -> Self {
        self.range = Some(range);
        self
    }

    /// Lets 0 stand for no limit.
    #[must_use]
    pub fn or_zero(mut self) -> Self {
        self.facts.zero = Zero::Lifts;
        self
    }

    /// Refuses 0.
    #[must_use]
    pub fn not_zero(mut self) -> Self {
        self.facts.zero = Zero::Refused;
        self
    }

    /// Demands the key; the remedy is told when it is missing, or a blank text.
    #[must_use]
    pub fn required(mut self, remedy: &'static str) -> Self {
        self.facts.required = Some(remedy);
        self
    }

    /// Takes blanks off the ends of a text, and blank texts out of a list.
    #[must_use]
    pub fn tidy(mut self) -> Self {
        self.facts.tidy = true;
        self
    }

    /// Lets the key stand in `[defaults]` too.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.facts.shared = true;
        self
    }

    /// Keeps the value out of messages.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.facts.secret = true;
        self
    }

    /// Gives the key another name in files than the field has.
    #[must_use]
    pub fn called(mut self, name: &'static str) -> Self {
        self.facts.called = Some(name);
        self
    }

    /// Says what holds while the key is absent.
    #[must_use]
    pub fn unset(mut self, meaning: &'static str) -> Self {
        self.facts.unset = Some(meaning);
        self
    }

    /// Gives a value for examples, as TOML.
    #[must_use]
    pub fn example(mut self, toml: &'static str) -> Self {
        self.facts.example = Some(toml);
        self
    }

    /// Leaves the field to the caller, who looks up what the value names.
    pub fn looked_up(self) -> LookedUp<T> {
        LookedUp(self)
    }

    /// Turns the value into the type of the field.
    pub fn map<U>(self, into: fn(T) -> U) -> Mapped<T, U> {
        Mapped { key: self, into }
    }
}

impl<T: KeyValue> Rule<T> for Key<T> {
    fn take<S: Source>(self, name: Name, source: &mut S) -> T {
        source.value(self.facts.name(name), self)
    }
}

impl Facts {
    fn name(self, name: Name) -> Name {
        Name { key: self.called.unwrap_or(name.key), ..name }
    }
}

/// A key that names something else; see [`Key::looked_up`].
pub struct LookedUp<T: KeyValue>(Key<T>);

impl<T: KeyValue, U: Default> Rule<U> for LookedUp<T> {
    fn take<S: Source>(self, name: Name, source: &mut S) -> U {
        source.apart(self.0.facts.name(name), self.0);
        U::default()
    }
}

/// A key whose value becomes another type; see [`Key::map`].
pub struct Mapped<T: KeyValue, U> {
    key: Key<T>,
    into: fn(T) -> U,
}

impl<T: KeyValue, U> Rule<U> for Mapped<T, U> {
    fn take<S: Source>(self, name: Name, source: &mut S) -> U {
        (self.into)(self.key.take(name, source))
    }
}

/// A table under a key.
pub struct Group<K> {
    shared: bool,
    kind: PhantomData<K>,
}

/// Creates the rule of a table under a key.
pub fn group<K: Keyed>() -> Group<K> {
    Group { shared: false, kind: PhantomData }
}

impl<K: Keyed> Group<K> {
    /// Lets the table stand in `[defaults]` too.
    #[must_use]
    pub fn shared(self) -> Self {
        Self { shared: true, ..self }
    }

    /// Lets the keys of the table stand beside those of the table around it.
    pub fn flat(self) -> Flat<K> {
        Flat(self.kind)
    }

    /// Lets the table be absent.
    pub fn optional(self) -> Optional<K> {
        Optional(self.kind)
    }

    /// Reads a list of such tables.
    pub fn list(self) -> List<K> {
        List(self.kind)
    }

    /// Reads such tables by name.
    pub fn named(self) -> Named<K> {
        Named(self.kind)
    }
}

impl<K: Keyed> Rule<K::Of> for Group<K> {
    fn take<S: Source>(self, name: Name, source: &mut S) -> K::Of {
        source.group::<K>(name, self.shared)
    }
}

/// Keys that stand beside those of the table around them; see [`Group::flat`].
pub struct Flat<K>(PhantomData<K>);

impl<K: Keyed> Rule<K::Of> for Flat<K> {
    fn take<S: Source>(self, _: Name, source: &mut S) -> K::Of {
        K::take(source)
    }
}

/// A table that may be absent; see [`Group::optional`].
pub struct Optional<K>(PhantomData<K>);

impl<K: Keyed> Rule<Option<K::Of>> for Optional<K> {
    fn take<S: Source>(self, name: Name, source: &mut S) -> Option<K::Of> {
        source.optional::<K>(name)
    }
}

/// A list of tables; see [`Group::list`].
pub struct List<K>(PhantomData<K>);

impl<K: Keyed> Rule<Vec<K::Of>> for List<K> {
    fn take<S: Source>(self, name: Name, source: &mut S) -> Vec<K::Of> {
        source.list::<K>(name)
    }
}

/// Tables by name; see [`Group::named`].
pub struct Named<K>(PhantomData<K>);

impl<K: Keyed> Rule<BTreeMap<String, K::Of>> for Named<K> {
    fn take<S: Source>(self, name: Name, source: &mut S) -> BTreeMap<String, K::Of> {
        source.named::<K>(name)
    }
}

/// A field that is no key.
pub struct NoKey<T>(T);

/// Creates the rule of a field that is no key, and that the caller fills.
pub fn no_key<T>(value: T) -> NoKey<T> {
    NoKey(value)
}

impl<T> Rule<T> for NoKey<T> {
    fn take<S: Source>(self, _: Name, _: &mut S) -> T {
        self.0
    }
}
