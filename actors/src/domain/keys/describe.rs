//! Keys as data, from which examples, tables and schemas are made. Layer `domain`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::rule::{Facts, Key, Zero};
use super::value::KeyValue;
use super::{Keyed, Name, Source, built_in};

/// The keys of one table.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// Meaning of the table.
    pub doc: String,
    /// The keys, in their order.
    pub keys: Vec<Described>,
}

/// One key of a table.
#[derive(Clone, Debug)]
pub struct Described {
    /// The key.
    pub name: &'static str,
    /// Meaning of the key, as one paragraph.
    pub doc: String,
    /// Further facts.
    pub facts: Facts,
    /// The things that stand under the key.
    pub holds: Holds,
}

/// The things that stand under a key.
#[derive(Clone, Debug)]
pub enum Holds {
    /// A value.
    Value {
        /// JSON schema of the value, with its range.
        schema: Json,
        /// The built-in value; null when there is none.
        default: Json,
        /// Least and greatest value, as people read them.
        range: Option<(String, String)>,
    },
    /// A table.
    Table(Description),
    /// A list of tables.
    List(Description),
    /// Tables by name.
    Named(Description),
}

impl Description {
    /// Describes a table.
    pub fn of<K: Keyed>() -> Self {
        let mut description = Self { doc: paragraph(K::DOC), keys: Vec::new() };
        K::take(&mut description);
        description
    }

    /// Keeps the keys that may stand in `[defaults]`.
    #[must_use]
    pub fn shared(self) -> Self {
        Self { keys: self.keys.into_iter().filter(|key| key.facts.shared).collect(), ..self }
    }

    fn add(&mut self, name: Name, facts: Facts, holds: Holds) {
        self.keys.push(Described { name: name.key, doc: paragraph(name.doc), facts, holds });
    }
}

/// Joins the lines of a doc comment; its sections, as `# Source`, are for readers of the code.
fn paragraph(doc: &str) -> String {
    let lines = doc.lines().map(str::trim).take_while(|line| !line.starts_with("# "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

impl Source for Description {
    fn value<T: KeyValue>(&mut self, name: Name, key: Key<T>) -> T {
        let mut schema = T::schema();
        let lifts = key.facts.zero == Zero::Lifts;
        let range = key.range.as_ref().map(|range| (range.start(), range.end()));
        if let (Some((least, most)), Some(schema)) = (range, schema.as_object_mut()) {
            let least = if lifts { serde_json::json!(0) } else { T::edge(least) };
            for (word, edge) in [("minimum", least), ("maximum", T::edge(most))] {
                if !T::edge(most).is_null() {
                    schema.insert(word.to_owned(), edge);
                }
            }
        } else if let (true, Some(least)) = (lifts, schema.get_mut("minimum")) {
            *least = serde_json::json!(0);
        }
        let range = range.map(|(least, most)| (T::show(least), T::show(most)));
        self.add(name, key.facts, Holds::Value { schema, default: key.default.write(), range });
        key.default
    }

    fn apart<T: KeyValue>(&mut self, name: Name, key: Key<T>) {
        self.value(name, key);
    }

    fn group<K: Keyed>(&mut self, name: Name, shared: bool) -> K::Of {
        self.add(name, Facts { shared, ..Facts::default() }, Holds::Table(Self::of::<K>()));
        built_in::<K>()
    }

    fn optional<K: Keyed>(&mut self, name: Name) -> Option<K::Of> {
        let facts = Facts { unset: Some("none"), ..Facts::default() };
        self.add(name, facts, Holds::Table(Self::of::<K>()));
        None
    }

    fn list<K: Keyed>(&mut self, name: Name) -> Vec<K::Of> {
        self.add(name, Facts::default(), Holds::List(Self::of::<K>()));
        Vec::new()
    }

    fn named<K: Keyed>(&mut self, name: Name) -> BTreeMap<String, K::Of> {
        self.add(name, Facts::default(), Holds::Named(Self::of::<K>()));
        BTreeMap::new()
    }
}
