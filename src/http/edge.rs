//! State that the handlers share. Layer `http`.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::operate::operations::Operations;
use crate::runtime::fleet::RunningFleet;

/// State that the handlers share.
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) fleet: Arc<RunningFleet>,
    pub(super) operations: Operations,
    pub(super) metrics: PrometheusHandle,
}

impl Edge {
    pub(super) fn new(fleet: &Arc<RunningFleet>, metrics: PrometheusHandle) -> Self {
        Self { fleet: Arc::clone(fleet), operations: Operations::new(Arc::clone(fleet)), metrics }
    }
}
