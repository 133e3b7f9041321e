//! Computes how a plan changes the stored roster. Layer: adapter; pure.
//!
//! Bots and chats are identified by their Telegram ids. A new name in the manifest therefore only renames. A name that
//! the manifest gives to another bot or chat is refused.

use std::collections::{BTreeMap, BTreeSet};

use botfleet_actors::domain::ids::{BotId, ChatId, TelegramChatId};
use botfleet_actors::domain::roster::{BotSpec, ChatSpec, DeliveryChoice, Persona, RosterPlan};
use botfleet_actors::ports::store::StoreError;

/// The stored roster, in use or not.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    pub(super) bots: BTreeMap<BotId, StoredBot>,
    pub(super) chats: BTreeMap<ChatId, StoredChat>,
    pub(super) aliases: BTreeMap<TelegramChatId, ChatId>,
    pub(super) personas: BTreeMap<String, (i64, Persona)>,
    pub(super) deliveries: BTreeMap<BotId, DeliveryChoice>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredBot {
    pub(super) spec: BotSpec,
    pub(super) persona_revision: i64,
    pub(super) token_generation: i64,
    pub(super) in_use: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredChat {
    pub(super) spec: ChatSpec,
    pub(super) members: Vec<BotId>,
    pub(super) in_use: bool,
}

/// The rows that the plan changes: whole rows, to be inserted or replaced.
#[derive(Clone, Debug, Default)]
pub(super) struct Difference {
    pub(super) bots: BTreeMap<BotId, StoredBot>,
    pub(super) chats: BTreeMap<ChatId, StoredChat>,
    pub(super) aliases: BTreeMap<TelegramChatId, ChatId>,
    pub(super) personas: BTreeMap<String, (i64, Persona)>,
}

impl Difference {
    /// Returns whether the plan is what is stored already.
    pub(super) fn is_empty(&self) -> bool {
        self.bots.is_empty() && self.chats.is_empty() && self.aliases.is_empty() && self.personas.is_empty()
    }
}

fn refused<T>(why: String) -> Result<T, StoreError> {
    Err(StoreError::RosterRefused(why))
}

/// Computes the changes that make the stored roster equal to `plan`.
pub(super) fn reconcile(stored: &Stored, plan: &RosterPlan) -> Result<Difference, StoreError> {
    let mut difference = Difference::default();
    let personas = personas(stored, plan, &mut difference)?;
    let names = bots(stored, plan, &personas, &mut difference)?;
    chats(stored, plan, &names, &mut difference)?;
    Ok(difference)
}

/// Returns the revision of each persona of the plan.
fn personas<'a>(
    stored: &Stored,
    plan: &'a RosterPlan,
    difference: &mut Difference,
) -> Result<BTreeMap<&'a str, i64>, StoreError> {
    let mut bodies: BTreeMap<&str, &Persona> = BTreeMap::new();
    for bot in &plan.bots {
        let persona = &bot.persona;
        if *bodies.entry(&persona.name).or_insert(persona) != persona {
            return refused(format!(
                "persona {} is described in two ways; give one of them another name",
                persona.name
            ));
        }
    }
    let mut revisions = BTreeMap::new();
    for (name, body) in bodies {
        let revision = match stored.personas.get(name) {
            Some((revision, known)) if known == body => *revision,
            known => {
                let revision = known.map_or(1, |(revision, _)| revision + 1);
                difference.personas.insert(name.to_owned(), (revision, body.clone()));
                revision
            }
        };
        revisions.insert(name, revision);
    }
    Ok(revisions)
}

fn bots<'a>(
    stored: &Stored,
    plan: &'a RosterPlan,
    revisions: &BTreeMap<&str, i64>,
    difference: &mut Difference,
) -> Result<BTreeMap<&'a str, BotId>, StoreError> {
    let by_telegram: BTreeMap<_, _> = stored.bots.iter().map(|(id, bot)| (bot.spec.telegram_id, *id)).collect();
    let (mut named, mut planned) = (BTreeMap::new(), BTreeSet::new());
    let mut next = stored.bots.keys().next_back().map_or(1, |id| id.0 + 1);
    for spec in &plan.bots {
        let id = by_telegram.get(&spec.telegram_id).copied().unwrap_or_else(|| {
            next += 1;
            BotId(next - 1)
        });
        if named.insert(spec.name.as_str(), id).is_some() {
            return refused(format!("two bots are named {}; give each a name of its own", spec.name));
        }
        if !planned.insert(spec.telegram_id) {
            return refused(format!("bot {} has the token of another bot; give each a token of its own", spec.name));
        }
        let before = stored.bots.get(&id);
        let replaced = before.is_some_and(|before| before.spec.credential != spec.credential);
        let after = StoredBot {
            spec: spec.clone(),
            persona_revision: revisions.get(spec.persona.name.as_str()).copied().unwrap_or(1),
            token_generation: before.map_or(1, |before| before.token_generation + i64::from(replaced)),
            in_use: true,
        };
        if before != Some(&after) {
            difference.bots.insert(id, after);
        }
    }
    for (id, bot) in &stored.bots {
        if planned.contains(&bot.spec.telegram_id) {
            continue;
        }
        if named.contains_key(bot.spec.name.as_str()) {
            return refused(format!(
                "the name {} belongs to the bot with Telegram id {}, the token is of another bot; \
                 give the new bot another name, or {} a token of the old bot",
                bot.spec.name, bot.spec.telegram_id, bot.spec.name
            ));
        }
        if bot.in_use {
            difference.bots.insert(*id, StoredBot { in_use: false, ..bot.clone() });
        }
    }
    Ok(named)
}

fn chats(
    stored: &Stored,
    plan: &RosterPlan,
    bots: &BTreeMap<&str, BotId>,
    difference: &mut Difference,
) -> Result<(), StoreError> {
    let (mut names, mut planned) = (BTreeSet::new(), BTreeSet::new());
    let mut next = stored.chats.keys().next_back().map_or(1, |id| id.0 + 1);
    for spec in &plan.chats {
        let id = stored.aliases.get(&spec.telegram_id).copied().unwrap_or_else(|| {
            next += 1;
            ChatId(next - 1)
        });
        if !names.insert(spec.name.as_str()) {
            return refused(format!("two chats are named {}; give each a name of its own", spec.name));
        }
        let known = stored.aliases.contains_key(&spec.telegram_id);
        let repeated = !planned.insert(id) || (!known && difference.aliases.insert(spec.telegram_id, id).is_some());
        if repeated {
            return refused(format!("chat {} is the same Telegram chat as another; name it once", spec.name));
        }
        let mut members = Vec::with_capacity(spec.bots.len());
        for name in &spec.bots {
            match bots.get(name.as_str()) {
                Some(bot) => members.push(*bot),
                None => return refused(format!("chat {} names the bot {name}, which does not exist", spec.name)),
            }
        }
        let mut spec = spec.clone();
        // A group that became a supergroup is known by both ids, and only the stored one still exists.
        if let Some(migrated) = stored.chats.get(&id) {
            spec.telegram_id = migrated.spec.telegram_id;
        }
        let after = StoredChat { spec, members, in_use: true };
        if stored.chats.get(&id) != Some(&after) {
            difference.chats.insert(id, after);
        }
    }
    for (id, chat) in &stored.chats {
        if planned.contains(id) {
            continue;
        }
        if names.contains(chat.spec.name.as_str()) {
            return refused(format!(
                "the name {} belongs to the chat with Telegram id {}; give the new chat another name",
                chat.spec.name, chat.spec.telegram_id
            ));
        }
        if chat.in_use {
            difference.chats.insert(*id, StoredChat { in_use: false, ..chat.clone() });
        }
    }
    Ok(())
}
