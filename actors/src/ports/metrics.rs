//! The list of all metrics: name, kind, labels and meaning of each, said once. Layer `ports`.
//!
//! A metric is a type of its own name, and a label is a field of it, so that a call reads like a query:
//! `metrics::rows_dead_total { at: "chat" }.increment(1)` counts for `botfleet_rows_dead_total{at="chat"}`. A label
//! without a type takes a word of the program; a `String` or an `Arc<str>` holds the name of a thing of the manifest, a
//! status or a route. All are bounded in number.
//! `docs/METRICS.md` is made from this list.

#![allow(non_camel_case_types)] // the name of a metric is written in one way only

use std::sync::Arc;

use metrics::{Gauge, Histogram, Key, Label, Level, Metadata, with_recorder};

/// The description of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Heading under which the metric stands.
    pub section: &'static str,
    /// Name in full.
    pub name: &'static str,
    /// Kind: `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Names of the labels.
    pub labels: &'static [&'static str],
    /// Meaning.
    pub doc: &'static str,
    /// Name in the request that botfleet was built from, where it has one.
    pub asked: Option<&'static str>,
}

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Returns a label's name without the mark that makes a keyword of Rust a name.
const fn plain(label: &'static str) -> &'static str {
    match label.as_bytes() {
        [b'r', b'#', ..] => label.split_at(2).1,
        _ => label,
    }
}

macro_rules! metrics {
    ($($section:literal { $(
        $(#[doc = $doc:literal])+
        $kind:ident $name:ident { $($label:ident $(: $type:ty)?),* } $(= $asked:literal)?
    )* })*) => {
        /// All metrics, by section.
        pub const ALL: &[Described] = &[$($(Described {
            section: $section,
            name: concat!("botfleet_", stringify!($name)),
            kind: stringify!($kind),
            labels: &[$(plain(stringify!($label))),*],
            doc: concat!($($doc),+),
            asked: metrics!(@asked $($asked)?),
        }),*),*];
        $($(metrics! { @type $(#[doc = $doc])+ $kind $name { $($label: metrics!(@label $($type)?)),* } })*)*
    };
    (@asked) => { None };
    (@asked $name:literal) => { Some($name) };
    (@label) => { &'static str };
    (@label $type:ty) => { $type };
    (@type $(#[$doc:meta])+ $kind:ident $name:ident {}) => {
        $(#[$doc])+
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        impl $name {
            metrics! { @$kind self {
                static KEY: Key = Key::from_static_name(concat!("botfleet_", stringify!($name)));
                &KEY
            } }
        }
    };
    (@type $(#[$doc:meta])+ $kind:ident $name:ident { $($label:ident: $type:ty),+ }) => {
        $(#[$doc])+
        #[derive(Clone, Debug)]
        #[allow(missing_docs)] // labels are explained with their metric
        pub struct $name { $(pub $label: $type),+ }
        impl $name {
            metrics! { @$kind self {
                let Self { $($label),+ } = self;
                let labels = vec![$(Label::new(plain(stringify!($label)), $label)),+];
                Key::from_parts(concat!("botfleet_", stringify!($name)), labels)
            } }
        }
    };
    (@counter $self:ident $key:block) => {
        /// Adds to the counter.
        pub fn increment($self, by: u64) {
            let key = $key;
            with_recorder(|recorder| recorder.register_counter(&key, &METADATA)).increment(by);
        }
    };
    (@gauge $self:ident $key:block) => {
        /// Returns the gauge, to be set or to be kept.
        pub fn handle($self) -> Gauge {
            let key = $key;
            with_recorder(|recorder| recorder.register_gauge(&key, &METADATA))
        }
    };
    (@histogram $self:ident $key:block) => {
        /// Returns the histogram, to record a value or to be kept.
        pub fn handle($self) -> Histogram {
            let key = $key;
            with_recorder(|recorder| recorder.register_histogram(&key, &METADATA))
        }
    };
}

metrics! {
    "Updates and Telegram" {
        /// Updates polled.
        counter updates_received_total {}
        /// Failed polls.
        counter poll_failures_total { error_type } = "errors"
        /// Calls, polls included.
        counter telegram_api_calls_total { method, status } = "telegram_api_calls_total"
        /// Failed calls.
        counter telegram_api_errors_total { error_type } = "telegram_api_errors_total"
        /// Duration of the calls; polls are left out.
        histogram telegram_api_duration_seconds { method }
        /// State of the breaker of sends: 0 closed, 1 half open, 2 open.
        gauge telegram_breaker_state {} = "breaker state"
        /// Updates that could not be read at all.
        counter telegram_updates_skipped_total {} = "errors"
        /// Requests of Telegram's.
        counter webhook_requests_total { status: String }
        /// Failures of setWebhook, deleteWebhook and getWebhookInfo.
        counter webhook_call_failures_total { error_type } = "errors"
        /// Chats that bots left because the manifest does not name them.
        counter unknown_chats_left_total {}
        /// Messages of bots in private, refused.
        counter private_bot_messages_total {}
    }
    "Decisions and turns" {
        /// Decisions: `speak` or `silent`.
        counter decisions_total { verdict }
        /// Messages that were read too late to be answered.
        counter calls_too_old_total {}
        /// Decisions that panicked.
        counter behaviour_panics_total {} = "errors"
        /// Chats that read the store again after a refused commit.
        counter chat_reloads_total {}
        /// Rows of a `chat`, the `intake` or a `send` that were refused again and again: dead letters with their reason.
        counter rows_dead_total { at } = "errors"
        /// Orders of operators that this node ended, by kind and state: `done`, `failed`, `expired`, `unknown`.
        counter operator_orders_ended_total { kind: String, state }
        /// Dead letters that a person had tried again.
        counter dead_letters_redelivered_total {}
        /// Turns not begun since too many are open.
        counter turns_shed_total { priority: String }
        /// Turns given up: `shed` by a provider's queue, `budget`, `stopped`, `kept_back`, `words_removed`, `novelty`,
        /// `stance`, `claim`, `interruption`, `reaction`; `absent`, `topic_shut`, `paused` when the bot could not speak.
        counter turns_dropped_total { reason }
        /// Turns that failed three times.
        counter turns_dead_total {}
        /// Turns that a stop returned to the queue.
        counter turns_given_back_total {}
        /// Turns and messages that nobody took in their time.
        counter turns_expired_by_store_total {}
        /// Erasure requests that were carried out.
        counter people_forgotten_total {}
    }
    "Texts" {
        /// Messages generated: `sent_at_once` or `paced`.
        counter message_generation_total { bot: String, status } = "message_generation_total"
        /// Time from the turn's begin to its text.
        histogram message_generation_duration_seconds {} = "message_generation_duration_seconds"
        /// Answers kept from the chat.
        counter firewall_breaches_total { kind, provider: String, model: String }
        /// Texts that a guard (`novelty`, `stance`, `interruption`, `claim`, `assistant`, `conduct`) rejected:
        /// `asked_again`, or `dropped` the second time.
        counter guard_objections_total { guard, result }
        /// Texts like one that the bot itself (`own`), the `chat` or the `fleet` said.
        counter repeats_total { of }
        /// Answers that what came meanwhile `dropped`, `rewritten`, or `cancelled` while they were typed.
        counter interruptions_total { result }
        /// Questions to a model about stances: `contradiction`, `consistent`, `failed`.
        counter stance_checks_total { result }
        /// Texts that the guard on conduct rejected, by kind (`slur`, `threat`, `accusation`, `word`, `link`, `mention`,
        /// `crowd`, `number`, `dictated`, `judged`).
        counter misconduct_total { kind }
        /// Questions to a model whether a text may be said: `harmful`, `harmless`, `failed`.
        counter conduct_checks_total { result }
        /// Emoji: `set`, `refused`.
        counter reactions_total { status }
        /// Messages that operators had deleted, by Telegram's answer: `deleted`, `refused`, `again`.
        counter retractions_total { result }
    }
    "Models" {
        /// Calls: `ok`, `rate_limited`, `unreachable`, `unavailable`, `key_refused`, `quota_exhausted`, `model_refused`,
        /// `rejected`, `garbage`.
        counter llm_api_calls_total { provider: Arc<str>, model: String, status } = "llm_api_calls_total"
        /// Duration of the calls at the adapter.
        histogram llm_api_duration_seconds { provider: Arc<str>, model: String }
        /// Duration of the calls with the deadline, at the actor.
        histogram llm_call_duration_seconds { provider: String, model: String }
        /// `prompt` and `completion` tokens.
        counter llm_token_usage_total { provider: Arc<str>, model: String, r#type } = "llm_token_usage_total"
        /// Tokens of prompts that the provider had kept from earlier ones: a part of the `prompt` tokens.
        counter llm_cached_tokens_total { provider: Arc<str>, model: String }
        /// Cost in millionths of the money's unit.
        counter llm_cost_millionths_total { provider: String, model: String }
        /// Calls that wait.
        gauge llm_calls_waiting { provider: String, model: String, priority }
        /// Calls under way.
        gauge llm_calls_in_flight { provider: String, model: String }
        /// State of the model's breaker: 0 closed, 1 half open, 2 open.
        gauge llm_breaker_state { provider: String, model: String } = "breaker state"
        /// Calls given up since too many waited.
        counter llm_calls_shed_total { provider: String, priority }
        /// Answers whose usage was `missing`, `zero` or `beyond_bound`: charged by the bound.
        counter llm_usage_doubted_total { provider: String, model: String, reason }
        /// Keys refused: `rate_limited`, `key_refused`, `quota_exhausted`.
        counter llm_key_refusals_total { provider: String, reason } = "errors"
        /// Calls not made for want of budget.
        counter budget_exhausted_total { scope, unit, per }
        /// Embeddings and classifiers: `hit` or `miss`.
        counter llm_cache_requests_total { kind, result }
        /// JSON that did not fit its schema.
        counter llm_structured_misfits_total { provider: String } = "errors"
        /// Completions that were paid for, or may have been, and that nobody could use: claim or finish refused, given
        /// back at a stop.
        counter completions_wasted_total {}
        /// Answers to an earlier try.
        counter completions_stale_total {}
    }
    "Sends" {
        /// Sends: `sent`, `rejected`, `retry`, `unknown`.
        counter sends_settled_total { status } = "success rate"
        /// Time from Telegram's answer until its end is stored: a crash within it leaves the message `unknown`.
        histogram send_settle_duration_seconds {}
        /// Sends that a sliding window made wait.
        counter sends_delayed_total {}
        /// Sends that a stop, staleness or a limit cancelled when they were due.
        counter sends_cancelled_total {}
        /// Messages of unknown fate sent again, as their policy says.
        counter sends_resent_total {}
        /// Messages of unknown fate that evidence resolved.
        counter sends_resolved_total {}
        /// Pauses that a 429 asked for.
        counter telegram_pauses_total {}
        /// Bots that cannot speak anywhere: `no_token`, `sealed`, `refused`, `quarantined`, `paused`.
        gauge bots_silent { reason }
        /// Times that a chat (`outside`, `muted`, `gone`) or `topic` was found shut to a bot.
        counter places_shut_total { place }
    }
    "Actors" {
        /// Bot actors that run.
        gauge active_bots {} = "active_bots"
        /// Actors that failed and were started again.
        counter actor_restarts_total {} = "errors"
        /// Actors that failed five times within a minute.
        counter quarantines_total {} = "errors"
        /// Actors that are quarantined now.
        gauge actors_quarantined {}
        /// Actors that hung and were killed.
        counter actors_unresponsive_total {} = "errors"
        /// Panics that were caught; the log names their places, never their words.
        counter panics_total {}
    }
    "Store" {
        /// Operations in a batch.
        histogram store_commit_operations {}
        /// Duration of a commit.
        histogram store_commit_duration_seconds {}
        /// Batches of which nothing was written.
        counter store_commit_failures_total {} = "errors"
        /// Times that a part of the node had to wait for the store.
        counter store_waits_total { who }
        /// Rows in `inbox`, `turns`, `outbox`, `dead` and `unknown`; counted every minute.
        gauge queue_depth { queue }
    }
    "HTTP and alerts" {
        /// Requests to the API, by route template; `none` where no route fits.
        counter http_requests_total { method, endpoint: String, status: String } = "http_requests_total"
        /// Time until the head of the answer is ready.
        histogram http_request_duration_seconds { method, endpoint: String } = "http_request_duration_seconds"
        /// Tries to sign in: `ok`, or the code of the refusal.
        counter sign_ins_total { result }
        /// Refused requests, by code: without a principal, without the permission, out of reach, too many.
        counter requests_refused_total { code }
        /// Connections that were not served: handshakes that failed, peers outside of the networks of plain HTTP, addresses that
        /// held too many.
        counter http_connections_refused_total { reason }
        /// Days until the certificate of the API's port, or one of its chain, ends; negative afterwards.
        gauge tls_certificate_left_days {}
        /// Readers of the stream of events.
        gauge stream_readers {}
        /// Readers of the stream of events that did not keep up and were dropped.
        counter stream_readers_dropped_total {}
        /// Entries of the audit that this node sealed.
        counter audit_entries_sealed_total {}
        /// Alerts by webhook or chat.
        counter alerts_total { way, outcome }
        /// Alerts given up because too many waited.
        counter alerts_dropped_total {}
    }
    "Cluster: PostgreSQL, Redis, nodes" {
        /// Statements begun.
        counter store_statements_total { statement }
        /// Duration of the statements.
        histogram store_query_duration_seconds { statement }
        /// Time until a connection was free.
        histogram store_connection_wait_seconds { r#for }
        /// Waits for a connection that were given up.
        counter store_connection_misses_total { r#for }
        /// Connections in use.
        gauge store_connections_active { r#for } = "database_connections_active"
        /// Connections that wait for use.
        gauge store_connections_idle { r#for }
        /// Batches that met another transaction and were begun again.
        counter store_collisions_total {}
        /// Calls to Redis: `ok`, `timeout`, `error`.
        counter redis_operations_total { operation, status } = "redis_*"
        /// Messages on the bus that were dropped, by the place where they were.
        counter bus_dropped_total { at }
        /// Hints sent to the owners of bots and chats on other nodes.
        counter hints_sent_total {}
        /// The database's clock less this node's estimate of it.
        gauge clock_offset_seconds {}
        /// Calls to Telegram refused because the node's bound had passed.
        counter effects_withheld_total {}
        /// Times that the node stopped polling and sending because its beats did not reach the store.
        counter node_suspensions_total {}
        /// Nodes that this node declared dead.
        counter nodes_buried_total {}
        /// Leases that this node took.
        counter leases_taken_total {}
        /// Leases of a `bot` or `chat` that this node handed over.
        counter leases_handed_over_total { kind }
        /// Times that a `bot` or `chat` was found owned by another node.
        counter fenced_total { kind }
    }
}
