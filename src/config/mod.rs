//! Configuration: puts together sections that are defined beside their owners, and reads the manifest.
//!
//! | file | holds |
//! |---|---|
//! | `fault` | a fault: its place, description and remedy; all faults are reported at once |
//! | `reader`, `table` | read the keys of a table, each by its rule, and go on after a fault |
//! | `settings` | [`settings::Config`]: every section, and the bounds of its values |
//! | `described` | all keys as data, for schemas, examples and tables |
//! | `sections` | keys of the settings whose structs stand with the actors and the store |
//! | `cluster`, `connections` | a node among others; addresses of PostgreSQL and Redis, and the secrets in them |
//! | `server`, `network` | the HTTP edge, and networks as people write them |
//! | `webhooks`, `size` | the receiver of webhooks, and sizes as people write them |
//! | `outbound`, `secrets`, `vault` | addresses and references that come by API, and the keys that seal secrets |
//! | `layers` | default file, profile, file, environment, flags: the later one wins |
//! | `secret` | references to tokens and keys, and how they are resolved; never the secret itself (I12) |
//! | `manifest` | bots, personas, chats and providers |

pub mod alerts;
pub mod audit;
pub mod cluster;
pub mod connections;
pub mod described;
pub mod fault;
pub mod layers;
pub mod manifest;
pub mod network;
pub mod outbound;
mod reader;
pub mod secret;
pub mod secrets;
mod sections;
pub mod server;
pub mod settings;
pub mod size;
mod table;
pub mod vault;
pub mod webhooks;
