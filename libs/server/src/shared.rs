//! What the layers of one port share.

use crate::{Limits, call::Allowance, capacity::Capacity, overloaded::Overloaded, stopping::Stopping};
use std::sync::Arc;

/// What the layers of one port share.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) allowance: Option<Arc<dyn Allowance>>,
    pub(crate) capacity: Arc<Capacity>,
    /// The services of the deployment have as much capacity of their own: what they ask for is part of calls that were
    /// admitted elsewhere.
    pub(crate) capacity_of_services: Arc<Capacity>,
    pub(crate) overloaded: Overloaded,
    pub(crate) stopping: Stopping,
}

impl Shared {
    pub(crate) fn new(limits: Limits, allowance: Option<Arc<dyn Allowance>>, stopping: Stopping) -> Arc<Self> {
        let capacity = || Arc::new(Capacity::new(&limits));
        let (capacity, capacity_of_services, overloaded) = (capacity(), capacity(), Overloaded::new(&limits));
        Arc::new(Self { limits, allowance, capacity, capacity_of_services, overloaded, stopping })
    }
}
