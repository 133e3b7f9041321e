//! Simulates people: scripts of their actions, and the players of the scripts. Layer: world.
//!
//! - `spec`: the people and how much they do
//! - `script`: small talk as a pure, seeded sequence of actions
//! - `answers`: what a person answers to a bot
//! - `load_posts`: marked messages for load tests
//! - `oddities`: odd messages
//! - `names`: Turkish suffixes on names
//! - `drive`: plays a script in real time, on a world or over HTTP
//! - `http`: the HTTP client of the harness
//! - `lines`: reads the texts of the messages from `turkish.txt` and `english.txt`
//!
//! The re-exports below are the folder's public interface.

pub mod answers;
pub mod drive;
pub mod http;
pub mod load_posts;
pub mod names;
pub mod oddities;
pub mod script;
pub mod spec;

mod lines;

pub use answers::Answer;
pub use drive::{PeopleSummary, drive, drive_http};
pub use load_posts::{LoadPost, LoadPosts};
pub use script::{Action, PeopleScript, PersonAction, ReplyTo};
pub use spec::PeopleSpec;
