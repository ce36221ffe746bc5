//! `remedy`: when svcwatch starts a service again by itself.

use super::{DAY, SECOND, duration, optional};
use crate::config::shape::{Kind, Shape};
use crate::config::text::Form;

/// One plan of `remedy`.
pub(crate) static REMEDY: Shape = Shape {
    name: "remedy",
    doc: "When a service is started again, and how often.",
    keys: &[&[
        optional(
            "attempts",
            Kind::Whole {
                least: 1,
                most: 100,
            },
            "3",
            "Tries for one incident, at most.",
        ),
        optional(
            "every",
            duration(SECOND, DAY),
            "1m",
            "The least time between two tries for one service; doubled after each one for the same incident, up to 1h.",
        ),
        optional(
            "budget",
            Kind::Map(&BUDGET),
            "",
            "How much is tried, at most; what is used up is told.",
        ),
        optional(
            "causes",
            Kind::OneOrMany {
                of: &Kind::Choice(&[
                    "ended_unexpectedly",
                    "crashed",
                    "ended_with_code",
                    "start_timeout",
                    "failed_to_start",
                    "host_rebooted",
                ]),
                most: 6,
            },
            "",
            "After what it is started again; ended_unexpectedly, crashed, start_timeout and host_rebooted if not set.",
        ),
        optional(
            "dry_run",
            Kind::Switch,
            "false",
            "Whether it is only said what would be done.",
        ),
    ]],
    one_of: &[],
};

/// `remedy`: plans by their names.
pub(super) const REMEDIES: Kind = Kind::Named {
    names: Form::Name,
    of: &Kind::Map(&REMEDY),
    most: 100,
};

/// `budget` of a plan.
pub(crate) static BUDGET: Shape = Shape {
    name: "remedy_budget",
    doc: "So many tries within so long, such as `3/h` or `5/10m`; each counts the tries of every plan.",
    keys: &[&[
        optional(
            "service",
            Kind::Text(Form::Budget),
            "3/h",
            "For one service on one host.",
        ),
        optional(
            "group",
            Kind::Text(Form::Budget),
            "5/h",
            "For all services that one group gives to its hosts.",
        ),
        optional(
            "fleet",
            Kind::Text(Form::Budget),
            "20/h",
            "For all services of all hosts.",
        ),
    ]],
    one_of: &[],
};
