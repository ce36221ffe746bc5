//! Readings for tests.

use super::Reading;
use std::sync::Arc;
use svcwatch_core::{
    observe::{StartType, State},
    time::Wall,
};

/// 2024-03-13T12:05:00.042Z.
pub(crate) const AT: Wall = Wall(1_710_331_500_042);

/// A service that starts with its machine.
pub(crate) fn reading(host: &str, service: &str, state: State) -> Reading {
    Reading {
        host: host.into(),
        site: None,
        service: service.into(),
        display_name: Some(Arc::from(format!("The {service}"))),
        friendly_name: None,
        state,
        start_type: Some(StartType::Automatic),
        details: None,
        labels: Arc::from([]),
        at: AT,
        changed: false,
        previous: None,
    }
}
