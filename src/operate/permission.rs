//! The permissions, as types. Layer `operate`.

use super::principal::Role;

/// A particular of a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Asks for a fresh proof that the account is the caller's, ten minutes old at most.
    Fresh,
    /// May be granted apart from the role.
    Apart,
    /// Concerns the caller alone, and so no bots or chats.
    Own,
}

/// A permission. A role has it when the role is at least `ROLE`.
pub trait Permission: Send + Sync + 'static {
    /// Name, as people read it.
    const NAME: &'static str;
    /// The least role that has it.
    const ROLE: Role;
    /// Particulars.
    const MARKS: &'static [Mark];
    /// The operations that it allows.
    const ALLOWS: &'static str;
}

macro_rules! permissions {
    ($($name:ident = $text:literal from $role:ident $(($($mark:ident)+))?: $allows:literal;)+) => {$(
        #[doc = $allows]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Permission for $name {
            const NAME: &'static str = $text;
            const ROLE: Role = Role::$role;
            const MARKS: &'static [Mark] = &[$($(Mark::$mark),+)?];
            const ALLOWS: &'static str = $allows;
        }
    )+

        /// Every permission: its name, its least role, and the operations that it allows.
        pub const ALL: &[(&str, Role, &str)] = &[$(($text, Role::$role, $allows)),+];
    };
}

permissions! {
    SignIn = "session:sign-in" from Stranger (Own): "Sign in.";
    OwnSession = "session:own" from Viewer (Own): "See who one is, end one's own sessions, and prove again that the account is one's own.";
    OwnAccount = "account:own" from Viewer (Own Fresh): "Change one's own password, second factor and API keys.";
    ReadFleet = "fleet:read" from Viewer: "Read the state of bots, chats, providers, budgets and queues, and their events.";
    ReadCluster = "cluster:read" from Viewer: "Read which node owns what, and the moves under way.";
    ReadDecisions = "decisions:read" from Viewer: "Read why bots spoke or kept silent.";
    ReadOutcomes = "outcomes:read" from Viewer: "Read how every update ended.";
    ReadDeadLetters = "dead-letters:read" from Viewer: "Read what failed for good.";
    ReadOrders = "orders:read" from Operator: "Read which orders were given, and how they ended.";
    ReadStyle = "style:read" from Viewer: "Read how differently the personas write.";
    ReadTexts = "messages:read" from Admin (Apart): "Read the words of messages. An account may have it apart from its role.";
    Stop = "control:stop" from Operator: "Stop and start the fleet, a chat or a bot.";
    Release = "control:release" from Operator: "Let an actor run again that failed too often, and end pauses.";
    Redeliver = "dead-letters:redeliver" from Operator: "Give a dead letter another try.";
    Speak = "chats:say" from Operator: "Say something as a bot, take a bot over, and give it back.";
    SeizeTakeover = "chats:seize" from Admin: "Take a bot from another operator who has taken it over.";
    DeleteMessages = "messages:delete" from Operator: "Delete what bots said.";
    ChangeDelivery = "bots:delivery" from Admin: "Change how a bot gets its updates.";
    ReadConfiguration = "config:read" from Viewer: "Read bots, chats, personas, providers and budgets as they are configured, and the last changes.";
    ChangeRoster = "roster:write" from Admin: "Apply a manifest; make, change and remove bots, chats and strategies; go back to an earlier configuration.";
    ChangePersonas = "personas:write" from Operator: "Make, change and remove personas, all of whose bots are within reach.";
    ChangeProviders = "providers:write" from Admin: "Make, change and remove providers of models.";
    ChangeBudgets = "budgets:write" from Admin: "Make, change and remove budgets.";
    SteerCluster = "cluster:write" from Admin: "Drain nodes, and move bots and chats.";
    ReadPeople = "people:read" from Admin: "Read which data is stored about a person: counts and dates.";
    ClaimRights = "people:write" from Admin: "Carry out the rights of a person.";
    ReadUsers = "users:read" from Admin: "Read accounts, their sessions and their API keys.";
    ChangeUsers = "users:write" from Admin (Fresh): "Make, change and remove accounts, and end their sessions and API keys.";
    ReadSecrets = "secrets:read" from Admin: "Read which tokens and keys were given, and which keys seal them; never the secrets.";
    ChangeSecrets = "secrets:write" from Admin (Fresh): "Give tokens of bots and keys of providers, and rotate, retire and give up the keys that seal them.";
    TryProvider = "providers:try" from Admin: "Ask a provider at an address that is given.";
    ReadAudit = "audit:read" from Admin: "Read who did what, and check that nobody changed it.";
    ExportAudit = "audit:export" from Admin (Fresh): "Take the audit out of the fleet.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_once_and_is_a_resource_and_a_verb() {
        let mut names: Vec<&str> = ALL.iter().map(|(name, ..)| *name).collect();
        assert!(names.iter().all(|name| name.split(':').count() == 2), "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
