//! Puts a new configuration in force for the living actors. Layer `actors`. Keeps I10.
//!
//! One read at a time; a request during a read leads to another read after it. Work under way goes on as it began.

use std::sync::Arc;

use ractor::ActorRef;

use crate::actors::bot::messages::BotMsg;
use crate::actors::chat::messages::ChatMsg;
use crate::actors::fleet::child::Child;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::state::FleetState;
use crate::actors::node::committer::STORE_RETRY;
use crate::actors::node::deadline::in_time;
use crate::actors::node::directory::RosterChange;
use crate::actors::ownership::messages::OwnershipMsg;
use crate::domain::ids::BotId;
use crate::domain::ownership::LeaseKey;
use crate::domain::roster::Roster;
use crate::policy::ownership::event::Event;
use crate::ports::store::StoreError;

/// Progress of reading the configuration.
#[derive(Default)]
pub(in crate::actors) struct RosterReading {
    under_way: bool,
    again: bool,
}

impl FleetState {
    pub(super) fn read_roster(&mut self, myself: &ActorRef<FleetMsg>) {
        if self.roster.under_way {
            self.roster.again = true;
            return;
        }
        self.roster.under_way = true;
        let (node, fleet) = (Arc::clone(&self.args.node), myself.clone());
        self.tasks.spawn(async move {
            let _ = fleet.cast(FleetMsg::RosterRead(in_time(node.store.roster()).await));
        });
    }

    pub(super) async fn on_roster_read(&mut self, myself: &ActorRef<FleetMsg>, read: Result<Roster, StoreError>) {
        self.roster.under_way = false;
        let again = std::mem::take(&mut self.roster.again);
        match read {
            Ok(roster) => {
                let change = self.args.node.directory.replace(roster);
                self.put_in_force(myself, change).await;
                if again {
                    self.read_roster(myself);
                }
            }
            Err(error) => {
                tracing::warn!(error = %error, "the configuration cannot be read now");
                drop(myself.send_after(STORE_RETRY, || FleetMsg::ReadRoster));
            }
        }
    }

    async fn put_in_force(&mut self, myself: &ActorRef<FleetMsg>, change: RosterChange) {
        let node = Arc::clone(&self.args.node);
        node.renew_budgets();
        let cast_changed =
            !(change.bots_added.is_empty() && change.bots_changed.is_empty() && change.bots_gone.is_empty());
        for profile in change.bots_changed {
            let Some(actor) = node.directory.bot(profile.id) else {
                continue;
            };
            let api = match self.leasing.known_api(&profile) {
                Some(_) => None,
                None => match self.leasing.api(&node, &self.args.apis, &profile) {
                    Ok(api) => Some(api),
                    Err(why) => {
                        tracing::error!(bot.id = %profile.id, reason = %why, "the bot's new token cannot be used, it goes on with the old one");
                        None
                    }
                },
            };
            let _ = actor.cast(BotMsg::ProfileChanged(profile, api));
        }
        for profile in change.chats_changed {
            if let Some(chat) = node.directory.chat(profile.id) {
                let _ = chat.actor.cast(ChatMsg::ProfileChanged(profile));
            }
        }
        for bot in change.bots_gone {
            if let Some(actor) = node.directory.bot(bot) {
                let _ = actor.cast(BotMsg::Retire);
            }
            self.detach(LeaseKey::Bot(bot));
        }
        for chat in change.chats_gone {
            self.leave_for_good(LeaseKey::Chat(chat));
        }
        if cast_changed {
            for (_, chat) in node.directory.live_chats() {
                let _ = chat.actor.cast(ChatMsg::CastChanged);
            }
        }
        let chats = change.chats_added.into_iter().map(LeaseKey::Chat);
        let added: Vec<LeaseKey> = chats.chain(change.bots_added.into_iter().map(LeaseKey::Bot)).collect();
        // In a cluster they start with their leases; those whose leases came before their description start now.
        for key in added {
            self.start_ramped(myself, key).await;
        }
        if let Some(ownership) = node.directory.ownership() {
            let _ = ownership.cast(OwnershipMsg::Heard(Event::Hinted));
        }
    }

    /// Gives a bot its new token, which no other part of its configuration tells of.
    pub(super) async fn on_token_changed(&mut self, myself: &ActorRef<FleetMsg>, bot: BotId) {
        let node = Arc::clone(&self.args.node);
        self.leasing.forget_api(bot);
        let Some(profile) = node.directory.bot_profile(bot) else {
            return;
        };
        let Some(actor) = node.directory.bot(bot) else {
            // The bot had no token; a bot whose lease is elsewhere does not start.
            return self.start(myself, Child::Bot(bot)).await;
        };
        match self.leasing.api(&node, &self.args.apis, &profile) {
            Ok(api) => drop(actor.cast(BotMsg::ProfileChanged(profile, Some(api)))),
            Err(why) => {
                tracing::error!(bot.id = %bot, reason = %why, "the bot's new token cannot be used, it goes on with the old one");
            }
        }
    }

    fn leave_for_good(&mut self, key: LeaseKey) {
        if let Some(epoch) = self.args.node.leases.epoch(key) {
            self.leave(key, epoch);
        }
    }
}
