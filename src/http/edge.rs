//! State that the handlers share. Layer `http`.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::operate::operations::Operations;
use crate::operate::principal::Principal;
use crate::runtime::fleet::RunningFleet;

/// State that the handlers share.
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) operations: Operations,
    /// Whoever asks here.
    pub(super) principal: Arc<Principal>,
    pub(super) metrics: PrometheusHandle,
}

impl Edge {
    pub(super) fn new(fleet: &Arc<RunningFleet>, principal: Principal, metrics: PrometheusHandle) -> Self {
        Self { operations: Operations::new(Arc::clone(fleet)), principal: Arc::new(principal), metrics }
    }
}
