//! Destinations and routes.

use svcwatch_core::notice::{Kind as NoticeKind, Severity, ToldEvent};

use super::chat::{NEWRELIC, RESOLVED_MAIL, SLACK, SUBJECTS, TEAMS, TEMPLATE};
use super::feeds::{INFLUXDB, MQTT};
use super::{
    A_SECRET, DAY, MINUTE, NAME, PATTERNS, SECOND, duration, duration_or_off, optional, required,
};
use crate::config::shape::{Key, Kind, Shape};
use crate::config::text::Form;

pub(super) const MAIL: Kind = Kind::Text(Form::Mail);

/// `limit` of a destination.
pub(crate) static LIMIT: Shape = Shape {
    name: "limit",
    doc: "At most one message in so long a time; what comes between is merged, and the last word is never lost.",
    keys: &[&[
        optional(
            "per",
            Kind::Choice(&["service", "destination"]),
            "service",
            "What is counted.",
        ),
        required(
            "every",
            duration(SECOND, DAY),
            "The time between two messages.",
        ),
    ]],
    one_of: &[],
};

/// The keys that every destination has.
pub(super) const ALL_DESTINATIONS: &[Key] = &[
    optional(
        "type",
        Kind::Text(Form::Name),
        "",
        "What kind of destination this is.",
    ),
    optional(
        "limit",
        Kind::Map(&LIMIT),
        "",
        "How much it is told at most.",
    ),
    optional(
        "timeout",
        duration(SECOND, MINUTE),
        "10s",
        "How long one message may take in all.",
    ),
];

pub(super) const CA: Key = optional(
    "ca",
    Kind::Text(Form::Path),
    "",
    "A file of certificates (PEM) that are trusted besides the system's own.",
);

/// The types of destinations.
pub(crate) static DESTINATION_TYPES: &[(&str, &Shape)] = &[
    ("log", &LOG),
    ("webhook", &WEBHOOK),
    ("email", &EMAIL),
    ("slack", &SLACK),
    ("teams", &TEAMS),
    ("newrelic", &NEWRELIC),
    ("mqtt", &MQTT),
    ("influxdb", &INFLUXDB),
];

/// A destination of type `log`.
pub(crate) static LOG: Shape = Shape {
    name: "log_destination",
    doc: "One line of JSON a notice, into a file or on stdout.",
    keys: &[
        ALL_DESTINATIONS,
        &[
            TEMPLATE,
            optional(
                "path",
                Kind::Text(Form::Path),
                "",
                "The file; stdout if not set.",
            ),
        ],
    ],
    one_of: &[],
};

/// A destination of type `webhook`.
pub(crate) static WEBHOOK: Shape = Shape {
    name: "webhook_destination",
    doc: "An HTTP request a notice.",
    keys: &[
        ALL_DESTINATIONS,
        &[
            CA,
            TEMPLATE,
            required("url", Kind::Text(Form::SecretUrl), "Where it is sent."),
            optional(
                "method",
                Kind::Choice(&["POST", "PUT", "GET"]),
                "POST",
                "How it is sent; GET carries it in the query.",
            ),
            optional(
                "headers",
                Kind::Named {
                    names: Form::Header,
                    of: &A_SECRET,
                    most: 32,
                },
                "",
                "Further headers.",
            ),
            optional(
                "secret",
                A_SECRET,
                "",
                "Signs each request in X-Svcwatch-Signature.",
            ),
            optional(
                "body",
                Kind::Choice(&["svcwatch", "butler"]),
                "svcwatch",
                "Whose body is sent: our own, or Butler's fields in Butler's order.",
            ),
            optional(
                "verify",
                Kind::Switch,
                "true",
                "Whether the receiver's certificate is checked.",
            ),
        ],
    ],
    one_of: &[],
};

/// A destination of type `email`.
pub(crate) static EMAIL: Shape = Shape {
    name: "email_destination",
    doc: "A mail a notice and recipient.",
    keys: &[
        ALL_DESTINATIONS,
        &[
            CA,
            TEMPLATE,
            required("smtp", Kind::Map(&SMTP), "The mail server."),
            required("from", MAIL, "The sender."),
            required(
                "to",
                Kind::OneOrMany {
                    of: &MAIL,
                    most: 100,
                },
                "The recipients; each gets a mail of its own.",
            ),
            optional(
                "priority",
                Kind::Choice(&["low", "normal", "high"]),
                "",
                "The priority that mail programs show; high where something critical is wrong and normal else, if not set.",
            ),
            optional(
                "subject",
                Kind::TextOr(Form::Line(2_000), &SUBJECTS),
                "",
                "A template in place of the built-in subject, or one for each event or kind.",
            ),
            optional(
                "resolved",
                Kind::Map(&RESOLVED_MAIL),
                "",
                "What is other in mails that something is over.",
            ),
        ],
    ],
    one_of: &[],
};

/// `smtp` of a mail destination.
pub(crate) static SMTP: Shape = Shape {
    name: "smtp",
    doc: "A mail server.",
    keys: &[&[
        required("host", Kind::Text(Form::Address), "Its name or address."),
        optional(
            "port",
            Kind::Whole {
                least: 1,
                most: 65_535,
            },
            "",
            "Its port: 587 with starttls and preferred, 465 with implicit, 25 with off, if not set.",
        ),
        optional(
            "tls",
            Kind::Choice(&["starttls", "preferred", "implicit", "off"]),
            "starttls",
            "How the connection is encrypted; with preferred nobody logs on where the server does not offer it.",
        ),
        optional(
            "user",
            Kind::Text(Form::Line(256)),
            "",
            "The user to log on as.",
        ),
        optional("password", A_SECRET, "", "Its password."),
        optional(
            "server_name",
            Kind::Text(Form::Address),
            "",
            "The name in the server's certificate, where it is another than `host`.",
        ),
        optional(
            "verify",
            Kind::Switch,
            "true",
            "Whether the server's certificate is checked.",
        ),
    ]],
    one_of: &[],
};

/// One route.
pub(crate) static ROUTE: Shape = Shape {
    name: "route",
    doc: "Which notices go to which destinations.",
    keys: &[&[
        optional(
            "match",
            Kind::Map(&MATCH),
            "",
            "Which notices; all of its keys must match. Everything, if not set.",
        ),
        required(
            "to",
            Kind::OneOrMany {
                of: &NAME,
                most: 100,
            },
            "The names of the destinations.",
        ),
        optional(
            "continue",
            Kind::Switch,
            "false",
            "Whether later routes are looked at too.",
        ),
        optional(
            "reminder",
            duration_or_off(MINUTE, 30 * DAY),
            "",
            "How often what stays wrong is told again; as in `notices` if not set.",
        ),
    ]],
    one_of: &[],
};

pub(crate) static MATCH: Shape = Shape {
    name: "match",
    doc: "Which notices. Values are texts or patterns without case; a list means any of it.",
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
            "kind",
            Kind::OneOrMany {
                of: &Kind::Text(Form::PatternOf(notice_kinds)),
                most: 100,
            },
            "",
            "Where in its incident the notice stands.",
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

pub(super) fn severities() -> Vec<&'static str> {
    Severity::ALL.iter().map(|word| word.as_str()).collect()
}

fn notice_kinds() -> Vec<&'static str> {
    NoticeKind::ALL.iter().map(|word| word.as_str()).collect()
}

fn events() -> Vec<&'static str> {
    ToldEvent::ALL.iter().map(|word| word.as_str()).collect()
}
