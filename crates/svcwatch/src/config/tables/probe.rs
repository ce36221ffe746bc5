//! What /probe gives, and of whom.

use super::{NAME, PATTERNS, optional};
use crate::config::shape::{Kind, Shape};
use crate::config::text::Form;

/// `probe`.
pub(crate) static PROBE: Shape = Shape {
    name: "probe",
    doc: "What /probe gives.",
    keys: &[&[
        optional(
            "allow",
            PATTERNS,
            "",
            "The guests: hosts that are not in the config and may be read all the same when somebody asks for them, by patterns for their names or IP addresses. Without any, nobody.",
        ),
        optional(
            "modules",
            Kind::Named {
                names: Form::Name,
                of: &Kind::Map(&MODULE),
                most: 100,
            },
            "",
            "What is given of a host, by the name that a request says; `default` is given where it says none, and is everything unless it stands here.",
        ),
    ]],
    one_of: &[],
};

/// An entry of `probe.modules`.
pub(crate) static MODULE: Shape = Shape {
    name: "probe_module",
    doc: "What is given of a host.",
    keys: &[&[
        optional(
            "services",
            PATTERNS,
            "*",
            "The services, by key names or patterns for them.",
        ),
        optional(
            "credentials",
            NAME,
            "",
            "The name of the account that guests are read with; that of `defaults` if not set. Hosts of the config are read with their own.",
        ),
    ]],
    one_of: &[],
};
