//! The things of the configuration: bots, chats, personas, strategies, providers and budgets. Layer `operate`. Keeps I10, I12.

use botfleet_actors::domain::audit::{Act, AuditObject, ObjectKind};
use botfleet_actors::domain::configuration::{Configuration, PersonaRevision, Resource, ResourceId, ResourceKind};
use botfleet_actors::domain::ids::{BotId, ChatId};
use serde_json::{Map, Value};

use super::cursor::Listing;
use super::failure::{Code, Failure};
use super::grant::Granted;
use super::operations::{Operations, page_of};
use super::permission::{ChangeBudgets, ChangePersonas, ChangeProviders, ChangeRoster, Permission, ReadConfiguration};
use super::principal::Principal;
use crate::runtime::configuration::change::{ChangeError, Wanted};
use crate::runtime::configuration::commit::{Asked, Committed, ConfigError};
use crate::runtime::configuration::view::{ResourceView, persona_keys};

/// Default number of things on a page.
const PAGE: usize = 100;

/// Most things on a page.
pub(crate) const PAGE_MAX: usize = 500;

/// Most revisions of a persona that are shown.
const REVISIONS: usize = 100;

/// A kind of thing, with the permission to change it.
pub trait Kind: Send + Sync + 'static {
    /// The kind.
    const KIND: ResourceKind;
    /// The code of a name that there is not.
    const UNKNOWN: Code;
    /// The permission.
    type Change: Permission;
}

macro_rules! kinds {
    ($($name:ident = $kind:ident by $change:ident, $unknown:ident;)+) => {$(
        #[doc = concat!("The things of kind `", stringify!($kind), "`.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Kind for $name {
            const KIND: ResourceKind = ResourceKind::$kind;
            const UNKNOWN: Code = Code::$unknown;
            type Change = $change;
        }
    )+};
}

kinds! {
    Bots = Bot by ChangeRoster, UnknownName;
    Chats = Chat by ChangeRoster, UnknownName;
    Strategies = Strategy by ChangeRoster, UnknownResource;
    Personas = Persona by ChangePersonas, UnknownResource;
    Providers = Provider by ChangeProviders, UnknownResource;
    Budgets = Budget by ChangeBudgets, UnknownResource;
}

/// A page of things, by name.
#[derive(Clone, Debug)]
pub struct ResourcePage {
    /// The things.
    pub things: Vec<ResourceView>,
    /// The value of `after` for the next page.
    pub next: Option<String>,
}

impl Operations {
    /// Returns a page of the things of a kind that are within reach, by name.
    ///
    /// # Errors
    /// `BadRequest` for a page of another size, and for a cursor of another list; `OutOfReach` for kinds that concern the whole fleet.
    pub async fn resources<K: Kind>(
        &self,
        by: &Granted<ReadConfiguration>,
        after: Option<&str>,
        limit: Option<usize>,
    ) -> Result<ResourcePage, Failure> {
        let limit = page_of(limit, PAGE, PAGE_MAX)?;
        let listing = Listing::new(&format!("{}, by name", K::KIND.as_str()), &[]);
        let after = listing.read(after, |name| Some(name.to_owned()))?;
        if matches!(K::KIND, ResourceKind::Provider | ResourceKind::Strategy | ResourceKind::Budget) {
            by.everything()?;
        }
        let now = self.fleet.configuration().await?;
        let within = self.within(by.principal(), &now);
        let of_kind = now.resources.iter().filter(|(id, _)| id.kind == K::KIND);
        let mut later = of_kind.filter(|(id, _)| after.as_ref().is_none_or(|after| id.name > *after));
        let mut things = Vec::new();
        for (id, thing) in later.by_ref() {
            if within.reads(id) {
                things.push(ResourceView::of(id, thing));
            }
            if things.len() > limit {
                break;
            }
        }
        let more = things.len() > limit;
        things.truncate(limit);
        if things.is_empty() && after.is_none() {
            // Nothing of this kind is within reach.
            by.everything()?;
        }
        let next = things.last().filter(|_| more).map(|last| listing.after(&last.name));
        Ok(ResourcePage { things, next })
    }

    /// Returns a thing.
    ///
    /// # Errors
    /// The code of the kind when there is none of that name; `OutOfReach`.
    pub async fn resource<K: Kind>(
        &self,
        by: &Granted<ReadConfiguration>,
        name: &str,
    ) -> Result<ResourceView, Failure> {
        let now = self.fleet.configuration().await?;
        let id = ResourceId::new(K::KIND, name);
        let within = self.within(by.principal(), &now);
        if !within.reads(&id) {
            by.everything()?;
        }
        let thing = now.resources.get(&id).ok_or_else(|| unknown::<K>(&id))?;
        Ok(ResourceView::of(&id, thing))
    }

    /// Makes a thing.
    ///
    /// # Errors
    /// `NameTaken`, `BadRequest`, `Refused`, `OutOfReach`.
    pub async fn create_resource<K: Kind>(
        &self,
        by: &Granted<K::Change>,
        name: Option<&str>,
        keys: &Map<String, Value>,
    ) -> Result<ResourceView, Failure> {
        by.everything()?;
        let asked = self.asked::<K>(by, Act::CreateResource, name.unwrap_or("new"))?;
        let made = self.fleet.create_resource(K::KIND, name, keys, asked).await.map_err(refused)?;
        shown(made).ok_or_else(|| Failure::new(Code::Conflict, "nothing was made"))
    }

    /// Changes the thing of that name and version.
    ///
    /// # Errors
    /// The code of the kind when there is none of that name; `Changed`, `BadRequest`, `Conflict`, `Refused`, `OutOfReach`.
    pub async fn change_resource<K: Kind>(
        &self,
        by: &Granted<K::Change>,
        name: &str,
        version: Option<i64>,
        wanted: &Wanted,
    ) -> Result<ResourceView, Failure> {
        let now = self.fleet.configuration().await?;
        let id = ResourceId::new(K::KIND, name);
        if !self.within(by.principal(), &now).writes(&id) {
            by.everything()?;
        }
        let before = now.resources.get(&id).ok_or_else(|| unknown::<K>(&id))?;
        let asked = self.asked::<K>(by, Act::ChangeResource, name)?;
        let changed = self.fleet.change_resource(&id, version, wanted, asked).await.map_err(refused)?;
        Ok(shown(changed).unwrap_or_else(|| ResourceView::of(&id, before)))
    }

    /// Removes the thing of that name and version, which an operator made.
    ///
    /// # Errors
    /// The code of the kind when there is none of that name; `Changed`, `Conflict` when a manifest made it, `Refused` when another thing
    /// names it, `OutOfReach`.
    pub async fn remove_resource<K: Kind>(
        &self,
        by: &Granted<K::Change>,
        name: &str,
        version: i64,
    ) -> Result<(), Failure> {
        let now = self.fleet.configuration().await?;
        let id = ResourceId::new(K::KIND, name);
        if !self.within(by.principal(), &now).writes(&id) {
            by.everything()?;
        }
        now.resources.get(&id).ok_or_else(|| unknown::<K>(&id))?;
        let asked = self.asked::<K>(by, Act::RemoveResource, name)?;
        self.fleet.remove_resource(&id, Some(version), asked).await.map_err(refused).map(drop)
    }

    /// Returns the revisions of a persona, newest first.
    ///
    /// # Errors
    /// `UnknownResource`, `OutOfReach`.
    pub async fn persona_revisions(
        &self,
        by: &Granted<ReadConfiguration>,
        name: &str,
    ) -> Result<Vec<PersonaRevision>, Failure> {
        self.resource::<Personas>(by, name).await?;
        Ok(self.fleet.persona_revisions(name, REVISIONS).await?)
    }

    /// Gives a persona the keys of an earlier revision.
    ///
    /// # Errors
    /// `UnknownResource`, `UnknownNumber`, `OutOfReach`, `Refused`.
    pub async fn restore_persona(
        &self,
        by: &Granted<ChangePersonas>,
        name: &str,
        revision: i64,
    ) -> Result<ResourceView, Failure> {
        let now = self.fleet.configuration().await?;
        let id = ResourceId::new(ResourceKind::Persona, name);
        if !self.within(by.principal(), &now).writes(&id) {
            by.everything()?;
        }
        let thing = now.resources.get(&id).ok_or_else(|| unknown::<Personas>(&id))?;
        let revisions = self.fleet.persona_revisions(name, usize::MAX).await?;
        let Some(found) = revisions.iter().find(|found| found.revision == revision) else {
            return Err(Failure::new(Code::UnknownNumber, format!("{id} has no revision {revision}")));
        };
        let mut keys = persona_keys(&found.persona);
        for key in thing.in_force().keys() {
            keys.entry(key.clone()).or_insert(Value::Null);
        }
        let wanted = Wanted { keys: keys.into_iter().collect(), ..Wanted::default() };
        self.change_resource::<Personas>(by, name, Some(thing.version), &wanted).await
    }

    fn asked<'a, K: Kind>(&self, by: &'a Granted<K::Change>, act: Act, name: &str) -> Result<Asked<'a>, Failure> {
        let of = |kind, id: Option<String>| AuditObject::new(kind, id.unwrap_or_else(|| name.to_owned())).called(name);
        let object = match K::KIND {
            ResourceKind::Bot => of(ObjectKind::Bot, self.fleet.bot_named(name).map(|bot| bot.to_string())),
            ResourceKind::Chat => of(ObjectKind::Chat, self.fleet.chat_named(name).map(|chat| chat.to_string())),
            ResourceKind::Provider => AuditObject::new(ObjectKind::Provider, name),
            kind => AuditObject::new(ObjectKind::Resource, ResourceId::new(kind, name)),
        };
        let own_word = by.principal().is_local();
        Ok(Asked { by: by.by(), dry_run: false, on: None, own_word, entry: self.entry(by, act, object)? })
    }

    fn within<'a>(&'a self, principal: &'a Principal, now: &'a Configuration) -> Within<'a> {
        Within { operations: self, principal, now }
    }
}

/// The part of a configuration that a principal reaches.
struct Within<'a> {
    operations: &'a Operations,
    principal: &'a Principal,
    now: &'a Configuration,
}

impl Within<'_> {
    fn bot(&self, name: &str) -> bool {
        let id: Option<BotId> = self.operations.fleet.bot_named(name);
        id.is_some_and(|bot| self.principal.reaches_bot(bot))
    }

    fn bots_with<'a>(&'a self, persona: &'a str) -> impl Iterator<Item = &'a str> {
        let has = move |thing: &Resource| thing.in_force().get("persona").and_then(Value::as_str) == Some(persona);
        let bots = self.now.resources.iter().filter(|(id, _)| id.kind == ResourceKind::Bot);
        bots.filter(move |(_, thing)| has(thing)).map(|(id, _)| id.name.as_str())
    }

    /// Returns whether a thing is shown. A persona is shown to who reaches a bot that has it.
    fn reads(&self, id: &ResourceId) -> bool {
        self.principal.reaches_everything()
            || match id.kind {
                ResourceKind::Bot => self.bot(&id.name),
                ResourceKind::Chat => {
                    let chat: Option<ChatId> = self.operations.fleet.chat_named(&id.name);
                    chat.is_some_and(|chat| self.principal.reaches_chat(chat))
                }
                ResourceKind::Persona => self.bots_with(&id.name).any(|bot| self.bot(bot)),
                _ => false,
            }
    }

    /// Returns whether a thing may be changed. A persona is changed by who reaches all bots that have it.
    fn writes(&self, id: &ResourceId) -> bool {
        let mut bots = self.bots_with(&id.name).peekable();
        match id.kind {
            ResourceKind::Persona if bots.peek().is_some() => {
                self.principal.reaches_everything() || bots.all(|bot| self.bot(bot))
            }
            ResourceKind::Bot | ResourceKind::Chat => self.reads(id),
            _ => self.principal.reaches_everything(),
        }
    }
}

fn unknown<K: Kind>(id: &ResourceId) -> Failure {
    Failure::new(K::UNKNOWN, format!("there is no {id}"))
}

/// Shows the one thing that a change concerned.
fn shown(committed: Committed) -> Option<ResourceView> {
    let Committed { number, mut changes, warnings } = committed;
    let change = changes.pop()?;
    let thing = Resource { version: number, ..change.after? };
    Some(ResourceView { warnings, ..ResourceView::of(&change.id, &thing) })
}

/// Turns the reason why the configuration was not changed into a failure.
pub(super) fn refused(error: ConfigError) -> Failure {
    let told = error.to_string();
    let code = match error {
        ConfigError::Store(error) => return error.into(),
        ConfigError::Faults(_) => Code::Refused,
        ConfigError::Clashes(_) | ConfigError::NoOrigin => Code::Conflict,
        ConfigError::Moved { .. } | ConfigError::Change(ChangeError::Stale(_)) => Code::Changed,
        ConfigError::NotKept(_) => Code::UnknownNumber,
        ConfigError::Change(error) => match error {
            ChangeError::Taken { .. } => Code::NameTaken,
            ChangeError::OfManifest { .. } | ChangeError::NamesBudget(_) => Code::Conflict,
            ChangeError::NotOverridden { .. } => Code::UnknownOverride,
            ChangeError::Unknown(id) => match id.kind {
                ResourceKind::Bot | ResourceKind::Chat => Code::UnknownName,
                _ => Code::UnknownResource,
            },
            ChangeError::BadAddress(_) => Code::Refused,
            _ => Code::BadRequest,
        },
    };
    Failure::new(code, told)
}
