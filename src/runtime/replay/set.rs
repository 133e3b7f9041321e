//! Holds the chat and its bots, as the store has them and as the given manifest would. Layer `runtime`.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use botfleet_actors::behaviour::scene::CastMember;
use botfleet_actors::domain::ids::BotId;
use botfleet_actors::domain::roster::{BotProfile, ChatProfile, Roster, RosterPlan};

/// A chat with its cast under one configuration.
#[derive(Clone, Debug)]
pub struct Set {
    /// The chat.
    pub chat: ChatProfile,
    /// Bots of the chat, in the chat's order.
    pub cast: Vec<CastMember>,
    /// Names of the bots, in the chat's order.
    pub cast_names: Vec<String>,
}

impl Set {
    fn of(chat: ChatProfile, bots: &BTreeMap<BotId, BotProfile>) -> Self {
        let member = |id: &BotId| {
            let profile = bots.get(id)?;
            Some(CastMember { username: profile.username.clone(), profile: Arc::new(profile.clone()) })
        };
        let cast: Vec<CastMember> = chat.members.iter().filter_map(member).collect();
        let cast_names = cast.iter().map(|member| member.profile.spec.name.clone()).collect();
        Self { chat, cast, cast_names }
    }

    /// Returns a bot of the cast.
    pub fn member(&self, bot: BotId) -> Option<&CastMember> {
        self.cast.iter().find(|member| member.profile.id == bot)
    }
}

/// Both configurations, and the names of all bots of either.
#[derive(Clone, Debug)]
pub struct Sets {
    /// The chat as the store has it now.
    pub stored: Set,
    /// The chat as the given manifest would have it.
    pub given: Set,
    /// Names of bots by id.
    pub names: BTreeMap<BotId, String>,
}

impl Sets {
    /// Finds the chat in both, by its name in the manifest. Bots are the same if their names are; new ones get ids that
    /// no stored bot has.
    ///
    /// # Errors
    /// When the store or the manifest knows no such chat.
    pub fn of(roster: &Roster, plan: &RosterPlan, chat: &str) -> anyhow::Result<Self> {
        let stored = roster.chats.values().find(|profile| profile.spec.name == chat);
        let known = || roster.chats.values().map(|profile| profile.spec.name.as_str()).collect::<Vec<_>>().join(", ");
        let stored = stored.with_context(|| format!("no chat {chat:?} is stored; there are: {}", known()))?;
        let spec = plan.chats.iter().find(|spec| spec.name == chat);
        let spec = spec.with_context(|| format!("the manifest has no chat {chat:?}"))?;
        let mut next = roster.bots.keys().map(|id| id.0).max().unwrap_or(0);
        let given: BTreeMap<BotId, BotProfile> = plan
            .bots
            .iter()
            .map(|spec| {
                let stored = roster.bots.values().find(|bot| bot.spec.name == spec.name);
                let profile = if let Some(known) = stored {
                    let changed = i64::from(known.spec.persona != spec.persona);
                    let persona_revision = known.persona_revision + changed;
                    BotProfile { spec: spec.clone(), persona_revision, ..known.clone() }
                } else {
                    next += 1;
                    BotProfile::new(BotId(next), spec.clone())
                };
                (profile.id, profile)
            })
            .collect();
        let id_of = |name: &String| given.values().find(|bot| bot.spec.name == *name).map(|bot| bot.id);
        let members = spec.bots.iter().filter_map(id_of).collect();
        let names = roster.bots.values().chain(given.values()).map(|bot| (bot.id, bot.spec.name.clone())).collect();
        Ok(Self {
            stored: Set::of(stored.clone(), &roster.bots),
            given: Set::of(ChatProfile { id: stored.id, spec: spec.clone(), members }, &given),
            names,
        })
    }

    /// Returns the name of a bot.
    pub fn name(&self, bot: BotId) -> String {
        self.names.get(&bot).cloned().unwrap_or_else(|| format!("bot {bot}"))
    }
}
