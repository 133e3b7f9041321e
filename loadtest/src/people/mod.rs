//! The simulated people: scripts of what they do, and how the scripts are played. Layer: load test.
//!
//! - `spec`: who is there and how much they do
//! - `script`: small talk as a pure, seeded sequence of actions
//! - `load_posts`: marked messages for load tests
//! - `oddities`: messages as few people expect them
//! - `names`: Turkish suffixes on names
//! - `drive`: plays a script in real time, on a world or over HTTP
//! - `http`: the HTTP client of the harness
//! - `turkish`, `english`: what people say
//!
//! The names below are the folder's face.

pub mod drive;
pub mod http;
pub mod load_posts;
pub mod names;
pub mod oddities;
pub mod script;
pub mod spec;

mod english;
mod lines;
mod turkish;

pub use drive::{PeopleSummary, drive, drive_http};
pub use load_posts::{LoadPost, LoadPosts};
pub use script::{Action, PeopleScript, PersonAction, ReplyTo};
pub use spec::PeopleSpec;
