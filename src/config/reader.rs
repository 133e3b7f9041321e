//! Reads the keys of a table, each by its rule, and notes the faults. Part of `config`. Keeps I12.
//!
//! Reading goes on after a fault with the built-in value, so that one run shows all faults.

use std::collections::BTreeMap;

use botfleet_actors::domain::keys::rule::{Key, Zero};
use botfleet_actors::domain::keys::value::KeyValue;
use botfleet_actors::domain::keys::{Keyed, Name, Source, built_in};
use toml::{Table, Value};

use super::fault::Fault;
use super::table::{self, join};

/// The place of `[defaults]` in faults.
const DEFAULTS: &str = "defaults";

/// A file whose tables are read, and its faults.
pub(super) struct File<'a> {
    /// Name of the file, the variable or the flag.
    pub(super) name: &'a str,
    /// The faults that were found.
    pub(super) faults: &'a mut Vec<Fault>,
}

impl File<'_> {
    /// Reads a table that stands at `place`.
    pub(super) fn take<K: Keyed>(&mut self, own: Table, place: &str, defaults: Option<&Table>) -> (K::Of, Found) {
        let defaults = defaults.map(|table| (DEFAULTS.to_owned(), table));
        let mut reader = Reader::new(self, place.to_owned(), own, defaults);
        let taken = K::take(&mut reader);
        (taken, reader.finish())
    }

    /// Notes the faults of `[defaults]`: its keys are those that bots and chats share. The bounds of its values are
    /// checked where the values are used.
    pub(super) fn check_defaults<B: Keyed, C: Keyed>(&mut self, table: &Table) -> Found {
        let reader = Reader::new(self, DEFAULTS.to_owned(), table.clone(), None);
        let mut reader = Reader { only_shared: true, complete: false, ..reader };
        B::take(&mut reader);
        C::take(&mut reader);
        reader.finish()
    }

    fn fault(&mut self, key: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(Fault::new(self.name, key, what, remedy));
    }

    /// Returns the table that a value is; another value is a fault.
    fn table(&mut self, value: Option<Value>, place: &str, written: &str) -> Table {
        match value {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.fault(place, "is no table", format!("write {written}"));
                Table::new()
            }
        }
    }

    /// Takes a table out of another; an absent one is empty.
    pub(super) fn table_of(&mut self, from: &mut Table, key: &str, place: &str) -> Table {
        self.table(from.remove(key), place, &format!("[{place}]"))
    }

    /// Takes a list of tables out of another; an absent one is empty.
    pub(super) fn list_of(&mut self, from: &mut Table, key: &str, place: &str) -> Vec<Table> {
        let written = format!("[[{place}]]");
        let values = match from.remove(key) {
            None => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(_) => {
                self.fault(place, "is no list of tables", format!("write {written}"));
                Vec::new()
            }
        };
        let values = values.into_iter().enumerate();
        values.map(|(index, value)| self.table(Some(value), &format!("{place}[{index}]"), &written)).collect()
    }
}

/// The keys of one table that were read without a fault.
#[derive(Debug, Default)]
pub(super) struct Found {
    places: BTreeMap<&'static str, String>,
    names: BTreeMap<&'static str, Value>,
}

impl Found {
    /// Returns the place of a key's sound value, as `chats[0].strategy` or `defaults.strategy`.
    pub(super) fn place(&self, key: &str) -> Option<&str> {
        self.places.get(key).map(String::as_str)
    }

    /// Returns a text that the caller looks up, and its place.
    pub(super) fn text(&self, key: &str) -> Option<(String, &str)> {
        let text = self.names.get(key)?.as_str()?;
        Some((text.trim().to_owned(), self.place(key)?))
    }

    /// Returns the texts of a list that the caller looks up, and its place.
    pub(super) fn texts(&self, key: &str) -> Option<(Vec<String>, &str)> {
        let texts = self.names.get(key)?.as_array()?.iter().filter_map(Value::as_str);
        Some((texts.map(str::to_owned).collect(), self.place(key)?))
    }
}

/// The reader of one table.
struct Reader<'f, 'a> {
    file: &'f mut File<'a>,
    place: String,
    own: Table,
    /// Table and place of values for shared keys that are not the table's own.
    defaults: Option<(String, &'f Table)>,
    /// True for `[defaults]`, which has the shared keys alone.
    only_shared: bool,
    /// True within a table that may stand in `[defaults]`, whose keys are all shared.
    all_shared: bool,
    /// True when values are checked against their bounds, and missing keys are told; false for `[defaults]`.
    complete: bool,
    known: Vec<&'static str>,
    found: Found,
}

impl<'f, 'a> Reader<'f, 'a> {
    fn new(file: &'f mut File<'a>, place: String, own: Table, defaults: Option<(String, &'f Table)>) -> Self {
        let (known, found) = (Vec::new(), Found::default());
        Self { file, place, own, defaults, only_shared: false, all_shared: false, complete: true, known, found }
    }

    /// Notes the keys that nobody asked for.
    fn finish(self) -> Found {
        let remedy = if self.known.is_empty() {
            "remove it".to_owned()
        } else {
            format!("known keys: {}", self.known.join(", "))
        };
        for key in self.own.keys() {
            self.file.fault(join(&self.place, key), "unknown key", remedy.as_str());
        }
        self.found
    }

    /// Returns the written value of a key, and its place.
    fn written(&mut self, key: &str, shared: bool) -> Option<(Value, String)> {
        if let Some(value) = self.own.remove(key) {
            return Some((value, join(&self.place, key)));
        }
        let (place, table) = self.defaults.as_ref().filter(|_| shared)?;
        Some((table.get(key)?.clone(), join(place, key)))
    }

    /// Reads a value; `None` when it is absent or faulty.
    fn read<T: KeyValue>(&mut self, name: Name, key: &Key<T>) -> Option<(T, Value, String)> {
        let facts = key.facts;
        let lifts = facts.zero == Zero::Lifts;
        if self.only_shared && !facts.shared {
            return None;
        }
        self.known.push(name.key);
        let Some((written, place)) = self.written(name.key, facts.shared || self.all_shared) else {
            if let Some(remedy) = facts.required.filter(|_| self.complete) {
                self.file.fault(join(&self.place, name.key), "is missing", remedy);
            }
            return None;
        };
        // Most types that a limit has cannot be 0.
        if lifts && written.as_integer() == Some(0) && T::zero() == "0" {
            return T::none().map(|none| (none, written, place));
        }
        let read = table::read(written.clone(), self.file.name, &place, facts.secret, self.file.faults)?;
        let value = if facts.tidy { T::read(read).tidied() } else { T::read(read) };
        if lifts && value.is_zero() {
            return T::none().map(|none| (none, written, place));
        }
        self.check(&value, key, &place).then_some((value, written, place))
    }

    /// Notes the fault of a value that is out of bounds.
    fn check<T: KeyValue>(&mut self, value: &T, key: &Key<T>, place: &str) -> bool {
        if let Some(remedy) = key.facts.required
            && value.is_blank()
        {
            self.file.fault(place, "is empty", remedy);
            return false;
        }
        if key.facts.zero == Zero::Refused && value.is_zero() {
            let usual = key.default.write();
            self.file.fault(place, "is zero", format!("write it as {usual}"));
            return false;
        }
        let (Some(range), Some(measure), true) = (&key.range, value.measure(), self.complete) else { return true };
        if range.contains(&measure) {
            return true;
        }
        let what = format!("{} is out of bounds", T::show(&measure));
        let mut remedy = format!("from {} to {}", T::show(range.start()), T::show(range.end()));
        if key.facts.zero == Zero::Lifts {
            remedy = format!("{remedy}, or {} for no such limit", T::zero());
        }
        self.file.fault(place, what, remedy);
        false
    }

    /// Takes the table under a key, and the one in `[defaults]` when it may stand there.
    fn below(&mut self, key: &'static str, shared: bool) -> Reader<'_, 'a> {
        self.known.push(key);
        let place = join(&self.place, key);
        let own = self.file.table_of(&mut self.own, key, &place);
        let defaults = self.defaults.as_ref().filter(|_| shared);
        let defaults = defaults.and_then(|(place, table)| Some((join(place, key), table.get(key)?.as_table()?)));
        Reader { all_shared: shared, complete: self.complete, ..Reader::new(self.file, place, own, defaults) }
    }
}

impl Source for Reader<'_, '_> {
    fn value<T: KeyValue>(&mut self, name: Name, key: Key<T>) -> T {
        let Some((value, _, place)) = self.read(name, &key) else { return key.default };
        self.found.places.insert(name.key, place);
        value
    }

    fn apart<T: KeyValue>(&mut self, name: Name, key: Key<T>) {
        if let Some((_, written, place)) = self.read(name, &key) {
            self.found.places.insert(name.key, place);
            self.found.names.insert(name.key, written);
        }
    }

    fn group<K: Keyed>(&mut self, name: Name, shared: bool) -> K::Of {
        if self.only_shared && !shared {
            return built_in::<K>();
        }
        let mut below = self.below(name.key, shared);
        let taken = K::take(&mut below);
        below.finish();
        taken
    }

    fn optional<K: Keyed>(&mut self, name: Name) -> Option<K::Of> {
        if self.only_shared {
            return None;
        }
        let present = self.own.contains_key(name.key);
        let taken = self.group::<K>(name, false);
        present.then_some(taken)
    }

    fn list<K: Keyed>(&mut self, name: Name) -> Vec<K::Of> {
        if self.only_shared {
            return Vec::new();
        }
        self.known.push(name.key);
        let place = join(&self.place, name.key);
        let tables = self.file.list_of(&mut self.own, name.key, &place).into_iter().enumerate();
        tables.map(|(index, table)| self.file.take::<K>(table, &format!("{place}[{index}]"), None).0).collect()
    }

    fn named<K: Keyed>(&mut self, name: Name) -> BTreeMap<String, K::Of> {
        if self.only_shared {
            return BTreeMap::new();
        }
        self.known.push(name.key);
        let place = join(&self.place, name.key);
        let mut tables = self.file.table_of(&mut self.own, name.key, &place);
        let keys: Vec<String> = tables.keys().cloned().collect();
        let take = |key: String| {
            let place = join(&place, &key);
            let table = self.file.table_of(&mut tables, &key, &place);
            (key, self.file.take::<K>(table, &place, None).0)
        };
        keys.into_iter().map(take).collect()
    }
}
