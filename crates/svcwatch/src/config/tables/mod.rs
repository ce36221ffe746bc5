//! The keys of the config: names, kinds, limits, defaults and what they mean.
//!
//! The walk, the JSON Schema and the defaults that [`super::build`] fills in all come from these tables.

mod chat;
mod destinations;
mod evidence;
mod feeds;
mod hosts;
mod maintenance;
mod probe;
mod remedy;

pub(crate) use self::chat::{
    ACCOUNT, LINK, NEWRELIC, RESOLVED_CARD, RESOLVED_CHAT, RESOLVED_MAIL, SLACK, TEAMS,
};
pub(crate) use self::destinations::{
    DESTINATION_TYPES, EMAIL, LIMIT, LOG, MATCH, ROUTE, SMTP, WEBHOOK,
};
pub(crate) use self::evidence::EVIDENCE;
pub(crate) use self::feeds::{INFLUXDB, MQTT, MQTT_TLS, RETENTION, TOPICS};
pub(crate) use self::hosts::{
    CREDENTIAL, DEFAULTS, GROUP, GROUP_EXPECT, HOST, HOSTS_FROM, SECRET, SERVICE,
};
pub(crate) use self::maintenance::WINDOW;
pub(crate) use self::probe::{MODULE, PROBE};
use self::remedy::REMEDIES;
pub(crate) use self::remedy::{BUDGET, REMEDY};

use super::shape::{Key, Kind, Shape};
use super::text::Form;
use crate::template::LINKS_MAX;

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

const A_SECRET: Kind = Kind::TextOr(Form::Secret, &SECRET);

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
            "evidence",
            Kind::Map(&EVIDENCE),
            "",
            "What is found out about why a service is not as expected.",
        ),
        optional(
            "remedy",
            REMEDIES,
            "",
            "Plans for starting services again, by their names; nothing is started of which no plan is named.",
        ),
        optional(
            "noise",
            Kind::OneOrMany {
                of: &PATTERN,
                most: 1_000,
            },
            "default",
            "Services that are known to stop and change by themselves: of those that `start` selects nothing of that is told. `default` is a list that comes with svcwatch, [] is none, and names or patterns are these.",
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
            "hosts_from",
            Kind::List {
                of: &Kind::Map(&HOSTS_FROM),
                most: 32,
            },
            "",
            "Lists of further hosts that stand elsewhere and are read again when they change.",
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
            "links",
            Kind::List {
                of: &Kind::Map(&LINK),
                most: LINKS_MAX,
            },
            "",
            "Links that messages and templates offer beside the incident's own.",
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
        optional(
            "maintenance",
            Kind::List {
                of: &Kind::Map(&WINDOW),
                most: 1_000,
            },
            "",
            "When what is not told because it is expected; what is still wrong afterwards is told then.",
        ),
        optional("probe", Kind::Map(&PROBE), "", "What /probe gives."),
        optional(
            "instant",
            Kind::Switch,
            "true",
            "Whether hosts may tell of changes by themselves; off ends all that `instant: true` of services began, and on Windows what the machine itself tells.",
        ),
        optional(
            "runbooks",
            Kind::Text(Form::Path),
            "",
            "A folder of your own runbooks: NAME.md there takes the place of the built-in page NAME.",
        ),
    ]],
    one_of: &[],
};

pub(crate) static WEB: Shape = Shape {
    name: "web",
    doc: "The pages and the API.",
    keys: &[&[
        optional(
            "url",
            Kind::Text(Form::Url),
            "",
            "The base of links in notices; the listen address if not set.",
        ),
        optional(
            "config_file",
            Kind::Text(Form::Path),
            "",
            "A file in the form of Prometheus' web configuration: encryption, users and certificates of clients, for every path.",
        ),
    ]],
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
            Kind::WholeOrOff {
                least: 0,
                most: 1_000_000,
            },
            "5",
            "When more than so many targets are already wrong at a start or a reload, they are told as one; with `off` never.",
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
        optional(
            "boot",
            duration(10 * SECOND, DAY),
            "15m",
            "Either of them, where it began in boot grace.",
        ),
    ]],
    one_of: &[],
};

/// The key that may stand in place of one that must be there.
pub(crate) fn instead_of(shape: &str, key: &str) -> Option<&'static str> {
    (shape == "config" && key == "hosts").then_some("hosts_from")
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
            below(of, found);
        }
        Kind::Text(_)
        | Kind::Whole { .. }
        | Kind::WholeOrOff { .. }
        | Kind::Switch
        | Kind::Duration { .. }
        | Kind::DurationOr { .. }
        | Kind::Rhythm { .. }
        | Kind::Choice(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;
    use crate::config::problem::{Position, Problems};
    use crate::config::scalar;
    use crate::config::tree::{Entry, Node, Scalar, Value};

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
                check::walk(
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
        assert_eq!(SEVERITIES, destinations::severities().as_slice());
    }
}
