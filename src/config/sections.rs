//! Keys of the settings whose structs stand with the actors and the store. Part of `config`.
//!
//! Names and defaults are those of the structs; a field that is left out here does not compile.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use botfleet_actors::actors::bot::settings::BotSettings;
use botfleet_actors::actors::chat::settings::ChatSettings;
use botfleet_actors::actors::fleet::settings::FleetSettings;
use botfleet_actors::domain::keys::choice::choices;
use botfleet_actors::domain::keys::keys_of;
use botfleet_actors::domain::keys::rule::{group, key};
use botfleet_actors::policy::restart::RestartSettings;

use crate::logs::LogFormat;
use crate::store::settings::{Backend, StoreSettings, Synchronous};

choices! { Backend Synchronous LogFormat }

keys_of! {
    /// The store.
    pub(super) StoreKeys of StoreSettings as usual {
        /// The database: sqlite (one machine, one file), or postgres (one machine or many).
        backend: Backend = key(usual.backend);
        /// SQLite: the database file. Files ending in -wal, -shm and .lock stand beside it.
        path: PathBuf = key(usual.path);
        /// SQLite: how far a commit is on its way to the disk when it is reported: a power cut loses nothing (full), a
        /// killed process loses nothing (normal), or neither (off, for tests).
        synchronous: Synchronous = key(usual.synchronous);
        /// SQLite: connections that read.
        readers: NonZeroU32 = key(usual.readers);
        /// PostgreSQL: its address, without a password, or `env:NAME` or `file:PATH` that holds the address.
        url: Option<String> = key(usual.url).secret().unset("none")
            .example("\"postgres://botfleet@localhost:5432/botfleet\"");
        /// PostgreSQL: `env:NAME` or `file:PATH` that holds the password, when the address does not.
        password: Option<String> = key(usual.password).secret().unset("none")
            .example("\"env:BOTFLEET_DATABASE_PASSWORD\"");
        /// PostgreSQL: connections that read; four more write, beat and watch.
        connections: NonZeroU32 = key(usual.connections);
        /// PostgreSQL: the longest that one statement may take, on the server and on the way.
        statement_timeout: Duration = key(usual.statement_timeout);
        /// A statement that takes longer is logged, by its name.
        slow_query: Duration = key(usual.slow_query);
    }
}

keys_of! {
    /// Supervision and stop of the fleet.
    pub(super) FleetKeys of FleetSettings as usual {
        /// Interval at which work that no hint announced is looked for.
        reconcile_every: Duration = key(usual.reconcile_every)
            .within(Duration::from_millis(10)..=Duration::from_millis(500));
        /// Bots that never polled before start polling at most at this rate. Telegram's own servers
        /// take about 20 new bots a minute from one address.
        ramp_per_minute: Option<NonZeroU32> = key(usual.ramp_per_minute).or_zero();
        /// Time for which handled updates are kept.
        keep_handled: Duration = key(usual.keep_handled).within(Duration::from_hours(48)..=Duration::from_hours(6 * 24));
        /// Time for which decisions, turns and messages are kept: for so long the fleet can say why a bot spoke.
        keep_decisions: Duration = key(usual.keep_decisions)
            .within(Duration::from_hours(7 * 24)..=Duration::from_hours(3_650 * 24));
        /// Time for which dead turns, and messages that were rejected or of unknown fate, wait for a person.
        keep_letters: Duration = key(usual.keep_letters)
            .within(Duration::from_hours(7 * 24)..=Duration::from_hours(3_650 * 24));
        /// An actor that does not answer for so long hangs, and is started again.
        answer_within: Duration = key(usual.answer_within).within(Duration::from_secs(1)..=Duration::from_mins(10));
        /// Most time that a stop takes. Half of it and a little more is for turns, the rest for messages that are due.
        stop_deadline: Duration = key(usual.stop_deadline).within(Duration::from_secs(1)..=Duration::from_secs(29));
        /// Restarts of failed actors.
        restart: RestartSettings = group::<RestartSettings>();
    }
}

keys_of! {
    /// Polling, answers and sends of bots.
    pub(super) BotKeys of BotSettings as usual {
        /// Time for which Telegram holds a poll open.
        poll_timeout: Duration = key(usual.poll_timeout).within(Duration::from_secs(1)..=Duration::from_secs(50));
        /// A token that Telegram refuses is read again from its file, and tried, this often.
        refused_retry: Duration = key(usual.refused_retry).within(Duration::from_millis(100)..=Duration::from_hours(1));
        /// A chat that is shut to a bot is tried after so long, and then after ever longer times, up to a day.
        shut_retry: Duration = key(usual.shut_retry).within(Duration::from_millis(100)..=Duration::from_hours(24));
        /// Turns that one bot works on at the same time.
        turns_in_flight: NonZeroUsize = key(usual.turns_in_flight);
        /// Turns of one bot that wait in memory; further ones stay in the store.
        turns_waiting: NonZeroUsize = key(usual.turns_waiting);
        /// Most messages of one bot a second.
        sends_per_second: Option<NonZeroU32> = key(usual.sends_per_second).or_zero();
        /// Most messages of one bot in one chat a minute.
        sends_per_chat_per_minute: Option<NonZeroU32> = key(usual.sends_per_chat_per_minute).or_zero();
        /// Times that one model is asked for one turn while its answers are unusable, before the next in the chain.
        tries_per_model: NonZeroU32 = key(usual.tries_per_model);
        /// Bots leave groups and channels that the manifest does not name; name a new chat by `botfleet apply` first.
        leave_unknown_chats: bool = key(usual.leave_unknown_chats);
    }
}

keys_of! {
    /// Memory and load of chats.
    pub(super) ChatKeys of ChatSettings as usual {
        /// Entries of a transcript kept in memory.
        window_entries: NonZeroUsize = key(usual.window_entries);
        /// A chat without news leaves the memory after this.
        passivate_after: Duration = key(usual.passivate_after)
            .within(Duration::from_secs(1)..=Duration::from_hours(30 * 24));
        /// Rows that wait in a chat's mailbox; further ones stay in the store.
        rows_waiting: NonZeroUsize = key(usual.rows_waiting);
        /// Turns that may be open in the whole fleet. Further ones are shed and counted: talk that nobody asked for from
        /// half of it on, answers to bots from three quarters, answers to people when it is full.
        turns_open_max: NonZeroU64 = key(usual.turns_open_max);
    }
}
