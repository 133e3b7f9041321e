//! Computes how a plan changes the stored roster. Layer `domain`. All stores share this rule.
//!
//! Bots and chats are identified by their Telegram ids. A new name in the manifest therefore only renames. A name that
//! the manifest gives to another bot or chat is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::{BotId, ChatId, TelegramChatId};
use super::roster::{BotSpec, ChatSpec, DeliveryChoice, Persona, RosterPlan};

/// The stored roster, in use or not.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The bots.
    pub bots: BTreeMap<BotId, StoredBot>,
    /// The chats.
    pub chats: BTreeMap<ChatId, StoredChat>,
    /// Every id that Telegram ever gave one of the chats.
    pub aliases: BTreeMap<TelegramChatId, ChatId>,
    /// The newest revision of each persona, with its number.
    pub personas: BTreeMap<String, (i64, Persona)>,
    /// The delivery modes in force.
    pub deliveries: BTreeMap<BotId, DeliveryChoice>,
}

/// A stored bot, in use or not.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredBot {
    /// The bot as the manifest gave it.
    pub spec: BotSpec,
    /// Revision of the persona.
    pub persona_revision: i64,
    /// Rises when the token is replaced.
    pub token_generation: i64,
    /// False when the last plan left the bot out.
    pub in_use: bool,
}

/// A stored chat, in use or not.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredChat {
    /// The chat as the manifest gave it.
    pub spec: ChatSpec,
    /// The chat's bots.
    pub members: Vec<BotId>,
    /// False when the last plan left the chat out.
    pub in_use: bool,
}

/// The rows that the plan changes: whole rows, to be inserted or replaced.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// Bots that are new or different.
    pub bots: BTreeMap<BotId, StoredBot>,
    /// Chats that are new or different.
    pub chats: BTreeMap<ChatId, StoredChat>,
    /// Telegram's ids of new chats.
    pub aliases: BTreeMap<TelegramChatId, ChatId>,
    /// New revisions of personas.
    pub personas: BTreeMap<String, (i64, Persona)>,
}

impl Difference {
    /// Returns whether the plan is what is stored already.
    pub fn is_empty(&self) -> bool {
        self.bots.is_empty() && self.chats.is_empty() && self.aliases.is_empty() && self.personas.is_empty()
    }

    /// Returns the delivery modes that the plan changes. A bot whose mode in the manifest is the same keeps its stored
    /// mode, which a person may have changed.
    pub fn deliveries(&self, stored: &Stored) -> BTreeMap<BotId, DeliveryChoice> {
        let mode = |bot: &StoredBot| bot.spec.delivery;
        let news = self.bots.iter().filter(|(id, bot)| stored.bots.get(id).map(mode) != Some(mode(bot)));
        news.map(|(id, bot)| {
            let before = stored.deliveries.get(id).cloned().unwrap_or_default();
            (*id, DeliveryChoice { mode: bot.spec.delivery, ..before })
        })
        .collect()
    }
}

fn refused<T>(why: String) -> Result<T, String> {
    Err(why)
}

/// Computes the changes that make the stored roster equal to `plan`.
///
/// # Errors
/// The reason why the plan is refused: it contradicts itself, or what is stored.
pub fn reconcile(stored: &Stored, plan: &RosterPlan) -> Result<Difference, String> {
    reconcile_with(stored, plan, &[])
}

/// Does the same, and has revisions stored of further personas, which no bot of the plan may have.
///
/// # Errors
/// The same as of [`reconcile`].
pub fn reconcile_with(stored: &Stored, plan: &RosterPlan, further: &[Persona]) -> Result<Difference, String> {
    let mut difference = Difference::default();
    let personas = personas(stored, plan, further, &mut difference)?;
    let names = bots(stored, plan, &personas, &mut difference)?;
    chats(stored, plan, &names, &mut difference)?;
    Ok(difference)
}

/// Returns the revision of each persona of the plan.
fn personas<'a>(
    stored: &Stored,
    plan: &'a RosterPlan,
    further: &'a [Persona],
    difference: &mut Difference,
) -> Result<BTreeMap<&'a str, i64>, String> {
    let mut bodies: BTreeMap<&str, &Persona> = BTreeMap::new();
    for persona in plan.bots.iter().map(|bot| &bot.persona).chain(further) {
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
) -> Result<BTreeMap<&'a str, BotId>, String> {
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
) -> Result<(), String> {
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
