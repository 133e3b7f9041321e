//! Renews the tables of keys in a page: what stands between `<!-- keys of TABLE -->` and `<!-- end of keys -->`.

#![allow(clippy::panic)]

use botfleet::config::described;
use botfleet_actors::domain::keys::describe::{Described, Description, Holds};
use botfleet_actors::domain::strategy::Strategy;

use super::words::{bounds, choices, default};

const BEGIN: &str = "<!-- keys of ";
const END: &str = "<!-- end of keys -->";

/// Returns the page with current tables.
pub(super) fn renewed(page: &str) -> String {
    let mut parts = page.split(BEGIN);
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(" -->").unwrap_or_else(|| panic!("{BEGIN} without an end"));
        let (_, rest) = rest.split_once(END).unwrap_or_else(|| panic!("{BEGIN}{name} --> without {END}"));
        made.extend([BEGIN, name, " -->\n", &table(name), END, rest]);
    }
    made
}

fn table(name: &str) -> String {
    let manifest = described::manifest();
    let key = manifest.keys.iter().find(|key| key.name == name).unwrap_or_else(|| panic!("[{name}] is unknown"));
    let (Holds::Table(table) | Holds::List(table) | Holds::Named(table)) = &key.holds else { panic!("{name}") };
    if name == "strategies" {
        return strategies(table);
    }
    let mut made = line(&["key", "default", "values", "does"]) + &line(&["---"; 4]);
    // Of bots and chats, some keys may stand in [defaults] and some not.
    let mixed = table.keys.iter().any(|key| key.facts.shared);
    for key in &table.keys {
        let alone = if mixed && !key.facts.shared { " (not in `[defaults]`)" } else { "" };
        rows(key, "", alone, &mut made);
    }
    made
}

/// Returns a line of a table; a bar within a cell does not part it.
fn line(cells: &[&str]) -> String {
    let cell = |cell: &&str| if cell.is_empty() { " |".to_owned() } else { format!(" {} |", cell.replace('|', "\\|")) };
    format!("|{}\n", cells.iter().map(cell).collect::<String>())
}

/// Adds the row of a key, and those of the keys below it.
fn rows(key: &Described, prefix: &str, alone: &str, made: &mut String) {
    let name = format!("{prefix}{}", key.name);
    let shown = format!("`{name}`{alone}");
    let (default, values, below) = match &key.holds {
        Holds::Value { .. } => (without(key), values(key), None),
        Holds::Table(inner) => {
            let default = key.facts.unset.unwrap_or_default().to_owned();
            (default, "a table".to_owned(), Some((inner, format!("{name}."))))
        }
        Holds::List(inner) => ("none".to_owned(), "a list of tables".to_owned(), Some((inner, format!("{name}[].")))),
        Holds::Named(inner) => ("none".to_owned(), "tables by name".to_owned(), Some((inner, format!("{name}.NAME.")))),
    };
    made.push_str(&line(&[&shown, &default, &values, &key.doc]));
    if let Some((table, prefix)) = below {
        table.keys.iter().for_each(|key| rows(key, &prefix, "", made));
    }
}

/// Returns the value that holds without the key.
fn without(key: &Described) -> String {
    if key.facts.required.is_some() {
        return "required".to_owned();
    }
    match (key.facts.unset, default(key)) {
        (Some(unset), _) => unset.to_owned(),
        (None, None) => "none".to_owned(),
        (None, Some(value)) if value == "[]" => "none".to_owned(),
        (None, Some(value)) => format!("`{value}`"),
    }
}

fn values(key: &Described) -> String {
    let Holds::Value { schema, .. } = &key.holds else { return String::new() };
    let choices: Vec<String> = choices(schema).iter().map(|choice| format!("`{choice}`")).collect();
    bounds(key).unwrap_or_else(|| choices.join(", "))
}

/// Returns the table of strategies, with the values of each built-in one.
fn strategies(table: &Description) -> String {
    let names = Strategy::BUILT_IN;
    let built_in = names.map(|name| serde_json::to_value(Strategy::built_in(name)).unwrap());
    let heads: Vec<&str> = ["key"].into_iter().chain(names).chain(["values", "does"]).collect();
    let mut made = line(&heads) + &line(&vec!["---"; heads.len()]);
    for key in &table.keys {
        let name = format!("`{}`", key.name);
        let shown = built_in.each_ref().map(|strategy| strategy[key.name].to_string().replace('"', "`"));
        let values = values(key);
        let cells = [name.as_str()].into_iter().chain(shown.iter().map(String::as_str));
        made.push_str(&line(&cells.chain([values.as_str(), &key.doc]).collect::<Vec<_>>()));
    }
    made
}
