//! Serves the Bot API over the simulated world.
//!
//! Layer: above `world`; the only place that knows the Bot API's HTTP. A request takes this way: `router` reads path,
//! token and parameters; `seam` decides by limits and by the schedule of `faults` how the call goes on; `methods` calls
//! the method's function in `updates`, `webhook`, `messages`, `chats`, `profile` or `files`; `reply` renders the
//! answer. Method names are case-insensitive. Parameters may come in the query, as JSON, as a form or as multipart.
//!
//! `webhook` sets webhooks; `delivery` delivers updates to them.

mod call;
mod chats;
mod delivery;
pub mod faults;
mod files;
mod messages;
mod methods;
mod params;
mod profile;
mod reply;
mod router;
mod seam;
mod updates;
mod webhook;

pub use router::router;
