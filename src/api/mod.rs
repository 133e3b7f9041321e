//! The HTTP API as data: one list of routes, each with its types, its permission and its operation. Layer `api`.
//!
//! No web framework is named here. From the list come the router ([`crate::http`]), the OpenAPI document, docs/API.md, the
//! page at /docs, and the typed client of the CLI.
//!
//! | file | holds |
//! |---|---|
//! | `route` | what a route tells about itself |
//! | `answer` | answers: one JSON value, lines of them, or events |
//! | `list` | the list of routes |
//! | `address` | a route's address for given names and filters |
//! | `deprecation` | parts of routes that will go |
//! | `schema` | what the documents ask of types |
//! | `object` | objects within a body |
//! | `openapi`, `reference` | the committed documents, made of the list by the tests |
//! | `request_headers` | headers of requests, in the documents |
//! | `resource` | the routes that all kinds of things of the configuration have |
//! | `page` | the reference as a web page |
//! | the others | routes, one file a resource |

pub mod account;
pub mod address;
pub mod answer;
pub mod audit;
pub mod bots;
pub mod budgets;
pub mod chats;
pub mod cluster;
pub mod config;
pub mod control;
pub mod dead_letters;
pub mod deprecation;
pub mod events;
pub mod fleet;
pub mod keys;
pub mod list;
pub mod messages;
mod object;
#[cfg(feature = "schema")]
pub mod openapi;
pub mod orders;
pub mod outcomes;
pub mod page;
pub mod people;
pub mod personas;
pub mod provider_trial;
pub mod providers;
#[cfg(feature = "schema")]
pub mod reference;
#[cfg(feature = "schema")]
mod request_headers;
pub mod resource;
pub mod retracting;
pub mod roster;
pub mod route;
pub mod schema;
pub mod secret;
pub mod secrets;
pub mod session;
pub mod speaking;
pub mod strategies;
pub mod style;
pub mod user_access;
pub mod users;
