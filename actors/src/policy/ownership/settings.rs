//! Settings of ownership. Layer `policy`.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings for how nodes watch one another and share the work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnershipSettings {
    /// How often a node reports that it lives.
    #[serde(with = "humantime_serde")]
    pub beat_every: Duration,
    /// How often a node reads the beats of the others.
    #[serde(with = "humantime_serde")]
    pub observe_every: Duration,
    /// How often a node reads the leases when no hint asks it to; at most 500 ms.
    #[serde(with = "humantime_serde")]
    pub reconcile_every: Duration,
    /// A node whose beat stays the same for this long, over successful looks, is dead to the node that looked.
    #[serde(with = "humantime_serde")]
    pub dead_after: Duration,
    /// A node causes no effect later than this after it sent its last successful beat; less than `dead_after`.
    #[serde(with = "humantime_serde")]
    pub act_within: Duration,
    /// At most one in this many of a living node's leases of a kind moves at a time.
    pub moves_share: NonZeroU32,
    /// A send of another incarnation that still lives becomes unknown after this long on the new owner's clock.
    #[serde(with = "humantime_serde")]
    pub send_patience: Duration,
}

impl Default for OwnershipSettings {
    fn default() -> Self {
        Self {
            beat_every: Duration::from_millis(500),
            observe_every: Duration::from_millis(250),
            reconcile_every: Duration::from_millis(500),
            dead_after: Duration::from_secs(3),
            act_within: Duration::from_secs(2),
            moves_share: NonZeroU32::MIN.saturating_add(3),
            send_patience: Duration::from_secs(90),
        }
    }
}
