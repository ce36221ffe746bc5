//! Destinations that take every reading.

use super::destinations::{ALL_DESTINATIONS, CA};
use super::{A_SECRET, LABELS, optional, required};
use crate::config::shape::{Kind, Shape};
use crate::config::text::Form;

const WORD: Kind = Kind::Text(Form::Line(256));

const PORT: Kind = Kind::Whole {
    least: 1,
    most: 65_535,
};

/// A destination of type `mqtt`.
pub(crate) static MQTT: Shape = Shape {
    name: "mqtt_destination",
    doc: "A message a notice, and one a reading, through an MQTT broker.",
    keys: &[
        ALL_DESTINATIONS,
        &[
            required(
                "host",
                Kind::Text(Form::Address),
                "The broker's name or address.",
            ),
            optional(
                "port",
                PORT,
                "",
                "Its port: 8883 with tls, 1883 without, if not set.",
            ),
            optional(
                "tls",
                Kind::Map(&MQTT_TLS),
                "",
                "How the connection is encrypted, {} for the usual way; not at all, if not set.",
            ),
            optional("user", WORD, "", "The user to log on as."),
            optional("password", A_SECRET, "", "Its password."),
            optional(
                "client_id",
                WORD,
                "",
                "How svcwatch is called at the broker; made of the name of its computer, if not set.",
            ),
            optional(
                "version",
                Kind::Whole { least: 4, most: 5 },
                "4",
                "The protocol: 4 for MQTT 3.1.1, 5 for MQTT 5.",
            ),
            optional(
                "qos",
                Kind::Whole { least: 0, most: 1 },
                "1",
                "1 where the broker acknowledges each message; 0 where one may be lost on its way.",
            ),
            optional(
                "retain_status",
                Kind::Switch,
                "true",
                "Whether the broker keeps the last state of each service for those who subscribe later.",
            ),
            required("topics", Kind::Map(&TOPICS), "Where messages go."),
        ],
    ],
    one_of: &[],
};

/// `tls` of an MQTT destination.
pub(crate) static MQTT_TLS: Shape = Shape {
    name: "mqtt_tls",
    doc: "How the connection to a broker is encrypted.",
    keys: &[&[
        CA,
        optional(
            "cert",
            Kind::Text(Form::Path),
            "",
            "A file with a certificate of our own (PEM), where the broker asks for one.",
        ),
        optional(
            "key",
            Kind::Text(Form::Path),
            "",
            "The file of its private key (PEM).",
        ),
    ]],
    one_of: &[],
};

/// `topics` of an MQTT destination.
pub(crate) static TOPICS: Shape = Shape {
    name: "topics",
    doc: "Where messages go. Host and service are added as levels; what has no topic is not published.",
    keys: &[&[
        optional(
            "stopped",
            Kind::Text(Form::Topic),
            "",
            "Services that stopped.",
        ),
        optional(
            "running",
            Kind::Text(Form::Topic),
            "",
            "Services that run again.",
        ),
        optional(
            "status",
            Kind::Text(Form::Topic),
            "",
            "Every reading, and everything else that is told.",
        ),
    ]],
    one_of: &[],
};

/// A destination of type `influxdb`.
pub(crate) static INFLUXDB: Shape = Shape {
    name: "influxdb_destination",
    doc: "Every reading as a point in InfluxDB. It takes no notices, so no route names it.",
    keys: &[
        ALL_DESTINATIONS,
        &[
            CA,
            required(
                "url",
                Kind::Text(Form::Url),
                "Where InfluxDB is, without the path of its API.",
            ),
            required(
                "version",
                Kind::Whole { least: 1, most: 3 },
                "Which InfluxDB it is.",
            ),
            optional(
                "database",
                WORD,
                "",
                "The database (1 and 3); 1 makes it where it lacks.",
            ),
            optional(
                "retention_policy",
                WORD,
                "",
                "The retention policy that is written to (1); the database's default, if not set.",
            ),
            optional(
                "retention",
                Kind::Map(&RETENTION),
                "",
                "The retention policy that a database is made with (1).",
            ),
            optional("org", WORD, "", "The organization (2)."),
            optional("bucket", WORD, "", "The bucket (2)."),
            optional("token", A_SECRET, "", "The token (2 and 3)."),
            optional("user", WORD, "", "The user to log on as (1)."),
            optional("password", A_SECRET, "", "Its password (1)."),
            optional("tags", LABELS, "", "Further tags of each point."),
            optional(
                "batch",
                Kind::Whole {
                    least: 1,
                    most: 50_000,
                },
                "5000",
                "Points of one request, at most.",
            ),
        ],
    ],
    one_of: &[],
};

/// `retention` of an InfluxDB destination.
pub(crate) static RETENTION: Shape = Shape {
    name: "influxdb_retention",
    doc: "The retention policy that a database is made with.",
    keys: &[&[
        required("name", WORD, "Its name."),
        required(
            "duration",
            Kind::Text(Form::Line(32)),
            "How long points are kept, as InfluxDB writes it: 10d, 52w, INF.",
        ),
    ]],
    one_of: &[],
};
