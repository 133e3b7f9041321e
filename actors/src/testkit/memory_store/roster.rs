//! Keeps the roster in memory. Part of the testkit.

use std::collections::{BTreeMap, BTreeSet};

use super::state::State;
use crate::domain::ids::{BotId, ChatId, ConfigSeq, Epoch};
use crate::domain::ownership::Incarnation;
use crate::domain::roster::{BotProfile, ChatProfile, DeliveryChoice, Roster, RosterPlan};
use crate::ports::store::StoreError;

impl State {
    /// Makes the roster equal to `plan`; new bots and chats are leased to the running tenure.
    pub(super) fn apply_roster(
        &mut self,
        plan: &RosterPlan,
        tenure: Option<(Incarnation, Epoch)>,
    ) -> Result<Roster, StoreError> {
        self.refuse(plan).map_or(Ok(()), |why| Err(StoreError::RosterRefused(why)))?;
        let mut changed = self.apply_personas(plan);
        changed |= self.apply_bots(plan);
        changed |= self.apply_chats(plan);
        self.config_seq += i64::from(changed);
        self.lease_newcomers(tenure);
        for chat in self.chats.keys() {
            self.heads.entry(*chat).or_default();
        }
        Ok(self.roster())
    }

    fn refuse(&self, plan: &RosterPlan) -> Option<String> {
        let (mut names, mut ids, mut personas) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for bot in &plan.bots {
            if !names.insert(&bot.name) || !ids.insert(bot.telegram_id) {
                return Some(format!("bot {} is there twice", bot.name));
            }
            if *personas.entry(&bot.persona.name).or_insert(&bot.persona) != &bot.persona {
                return Some(format!("persona {} is described in two ways", bot.persona.name));
            }
        }
        let left = self.bots.values().filter(|(bot, _)| !ids.contains(&bot.spec.telegram_id));
        if let Some((bot, _)) = left.into_iter().find(|(bot, _)| names.contains(&bot.spec.name)) {
            return Some(format!("the name {} belongs to another bot; give the new one another name", bot.spec.name));
        }
        let (mut chat_names, mut chats, mut new) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for chat in &plan.chats {
            let same = match self.aliases.get(&chat.telegram_id) {
                Some(id) => !chats.insert(*id),
                None => !new.insert(chat.telegram_id),
            };
            if same || !chat_names.insert(&chat.name) {
                return Some(format!("chat {} is there twice", chat.name));
            }
            if let Some(bot) = chat.bots.iter().find(|bot| !names.contains(bot)) {
                return Some(format!("chat {} names the bot {bot}, which does not exist", chat.name));
            }
        }
        let mut left = self.chats.iter().filter(|(id, _)| !chats.contains(id));
        left.find(|(_, (chat, _))| chat_names.contains(&chat.spec.name)).map(|(_, (chat, _))| {
            format!("the name {} belongs to another chat; give the new one another name", chat.spec.name)
        })
    }

    fn apply_personas(&mut self, plan: &RosterPlan) -> bool {
        let mut changed = false;
        for persona in plan.bots.iter().map(|bot| &bot.persona) {
            let (revision, body) = self.personas.entry(persona.name.clone()).or_insert_with(|| (0, persona.clone()));
            if *revision == 0 || body != persona {
                *revision += 1;
                *body = persona.clone();
                changed = true;
            }
        }
        changed
    }

    fn apply_bots(&mut self, plan: &RosterPlan) -> bool {
        let before = self.bots.clone();
        for (_, in_use) in self.bots.values_mut() {
            *in_use = false;
        }
        for spec in &plan.bots {
            let known = before.values().find(|(bot, _)| bot.spec.telegram_id == spec.telegram_id).map(|(bot, _)| bot);
            let next = BotId(self.bots.keys().next_back().map_or(1, |last| last.0 + 1));
            let replaced = known.is_some_and(|bot| bot.spec.credential != spec.credential);
            let bot = BotProfile {
                id: known.map_or(next, |bot| bot.id),
                spec: spec.clone(),
                persona_revision: self.personas[&spec.persona.name].0,
                token_generation: known.map_or(1, |bot| bot.token_generation + i64::from(replaced)),
                next_offset: None,
                delivery: DeliveryChoice::default(),
                username: None,
            };
            // A delivery mode in the manifest counts only when it changes; a person may have ordered otherwise since.
            if known.is_none_or(|bot| bot.spec.delivery != spec.delivery) {
                let webhook_url = self.deliveries.get(&bot.id).and_then(|choice| choice.webhook_url.clone());
                self.deliveries.insert(bot.id, DeliveryChoice { mode: spec.delivery, webhook_url });
                self.offsets.remove(&bot.id);
            }
            self.bots.insert(bot.id, (bot, true));
        }
        before != self.bots
    }

    fn apply_chats(&mut self, plan: &RosterPlan) -> bool {
        let before = self.chats.clone();
        for (_, in_use) in self.chats.values_mut() {
            *in_use = false;
        }
        let ids: BTreeMap<&str, BotId> = self.bots.values().map(|(bot, _)| (bot.spec.name.as_str(), bot.id)).collect();
        for spec in &plan.chats {
            let next = ChatId(self.chats.keys().next_back().map_or(1, |last| last.0 + 1));
            let id = *self.aliases.entry(spec.telegram_id).or_insert(next);
            let members = spec.bots.iter().map(|name| ids[name.as_str()]).collect();
            let mut spec = spec.clone();
            if let Some((migrated, _)) = before.get(&id) {
                spec.telegram_id = migrated.spec.telegram_id;
            }
            self.chats.insert(id, (ChatProfile { id, spec, members }, true));
        }
        before != self.chats
    }

    pub(super) fn set_username(&mut self, bot: BotId, username: &str) {
        if self.usernames.insert(bot, username.to_owned()).as_deref() != Some(username) {
            self.config_seq += 1;
        }
    }

    pub(super) fn roster(&self) -> Roster {
        let bots = self.bots.values().filter(|(_, in_use)| *in_use).map(|(bot, _)| {
            let delivery = self.deliveries.get(&bot.id).cloned().unwrap_or_default();
            let (next_offset, username) = (self.offsets.get(&bot.id).copied(), self.usernames.get(&bot.id).cloned());
            (bot.id, BotProfile { next_offset, delivery, username, ..bot.clone() })
        });
        let chats: BTreeMap<_, _> =
            self.chats.values().filter(|(_, in_use)| *in_use).map(|(chat, _)| (chat.id, chat.clone())).collect();
        Roster {
            bots: bots.collect(),
            aliases: self
                .aliases
                .iter()
                .filter(|(_, id)| chats.contains_key(id))
                .map(|(alias, id)| (*alias, *id))
                .collect(),
            chats,
            config_seq: ConfigSeq(self.config_seq),
        }
    }
}
