//! `botfleet-loadtest run`: load scenarios, measured as operators measure. Layer: harness.
//!
//! | file | role |
//! |---|---|
//! | `args` | the command line, and the scenario that `load` writes from flags |
//! | `scenario`, `reading` | the scenario, and its strict reading |
//! | `schedule` | the instants of an open loop |
//! | `ground` | the fleet under test: one node or several |
//! | `watch` | samples during the run, and the line of progress |
//! | `answers` | answers due and latency, without coordinated omission |
//! | `thought` | the LLM calls behind an answer |
//! | `stages`, `store` | the way of a message, stage by stage |
//! | `tally`, `drift`, `summary` | figures, trends and distributions |
//! | `figure`, `objective` | the list of figures, and their limits |
//! | `report`, `table`, `html` | the report, as JSON, table and page |
//! | `plot`, `pictures` | one plot; all plots of a report, in its page or as files |
//! | `compare` | a report against an earlier one |
//! | `error` | refused scenarios and comparisons |
//! | `perform`, `ramp` | one run, and runs of rising rates |

pub mod answers;
pub mod args;
pub mod compare;
pub mod drift;
pub mod error;
pub mod figure;
pub mod ground;
pub mod html;
pub mod objective;
pub mod perform;
pub mod pictures;
pub mod plot;
pub mod ramp;
pub mod reading;
pub mod report;
pub mod scenario;
pub mod schedule;
pub mod stages;
pub mod store;
pub mod summary;
pub mod tally;
pub mod thought;
pub mod watch;

mod table;
