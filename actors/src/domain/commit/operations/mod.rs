//! Lists every owning write. Layer `domain`.
//!
//! Each file here holds one operation: its fields, the lease that it needs, the rows that it looks at, its priority and the
//! rule by which it is judged. A new operation is a file and a line in the list.

use std::time::Duration;

use crate::domain::commit::bench::Bench;
use crate::domain::commit::needs::Needs;
use crate::domain::commit::rule::{Judgement, Priority, Rule};
use crate::domain::ids::Epoch;
use crate::domain::ownership::LeaseKey;
use crate::domain::people::SetRight;

macro_rules! operations {
    ($($name:ident in $file:ident,)*) => {
        $(mod $file;)*

        /// One write of a group commit.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Operation {
            $(#[doc = concat!("See [`struct@", stringify!($name), "`].")] $name($name),)*
        }

        impl Operation {
            /// The names of all operations.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($file)),*];

            /// Returns the name of the operation, as logs and tests know it.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($file),)* }
            }

            /// Returns the operation without the entry of the audit that comes with it.
            pub fn act(&self) -> &Self {
                match self {
                    Self::Audited(audited) => audited.act.act(),
                    act => act,
                }
            }

            /// Returns the lane of the operation: `Ahead` when the committer commits it before all work that is queued.
            pub fn priority(&self) -> Priority {
                match self { $(Self::$name(operation) => operation.priority(),)* }
            }

            /// Returns how long the committer may let the operation wait for others to share its commit.
            pub fn patience(&self) -> Duration {
                match self { $(Self::$name(operation) => operation.patience(),)* }
            }

            /// Returns the lease that the author must hold, and under which epoch; `None` when the operation is fenced
            /// by something else or by nothing.
            pub fn fence(&self) -> Option<(LeaseKey, Epoch)> {
                match self { $(Self::$name(operation) => operation.fence(),)* }
            }

            pub(super) fn needs(&self, needs: &mut Needs) {
                match self { $(Self::$name(operation) => operation.needs(needs),)* }
            }

            pub(super) fn judge(self, bench: &mut Bench) -> Judgement {
                match self { $(Self::$name(operation) => operation.judge(bench),)* }
            }
        }
    };
}

operations! {
    Ingest in ingest,
    Receive in receive,
    Advance in advance,
    Claim in claim,
    Unclaim in unclaim,
    Finish in finish,
    Begin in begin,
    Settle in settle,
    Cancel in cancel,
    Resolve in resolve,
    AddPause in add_pause,
    LiftPauses in lift_pauses,
    Migrate in migrate,
    SetAbsence in set_absence,
    SetDelivery in set_delivery,
    SetStop in set_stop,
    SetRight in set_right,
    Redeliver in redeliver,
    BeginOrder in begin_order,
    EndOrder in end_order,
    Say in say,
    TakeOver in take_over,
    EndTakeover in end_takeover,
    Retract in retract,
    SettleRetraction in settle_retraction,
    HandOver in hand_over,
    TakeAllowance in take_allowance,
    Audited in audited,
    ReturnAllowance in return_allowance,
}

pub use add_pause::AddPause;
pub use advance::Advance;
pub use audited::Audited;
pub use begin::Begin;
pub use begin_order::BeginOrder;
pub use cancel::Cancel;
pub use claim::Claim;
pub use end_order::{EndOrder, OrderEnding};
pub use end_takeover::EndTakeover;
pub use finish::{Finish, TurnEnding};
pub use hand_over::HandOver;
pub use ingest::Ingest;
pub use lift_pauses::LiftPauses;
pub use migrate::Migrate;
pub use receive::Receive;
pub use redeliver::Redeliver;
pub use resolve::Resolve;
pub use retract::Retract;
pub use return_allowance::ReturnAllowance;
pub use say::Say;
pub use set_absence::SetAbsence;
pub use set_delivery::SetDelivery;
pub use set_stop::SetStop;
pub use settle::Settle;
pub use settle_retraction::SettleRetraction;
pub use take_allowance::TakeAllowance;
pub use take_over::TakeOver;
pub use unclaim::Unclaim;
