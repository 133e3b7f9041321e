//! State that the handlers share. Layer `http`.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use super::idempotency::Acts;
use super::limits::{Limits, RequestLimits};
use super::refusals::Refusals;
use crate::operate::operations::Operations;

/// State that the handlers share, at the port and at the local socket.
#[derive(Clone)]
pub struct Edge {
    pub(super) operations: Operations,
    pub(super) metrics: PrometheusHandle,
    pub(super) limits: Arc<Limits>,
    pub(super) acts: Arc<Acts>,
    pub(super) refusals: Arc<Refusals>,
}

impl Edge {
    /// Creates the state.
    pub fn new(operations: Operations, metrics: PrometheusHandle, limits: RequestLimits) -> Self {
        let limits = Arc::new(Limits::new(limits, operations.rates()));
        Self { operations, metrics, limits, acts: Arc::default(), refusals: Arc::default() }
    }
}
