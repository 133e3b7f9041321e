//! Replay: a recorded chat under another manifest, through the pure engine. Layer `runtime`.
//!
//! | file | holds |
//! |---|---|
//! | `record` | the store, opened for reading alone |
//! | `set` | the chat and its bots as store and manifest have them |
//! | `run` | makes the decisions again, one by one, compares and counts |
//! | `estimate` | what prompts would hold and cost |
//! | `calls` | new texts, where models may be asked |
//! | `report` | the result |
//!
//! Nothing is written and nothing is sent. The replay is teacher-forced: the transcript stays as it was recorded, so a
//! bot that would have spoken is not heard by those after it, and ticks stay where they were.

pub mod calls;
mod estimate;
pub mod record;
pub mod report;
pub mod run;
pub mod set;
