//! Replay: a recorded chat under another manifest, through the pure engine. Layer `runtime`.
//!
//! | file | holds |
//! |---|---|
//! | `record` | the store, opened for reading alone |
//! | `set` | the chat and its bots as store and manifest have them |
//! | `run` | decision by decision: made again, compared, counted |
//! | `estimate` | what prompts would hold and cost |
//! | `calls` | new texts, where models may be asked |
//! | `report` | what comes out of it |
//!
//! Nothing is written and nothing is sent. It is teacher-forced: the transcript stays as it was recorded, so a bot that
//! would have spoken is not heard by those after it, and ticks stay where they were.

pub mod calls;
mod estimate;
pub mod record;
pub mod report;
pub mod run;
pub mod set;
