//! The keys of maintenance windows.

use super::destinations::{events, severities};
use super::{NAME, PATTERNS, optional, required};
use crate::config::shape::{Kind, Shape};
use crate::config::text::Form;

/// A maintenance window.
pub(crate) static WINDOW: Shape = Shape {
    name: "window",
    doc: "A maintenance window: what is not told when.",
    keys: &[&[
        required(
            "name",
            NAME,
            "Its name, under which it is told why something was not.",
        ),
        required(
            "match",
            Kind::Map(&MATCH_IN_WINDOW),
            "What is not told; all of its keys must match.",
        ),
        optional(
            "weekly",
            Kind::OneOrMany {
                of: &Kind::Text(Form::Line(64)),
                most: 50,
            },
            "",
            "Every week: days and times such as `tue 22:00-04:00`, `mon-fri 01:00-02:30` or `daily 03:00-03:15`.",
        ),
        optional(
            "zone",
            Kind::Text(Form::Line(64)),
            "",
            "The time zone of `weekly`, such as `Europe/Oslo`.",
        ),
        optional(
            "from",
            Kind::Text(Form::Line(64)),
            "",
            "Once: from when, such as `2026-03-01T22:00:00+01:00`.",
        ),
        optional("to", Kind::Text(Form::Line(64)), "", "Once: until when."),
    ]],
    one_of: &["weekly", "from"],
};

/// What a window is about: as `match` of a route, but for the kind of notice.
static MATCH_IN_WINDOW: Shape = Shape {
    name: "match_in_window",
    doc: "What is not told. Values are texts or patterns without case; a list means any of it.",
    keys: &[&[
        optional("host", PATTERNS, "", "The host's name."),
        optional("site", PATTERNS, "", "The host's site."),
        optional("service", PATTERNS, "", "The service's key name."),
        optional(
            "severity",
            Kind::OneOrMany {
                of: &Kind::Text(Form::PatternOf(severities)),
                most: 100,
            },
            "",
            "How bad it is.",
        ),
        optional(
            "event",
            Kind::OneOrMany {
                of: &Kind::Text(Form::PatternOf(events)),
                most: 100,
            },
            "",
            "What is told.",
        ),
        optional(
            "labels",
            Kind::Named {
                names: Form::Name,
                of: &PATTERNS,
                most: 64,
            },
            "",
            "Labels by name.",
        ),
    ]],
    one_of: &[],
};
