//! The keys of the config: names, kinds, limits, defaults and what they mean.
//!
//! The walk, the JSON Schema and the defaults that [`super::build`] fills in all come from these tables.

use svcwatch_core::notice::{Kind as NoticeKind, Severity, ToldEvent};

use super::shape::{Key, Kind, Shape};
use super::text::Form;

/// The most hosts that a config may name.
pub(crate) const HOSTS: usize = 200_000;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The version that had all of these first.
const FIRST: &str = "0.1.0";

const fn optional(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        required: false,
        default,
        doc,
        since: FIRST,
    }
}

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        required: true,
        default: "",
        doc,
        since: FIRST,
    }
}

const fn duration(least: u64, most: u64) -> Kind {
    Kind::Duration {
        least,
        most,
        off: false,
    }
}

const fn duration_or_off(least: u64, most: u64) -> Kind {
    Kind::Duration {
        least,
        most,
        off: true,
    }
}

const LABEL: Kind = Kind::Text(Form::Line(256));
const LABELS: Kind = Kind::Named {
    names: Form::Name,
    of: &LABEL,
    most: 64,
};
const NAME: Kind = Kind::Text(Form::Name);
const PATTERN: Kind = Kind::Text(Form::Pattern);
const PATTERNS: Kind = Kind::OneOrMany {
    of: &PATTERN,
    most: 1_000,
};
const MAIL: Kind = Kind::Text(Form::Mail);
const A_SECRET: Kind = Kind::TextOr(Form::Secret, &SECRET);
const CA: Key = optional(
    "ca",
    Kind::Text(Form::Path),
    "",
    "A file of certificates (PEM) that are trusted besides the system's own.",
);
const SEVERITIES: &[&str] = &["critical", "warning", "info"];

/// The whole config.
pub(crate) static CONFIG: Shape = Shape {
    name: "config",
    doc: "The configuration of svcwatch.",
    keys: &[&[
        optional(
            "listen",
            Kind::Text(Form::Listen),
            "127.0.0.1:7467",
            "Where metrics and the API are served.",
        ),
        optional(
            "data",
            Kind::Text(Form::Path),
            "",
            "The folder of the store. As --data, which beats it.",
        ),
        optional("web", Kind::Map(&WEB), "", "The pages and the API."),
        optional(
            "store",
            Kind::Map(&STORE),
            "",
            "What is kept, and how long.",
        ),
        optional("notices", Kind::Map(&NOTICES), "", "Rules of all notices."),
        optional(
            "stuck_after",
            Kind::Map(&STUCK_AFTER),
            "",
            "How long a pending state may make no progress, or three of its own wait hints if that is longer.",
        ),
        optional(
            "credentials",
            Kind::Named {
                names: Form::Name,
                of: &Kind::Map(&CREDENTIAL),
                most: 1_000,
            },
            "",
            "The accounts that hosts are read with, each under a name.",
        ),
        optional(
            "defaults",
            Kind::Map(&DEFAULTS),
            "",
            "What holds for every host that does not say otherwise.",
        ),
        required(
            "hosts",
            Kind::List {
                of: &Kind::Map(&HOST),
                most: HOSTS,
            },
            "The hosts.",
        ),
        optional(
            "groups",
            Kind::List {
                of: &Kind::Map(&GROUP),
                most: 1_000,
            },
            "",
            "The same services on many hosts.",
        ),
        optional(
            "destinations",
            Kind::Named {
                names: Form::Name,
                of: &Kind::Typed(DESTINATION_TYPES),
                most: 1_000,
            },
            "",
            "Where notices go, each under a name. Without any they are printed on stdout.",
        ),
        optional(
            "routes",
            Kind::List {
                of: &Kind::Map(&ROUTE),
                most: 10_000,
            },
            "",
            "Which notices go where; the first that matches wins. Without any everything goes to every destination.",
        ),
    ]],
    one_of: &[],
};

pub(crate) static WEB: Shape = Shape {
    name: "web",
    doc: "The pages and the API.",
    keys: &[&[optional(
        "url",
        Kind::Text(Form::Url),
        "",
        "The base of links in notices; the listen address if not set.",
    )]],
    one_of: &[],
};

/// `store`.
pub(crate) static STORE: Shape = Shape {
    name: "store",
    doc: "What is kept, and how long.",
    keys: &[&[optional(
        "retention",
        duration(DAY, 3_650 * DAY),
        "400d",
        "How long history is kept.",
    )]],
    one_of: &[],
};

/// `notices`.
pub(crate) static NOTICES: Shape = Shape {
    name: "notices",
    doc: "Rules of all notices.",
    keys: &[&[
        optional(
            "summary_above",
            Kind::Whole {
                least: 0,
                most: 1_000_000,
            },
            "5",
            "When more than so many targets are already wrong at a start or a reload, they are told as one.",
        ),
        optional(
            "reminder",
            duration_or_off(MINUTE, 30 * DAY),
            "off",
            "How often what stays wrong is told again.",
        ),
        optional(
            "expiry",
            duration(MINUTE, 30 * DAY),
            "24h",
            "After how long a message that could not be delivered is given up.",
        ),
    ]],
    one_of: &[],
};

/// `stuck_after`.
pub(crate) static STUCK_AFTER: Shape = Shape {
    name: "stuck_after",
    doc: "How long a pending state may make no progress.",
    keys: &[&[
        optional(
            "start",
            duration(10 * SECOND, DAY),
            "5m",
            "While starting, or going on after a pause.",
        ),
        optional(
            "stop",
            duration(10 * SECOND, DAY),
            "10m",
            "While stopping or pausing.",
        ),
    ]],
    one_of: &[],
};

pub(crate) static CREDENTIAL: Shape = Shape {
    name: "credential",
    doc: "An account that hosts are read with.",
    keys: &[&[
        required(
            "user",
            Kind::Text(Form::Line(256)),
            "The user: `DOMAIN\\user`, `user@realm` or `user`.",
        ),
        required(
            "password",
            A_SECRET,
            "Its password; read again at each logon.",
        ),
    ]],
    one_of: &[],
};

/// A secret that stands somewhere else.
pub(crate) static SECRET: Shape = Shape {
    name: "secret",
    doc: "Where a secret is read from.",
    keys: &[&[
        optional(
            "file",
            Kind::Text(Form::Path),
            "",
            "A file that only its owner can read; one line end at its end is cut.",
        ),
        optional(
            "env",
            Kind::Text(Form::Variable),
            "",
            "An environment variable.",
        ),
        optional(
            "systemd",
            NAME,
            "",
            "A credential of systemd: a file of that name in $CREDENTIALS_DIRECTORY.",
        ),
    ]],
    one_of: &["file", "env", "systemd"],
};

/// What may stand in `defaults` and on a host alike.
const HOST_SETTINGS: &[Key] = &[
    optional(
        "credentials",
        NAME,
        "",
        "The name of the account it is read with.",
    ),
    optional(
        "port",
        Kind::Whole {
            least: 1,
            most: 65_535,
        },
        "445",
        "The port of SMB.",
    ),
    optional(
        "every",
        duration(SECOND, DAY),
        "30s",
        "How often it is read.",
    ),
    optional(
        "timeout",
        duration(100, 10 * MINUTE),
        "10s",
        "How long one check may take.",
    ),
    optional(
        "host_for",
        duration(0, DAY),
        "90s",
        "How long a fault of the whole host must last before it is told.",
    ),
    optional(
        "settle",
        duration_or_off(0, 5 * MINUTE),
        "3s",
        "How long a notice about its services is held, so that what belongs together is told together.",
    ),
    optional(
        "transport",
        Kind::Choice(&["auto", "rpc"]),
        "auto",
        "How its services are read.",
    ),
    optional(
        "encryption",
        Kind::Choice(&["required", "preferred", "off"]),
        "required",
        "Whether SMB encryption must be in use. Messages are signed in any case.",
    ),
    optional(
        "also_known_as",
        PATTERNS,
        "",
        "Other computer names that it may give.",
    ),
    optional("labels", LABELS, "", "Labels, for routes and receivers."),
];

/// `defaults`.
pub(crate) static DEFAULTS: Shape = Shape {
    name: "defaults",
    doc: "What holds for every host that does not say otherwise.",
    keys: &[HOST_SETTINGS],
    one_of: &[],
};

pub(crate) static HOST: Shape = Shape {
    name: "host",
    doc: "A host.",
    keys: &[
        &[
            required("name", NAME, "Its identity everywhere."),
            optional(
                "address",
                Kind::Text(Form::Address),
                "",
                "Where it is reached; its name if not set.",
            ),
            optional("site", NAME, "", "The site it stands in, for routes."),
            optional(
                "services",
                SERVICES,
                "",
                "Which of its services are watched.",
            ),
        ],
        HOST_SETTINGS,
    ],
    one_of: &[],
};

const SERVICES: Kind = Kind::List {
    of: &Kind::TextOr(Form::ServiceName, &SERVICE),
    most: 2_000,
};

/// One entry of `services`.
pub(crate) static SERVICE: Shape = Shape {
    name: "service",
    doc: "Which services are watched, and how.",
    keys: &[&[
        optional(
            "name",
            Kind::Text(Form::ServiceName),
            "",
            "The key name, or a pattern for key names.",
        ),
        optional(
            "display_name",
            PATTERN,
            "",
            "The display name, or a pattern for it.",
        ),
        optional(
            "start",
            Kind::Choice(&["automatic", "automatic_delayed", "manual", "disabled"]),
            "",
            "All services that start so.",
        ),
        optional(
            "expect",
            Kind::Choice(&["running", "stopped", "either"]),
            "running",
            "How it should be.",
        ),
        optional(
            "for",
            duration(0, 7 * DAY),
            "0s",
            "How long it must be otherwise before it is told.",
        ),
        optional(
            "confirm",
            Kind::Whole {
                least: 1,
                most: 100,
            },
            "1",
            "How many readings must agree.",
        ),
        optional(
            "friendly_name",
            Kind::Text(Form::Line(256)),
            "",
            "What people call it.",
        ),
        optional(
            "severity",
            Kind::Choice(SEVERITIES),
            "",
            "Instead of the event's own severity.",
        ),
        optional("labels", LABELS, "", "Labels on top of the host's."),
    ]],
    one_of: &["name", "display_name", "start"],
};

static GROUP: Shape = Shape {
    name: "group",
    doc: "The same services on many hosts.",
    keys: &[&[
        required("name", NAME, "Its name."),
        required("hosts", PATTERNS, "The hosts, by name or pattern."),
        required("services", SERVICES, "Which of their services are watched."),
    ]],
    one_of: &[],
};

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

const ALL_DESTINATIONS: &[Key] = &[
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
];

const NETWORK_DESTINATIONS: &[Key] = &[
    CA,
    optional(
        "timeout",
        duration(100, MINUTE),
        "10s",
        "How long one message may take in all.",
    ),
];

/// The types of destinations.
pub(crate) static DESTINATION_TYPES: &[(&str, &Shape)] =
    &[("log", &LOG), ("webhook", &WEBHOOK), ("email", &EMAIL)];

/// A destination of type `log`.
pub(crate) static LOG: Shape = Shape {
    name: "log_destination",
    doc: "One line of JSON a notice, into a file or on stdout.",
    keys: &[
        ALL_DESTINATIONS,
        &[optional(
            "path",
            Kind::Text(Form::Path),
            "",
            "The file; stdout if not set.",
        )],
    ],
    one_of: &[],
};

/// A destination of type `webhook`.
pub(crate) static WEBHOOK: Shape = Shape {
    name: "webhook_destination",
    doc: "An HTTP request a notice.",
    keys: &[
        ALL_DESTINATIONS,
        NETWORK_DESTINATIONS,
        &[
            required("url", Kind::Text(Form::Url), "Where it is sent."),
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
                    most: 64,
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
                "The form of the body.",
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
        NETWORK_DESTINATIONS,
        &[
            required("smtp", Kind::Map(&SMTP), "The mail server."),
            required("from", MAIL, "The sender."),
            required(
                "to",
                Kind::OneOrMany {
                    of: &MAIL,
                    most: 1_000,
                },
                "The recipients; each gets a mail of its own.",
            ),
            optional(
                "priority",
                Kind::Choice(&["low", "normal", "high"]),
                "normal",
                "The priority that mail programs show.",
            ),
            optional(
                "subject",
                Kind::Text(Form::Line(500)),
                "",
                "Instead of the built-in subject.",
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
            "Its port: 587 with starttls, 465 with implicit, 25 with off, if not set.",
        ),
        optional(
            "tls",
            Kind::Choice(&["starttls", "implicit", "off"]),
            "starttls",
            "How the connection is encrypted.",
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
                most: 1_000,
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

fn severities() -> Vec<&'static str> {
    Severity::ALL.iter().map(|word| word.as_str()).collect()
}

fn notice_kinds() -> Vec<&'static str> {
    NoticeKind::ALL.iter().map(|word| word.as_str()).collect()
}

fn events() -> Vec<&'static str> {
    ToldEvent::ALL.iter().map(|word| word.as_str()).collect()
}

/// Every shape, the whole config first.
pub(crate) fn every_shape() -> Vec<&'static Shape> {
    let mut found: Vec<&'static Shape> = vec![&CONFIG];
    let mut index = 0;
    while let Some(shape) = found.get(index).copied() {
        for key in shape.all() {
            below(&key.kind, &mut found);
        }
        index += 1;
    }
    found
}

fn below(kind: &Kind, found: &mut Vec<&'static Shape>) {
    let mut add = |shape: &'static Shape| {
        if !found.iter().any(|known| known.name == shape.name) {
            found.push(shape);
        }
    };
    match kind {
        Kind::Map(shape) | Kind::TextOr(_, shape) => add(shape),
        Kind::Typed(types) => types.iter().for_each(|(_, shape)| add(shape)),
        Kind::Named { of, .. } | Kind::List { of, .. } | Kind::OneOrMany { of, .. } => {
            below(of, found)
        }
        Kind::Text(_)
        | Kind::Whole { .. }
        | Kind::Switch
        | Kind::Duration { .. }
        | Kind::Choice(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::problem::{Position, Problems};
    use super::super::scalar;
    use super::super::shape;
    use super::super::tree::{Entry, Node, Scalar, Value};
    use super::*;

    #[test]
    fn every_default_is_a_value_that_its_own_key_takes() {
        let at = Position {
            file: 0,
            line: 1,
            column: 1,
        };
        let mut looked = 0;
        for shape in every_shape() {
            for key in shape.all().filter(|key| !key.default.is_empty()) {
                looked += 1;
                let scalar = Scalar {
                    text: key.default.into(),
                    plain: scalar::resolve(key.default),
                };
                let value = Node {
                    at,
                    value: Value::Scalar(scalar),
                };
                let entry = Entry {
                    key: key.name.into(),
                    key_at: at,
                    value,
                };
                let mut problems = Problems::new(&[]);
                shape::walk(
                    &Node {
                        at,
                        value: Value::Map(vec![entry]),
                    },
                    shape,
                    &mut problems,
                );
                let told = problems
                    .finish()
                    .err()
                    .map(|errors| errors.to_string())
                    .unwrap_or_default();
                assert!(
                    !told.contains(&format!("config:1:1: {}:", key.name)),
                    "{}: {told}",
                    shape.name
                );
            }
        }
        assert!(looked > 20, "only {looked} defaults were looked at");
    }

    #[test]
    fn keys_are_unique_documented_and_in_words_of_one_form() {
        for shape in every_shape() {
            let mut names: Vec<&str> = shape.all().map(|key| key.name).collect();
            for key in shape.all() {
                assert!(
                    key.doc.ends_with('.'),
                    "{}.{} is not documented",
                    shape.name,
                    key.name
                );
                assert!(
                    key.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                    "{}",
                    key.name
                );
            }
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(all, names.len(), "{} has a key twice", shape.name);
        }
    }

    #[test]
    fn severities_of_services_are_those_of_notices() {
        assert_eq!(SEVERITIES, severities().as_slice());
    }
}
