//! Runtime: joins actors and adapters into one running node. Layer `runtime`.
//!
//! | file | holds |
//! |---|---|
//! | `clock` | the machine's clock, for an embedded database |
//! | `database_clock` | the database's clock as a node of a cluster estimates it |
//! | `health`, `alerts` | the node's health by what its parts did lately, and the alerts about it |
//! | `audit`, `audit_key` | the audit of what operators do, and the key that signs it |
//! | `home` | opens a process's store, clock and bus, and takes its place alone or among others |
//! | `accounts` | gives the operators' layer the accounts, the clock and names |
//! | `secrets`, `secret_orders` | secrets that were given by API, and what operators order about them |
//! | `provider_trial` | asks a provider at an address that came by API |
//! | `vault` | secrets of a vault, read at the start and followed |
//! | `starting` | joins adapters and actors |
//! | `credentials` | tokens of bots, and the clients and secrets made of them |
//! | `fleet` | shows and steers a node |
//! | `cluster_view`, `cluster_orders` | show and steer the cluster |
//! | `configuration` | what manifests and operators say, and how it changes while the node runs |
//! | `events` | what the bus tells whoever watches |
//! | `stream` | the stream of events |
//! | `messages` | messages of chats, and one message with its why |
//! | `recorder` | the metrics of the process |
//! | `orders` | gives people's orders to the owners of what they concern, and waits for their end |
//! | `own_file` | writes files of this user alone: keys, tokens and links |
//! | `speaking` | operators who speak as bots, take them over, and delete what they said |
//! | `online` | the questions of `botfleet check --online` to Telegram, models and servers |
//! | `people` | rights of people, as an operator claims them |
//! | `reasons` | recorded decisions, explained in plain words |
//! | `replay` | runs a recorded chat under another manifest |
//! | `style` | measures how personas write |
//! | `stopping` | ends a node in good order |
//! | `webhooks` | takes the updates that Telegram brings |
//! | `view` | the view of the node for operators |

mod accounts;
pub mod alerts;
pub mod audit;
mod audit_key;
pub mod clock;
pub mod cluster_orders;
pub mod cluster_view;
pub mod configuration;
mod credentials;
pub mod database_clock;
pub mod events;
pub mod fleet;
pub mod health;
mod home;
pub mod messages;
pub mod online;
pub mod orders;
pub mod own_file;
pub mod people;
pub mod provider_trial;
pub mod reasons;
pub mod recorder;
pub mod replay;
pub mod secret_orders;
pub mod secrets;
pub mod speaking;
mod starting;
mod stopping;
pub mod stream;
pub mod style;
pub mod vault;
pub mod view;
pub mod webhooks;
