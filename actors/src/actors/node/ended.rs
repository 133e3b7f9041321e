//! The end of a node's work. Layer `actors`.

/// Why the work of a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The node has given up all its leases, as it was asked to: the process may end.
    Drained,
    /// Others have declared the node dead: the process must end, and start as another incarnation.
    Superseded,
    /// The root actor of the node has failed.
    Failed,
}
