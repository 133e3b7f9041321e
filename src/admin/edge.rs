//! State that the handlers share. Layer `admin`.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::runtime::fleet::RunningFleet;

/// State that the handlers share.
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) fleet: Arc<RunningFleet>,
    pub(super) metrics: PrometheusHandle,
}
