//! Puts other providers in force while the fleet runs. Layer `actors`. Keeps I10.
//!
//! A provider that is described otherwise gets another actor, which takes all calls from then on. Calls in the hands of the
//! former actor end as they began.

use ractor::ActorRef;

use crate::actors::fleet::child::Child;
use crate::actors::fleet::messages::FleetMsg;
use crate::actors::fleet::setup::ProviderSetup;
use crate::actors::fleet::state::FleetState;
use crate::actors::provider::messages::ProviderMsg;

impl FleetState {
    pub(super) async fn on_providers_changed(
        &mut self,
        myself: &ActorRef<FleetMsg>,
        setups: Vec<ProviderSetup>,
        gone: Vec<String>,
    ) {
        for name in gone {
            self.args.providers.retain(|provider| provider.name != name);
            self.retire_provider(&name);
        }
        for setup in setups {
            let name = setup.name.clone();
            self.args.providers.retain(|provider| provider.name != name);
            self.args.providers.push(setup);
            self.retire_provider(&name);
            self.book.release(&Child::Provider(name.clone()));
            self.start(myself, Child::Provider(name)).await;
        }
    }

    /// Takes a provider's actor out of the book and the directory; the actor ends when it has nothing left in hand.
    fn retire_provider(&mut self, name: &str) {
        let child = Child::Provider(name.to_owned());
        if let Some(actor) = self.args.node.directory.provider(name) {
            let _ = actor.cast(ProviderMsg::Retire);
        }
        if let Some(actor) = self.book.detach(&child) {
            self.leasing.lingering.insert(actor);
        }
        self.unlist(&child);
    }
}
