//! `evidence`: what is found out when a service is not as expected.

use super::{SECOND, duration, optional};
use crate::config::shape::{Kind, Shape};

/// `evidence`.
pub(crate) static EVIDENCE: Shape = Shape {
    name: "evidence",
    doc: "What is found out about why a service is not as expected.",
    keys: &[&[
        optional(
            "gather",
            Kind::Switch,
            "true",
            "Whether hosts are asked. Without it a cause rests on the reading alone.",
        ),
        optional(
            "wait",
            duration(0, 60 * SECOND),
            "500ms",
            "How long the first notice of an incident waits for it, at most.",
        ),
        optional(
            "deadline",
            duration(SECOND, 60 * SECOND),
            "10s",
            "How long after an incident opened it is given up.",
        ),
        optional(
            "hosts_at_once",
            Kind::Whole {
                least: 1,
                most: 256,
            },
            "16",
            "How many hosts are asked at a time.",
        ),
        optional(
            "event_log",
            Kind::Choice(&["off", "store", "tell"]),
            "off",
            "Whether the last lines of a host's event log about the service are read: kept for incidents and the API, or told to destinations too. They can hold secrets.",
        ),
        optional(
            "late",
            Kind::Choice(&["store", "tell"]),
            "store",
            "What is done with what comes after the first notice: kept, or told as an `updated` notice where it finds another cause.",
        ),
    ]],
    one_of: &[],
};
