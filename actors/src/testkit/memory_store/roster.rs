//! Keeps the roster in memory. Part of the testkit.

use std::collections::BTreeMap;

use super::state::State;
use crate::domain::ids::{BotId, ConfigSeq, Epoch};
use crate::domain::ownership::Incarnation;
use crate::domain::reconcile::{Stored, StoredBot, StoredChat, reconcile};
use crate::domain::roster::{BotProfile, ChatProfile, Roster, RosterPlan};
use crate::ports::store::StoreError;

impl State {
    /// Makes the roster equal to `plan`; new bots and chats are leased to the running tenure.
    pub(super) fn apply_roster(
        &mut self,
        plan: &RosterPlan,
        tenure: Option<(Incarnation, Epoch)>,
    ) -> Result<Roster, StoreError> {
        let stored = self.stored();
        let difference = reconcile(&stored, plan).map_err(StoreError::RosterRefused)?;
        self.config_seq += i64::from(!difference.is_empty());
        for (bot, choice) in difference.deliveries(&stored) {
            self.offsets.remove(&bot);
            self.deliveries.insert(bot, choice);
        }
        for (id, StoredBot { spec, persona_revision, token_generation, in_use }) in difference.bots {
            let bot = BotProfile { persona_revision, token_generation, ..BotProfile::new(id, spec) };
            self.bots.insert(id, (bot, in_use));
        }
        for (id, StoredChat { spec, members, in_use }) in difference.chats {
            self.chats.insert(id, (ChatProfile { id, spec, members }, in_use));
            self.heads.entry(id).or_default();
        }
        self.aliases.extend(difference.aliases);
        self.personas.extend(difference.personas);
        self.lease_newcomers(tenure);
        Ok(self.roster())
    }

    fn stored(&self) -> Stored {
        let bots = self.bots.iter().map(|(id, (bot, in_use))| {
            let BotProfile { persona_revision, token_generation, .. } = *bot;
            (*id, StoredBot { spec: bot.spec.clone(), persona_revision, token_generation, in_use: *in_use })
        });
        let chats = self.chats.iter().map(|(id, (chat, in_use))| {
            let (spec, members) = (chat.spec.clone(), chat.members.clone());
            (*id, StoredChat { spec, members, in_use: *in_use })
        });
        Stored {
            bots: bots.collect(),
            chats: chats.collect(),
            aliases: self.aliases.clone(),
            personas: self.personas.clone(),
            deliveries: self.deliveries.clone(),
        }
    }

    pub(super) fn set_usernames(&mut self, usernames: &[(BotId, String)]) {
        let mut news = false;
        for (bot, username) in usernames {
            news |= self.usernames.insert(*bot, username.clone()).as_ref() != Some(username);
        }
        self.config_seq += i64::from(news);
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
