//! Things, differences and numbers of the configuration, for operators. Layer `runtime`. Keeps I12.

use botfleet_actors::domain::configuration::{
    ConfigStep, Keys, Override, Resource, ResourceChange, ResourceId, ResourceKind, ResourceOrigin,
};
use botfleet_actors::domain::roster::Persona;
use botfleet_actors::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::manifest::declared::{self, shown, shown_value};

/// A thing of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ResourceView {
    /// Name.
    pub name: String,
    /// The one who made it.
    pub origin: ResourceOrigin,
    /// Name of the manifest, of what a manifest made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Set when it is in use; bots can be switched off.
    pub enabled: bool,
    /// All keys of the manifest with the values in force; secrets, and references to them, are masked.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub keys: Map<String, Value>,
    /// The fields that operators changed of what a manifest made.
    pub overrides: Vec<OverrideView>,
    /// The one who changed it last.
    pub changed_by: String,
    /// Instant of the last change.
    pub changed_at: Timestamp,
    /// Number of the configuration that changed it last, which `If-Match` names.
    pub version: i64,
    /// Secrets that the node which took the change does not find.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Returns the keys of a persona that differ from their built-in values.
pub fn persona_keys(persona: &Persona) -> Keys {
    declared::persona_keys(persona)
}

/// A field that an operator changed of what a manifest made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OverrideView {
    /// The field, as a path: `pacing.burst`.
    pub field: String,
    /// The value in force; null when the field is left out.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Value))]
    pub value: Value,
    /// The manifest's value; null when the manifest leaves the field out.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Value))]
    pub manifest: Value,
    /// The one who changed it.
    pub by: String,
    /// Instant of the change.
    pub at: Timestamp,
}

impl ResourceView {
    /// Shows a thing.
    pub fn of(id: &ResourceId, thing: &Resource) -> Self {
        let view = |(field, Override { value, by, at }): (&String, &Override)| OverrideView {
            field: field.clone(),
            value: shown_value(id.kind, field, value),
            manifest: shown_value(id.kind, field, thing.keys.get(field).unwrap_or(&Value::Null)),
            by: by.clone(),
            at: *at,
        };
        Self {
            name: id.name.clone(),
            origin: thing.origin,
            manifest: (thing.origin == ResourceOrigin::Manifest).then(|| thing.source.clone()),
            enabled: !thing.disabled,
            keys: shown(id.kind, &thing.in_force()),
            overrides: thing.overrides.iter().map(view).collect(),
            changed_by: thing.by.clone(),
            changed_at: thing.at,
            version: thing.version,
            warnings: Vec::new(),
        }
    }
}

/// The changes, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RosterDiff {
    /// Providers.
    pub providers: Changes,
    /// Personas.
    pub personas: Changes,
    /// Strategies.
    pub strategies: Changes,
    /// Bots.
    pub bots: Changes,
    /// Chats.
    pub chats: Changes,
    /// Budgets.
    pub budgets: Changes,
}

/// The changes among things of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Changes {
    /// Names that are new.
    pub added: Vec<String>,
    /// Names with the keys that differ.
    pub changed: Vec<Changed>,
    /// Names that are left out; the stored data of bots and chats stays, unused.
    pub left_out: Vec<String>,
}

/// A thing that is described otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Changed {
    /// Name of the thing.
    pub name: String,
    /// The keys that differ.
    pub keys: Vec<String>,
}

impl RosterDiff {
    /// Shows changes.
    pub fn of(changes: &[ResourceChange]) -> Self {
        let mut diff = Self::default();
        for change in changes {
            let of_kind = diff.of_kind(change.id.kind);
            let name = change.id.name.clone();
            match (&change.before, &change.after) {
                (None, _) => of_kind.added.push(name),
                (_, None) => of_kind.left_out.push(name),
                _ => of_kind.changed.push(Changed { name, keys: change.fields() }),
            }
        }
        diff
    }

    fn of_kind(&mut self, kind: ResourceKind) -> &mut Changes {
        match kind {
            ResourceKind::Provider => &mut self.providers,
            ResourceKind::Persona => &mut self.personas,
            ResourceKind::Strategy => &mut self.strategies,
            ResourceKind::Bot => &mut self.bots,
            ResourceKind::Chat => &mut self.chats,
            ResourceKind::Budget => &mut self.budgets,
        }
    }

    /// Returns the changes of each kind, with the kind's name.
    pub fn by_kind(&self) -> [(&'static str, &Changes); 6] {
        let Self { providers, personas, strategies, bots, chats, budgets } = self;
        [
            ("provider", providers),
            ("persona", personas),
            ("strategy", strategies),
            ("bot", bots),
            ("chat", chats),
            ("budget", budgets),
        ]
    }

    /// Returns one line for each change: `+ bot Ada`, `~ bot Ada: persona`, `- bot Ada`.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (one, Changes { added, changed, left_out }) in self.by_kind() {
            lines.extend(added.iter().map(|name| format!("+ {one} {name}")));
            let keys = |changed: &Changed| format!("~ {one} {}: {}", changed.name, changed.keys.join(", "));
            lines.extend(changed.iter().map(keys));
            lines.extend(left_out.iter().map(|name| format!("- {one} {name}")));
        }
        lines
    }
}

/// Tells a difference in one line.
pub(super) fn difference_of(changes: &[ResourceChange]) -> String {
    RosterDiff::of(changes).lines().join("; ")
}

/// A number of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StepView {
    /// The number.
    pub number: i64,
    /// Instant of the change.
    pub at: Timestamp,
    /// The one who made it.
    pub by: String,
    /// The changes that it brought.
    #[serde(flatten)]
    pub diff: RosterDiff,
}

impl StepView {
    /// Shows a change.
    pub fn of(step: &ConfigStep) -> Self {
        Self { number: step.number, at: step.at, by: step.by.clone(), diff: RosterDiff::of(&step.changes) }
    }
}

/// A field before and after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FieldChange {
    /// The kind of the thing.
    pub kind: ResourceKind,
    /// The name of the thing.
    pub name: String,
    /// The field, as a path.
    pub field: String,
    /// The value before; null when there was none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Value))]
    pub before: Value,
    /// The value after; null when there is none.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Value))]
    pub after: Value,
}

/// Shows the fields that changes concern, with their values; secrets are masked.
pub fn field_changes(changes: &[ResourceChange]) -> Vec<FieldChange> {
    let mut fields = Vec::new();
    for change in changes {
        let ResourceId { kind, name } = &change.id;
        let value = |thing: &Option<Resource>, field: &str| match thing {
            None => Value::Null,
            Some(thing) if field == "enabled" => Value::Bool(!thing.disabled),
            Some(thing) => shown_value(*kind, field, thing.in_force().get(field).unwrap_or(&Value::Null)),
        };
        fields.extend(change.fields().into_iter().map(|field| FieldChange {
            kind: *kind,
            name: name.clone(),
            before: value(&change.before, &field),
            after: value(&change.after, &field),
            field,
        }));
    }
    fields
}

#[cfg(test)]
mod tests {
    use botfleet_actors::domain::configuration::Keys;
    use serde_json::json;

    use super::*;

    fn thing(value: Value) -> Resource {
        let keys = Keys::from([("style".to_owned(), value), ("token".to_owned(), json!("env:A"))]);
        Resource { keys, ..Resource::default() }
    }

    #[test]
    fn a_difference_names_what_is_new_changed_and_left_out() {
        let change = |name: &str, before: Option<Resource>, after: Option<Resource>| ResourceChange {
            id: ResourceId::new(ResourceKind::Bot, name),
            before,
            after,
        };
        let changes = [
            change("Baran", Some(thing(json!(1))), Some(thing(json!(2)))),
            change("Deniz", None, Some(thing(json!(1)))),
            change("Cem", Some(thing(json!(1))), None),
        ];
        assert_eq!(difference_of(&changes), "+ bot Deniz; ~ bot Baran: style; - bot Cem");
        let fields = field_changes(&changes);
        assert_eq!((&fields[0].before, &fields[0].after), (&json!(1), &json!(2)));
        assert!(fields.iter().all(|field| !json!(field).to_string().contains("env:A")), "{fields:?}");
    }
}
