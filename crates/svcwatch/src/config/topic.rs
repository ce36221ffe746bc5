//! Topics of MQTT.

use super::text::{Fault, fault};
use crate::dest::mqtt;

/// Checks the beginning of a topic: those with wildcards are for subscribers.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    mqtt::topic::check(text).or_else(|wrong| {
        fault(
            format!("the topic {wrong}"),
            "write the beginning of a topic, such as `svcwatch/status`",
        )
    })
}
