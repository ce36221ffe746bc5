//! The list of all parts, in the form of CycloneDX 1.5: what scanners of weaknesses and licences read.

use std::collections::BTreeMap;
use std::path::Path;

use super::crates::{Crate, Graph, Id, checksums, folders, graph};
use super::{Made, VERSION, Work, installer, stage};
use crate::project::read;

/// The library that brings SQLite's own source.
const SQLITE_BROUGHT_BY: &str = "libsqlite3-sys";

/// A value of JSON. No number is needed beside the version, which is one.
enum Json {
    Text(String),
    One,
    List(Vec<Self>),
    Object(Vec<(&'static str, Self)>),
}

/// Makes the list for one system.
pub(super) fn make(work: &Work<'_>, system: &str, target: &str) -> Result<Made, String> {
    let graph = graph(work.project, target)?;
    let sums = checksums(&stage::text(&work.project.root.join("Cargo.lock"))?);
    let date = format!("--date=@{}", work.epoch);
    let time = read(
        work.project
            .program("date")
            .args(["--utc", &date, "+%FT%TZ"]),
    )?;
    let sqlite = sqlite(work, &graph)?;
    let (text, count) = write(&graph, &sums, &sqlite, target, time.trim())?;
    let file = format!("svcwatch-{VERSION}-{system}.cdx.json");
    stage::write(&work.folder.join(&file), &text)?;
    Ok(Made {
        checked: format!("{count} parts, each with licence and checksum"),
        file,
    })
}

/// The version of SQLite that is built in.
fn sqlite(work: &Work<'_>, graph: &Graph) -> Result<String, String> {
    let brought = graph
        .crates
        .values()
        .find(|one| one.name == SQLITE_BROUGHT_BY);
    let one = brought.ok_or("nothing brings SQLite any more: take it out of the list of parts")?;
    let folders = folders(work.project)?;
    let folder = folders.get(&format!("{}-{}", one.name, one.version));
    let folder = folder.ok_or("the source of SQLite is not at hand")?;
    let header = stage::text(&Path::new(folder).join("sqlite3/sqlite3.h"))?;
    let line = header
        .lines()
        .find_map(|line| line.strip_prefix("#define SQLITE_VERSION "));
    let version = line.map(|line| line.trim().trim_matches('"').to_owned());
    version.ok_or_else(|| "sqlite3.h does not say its version".to_owned())
}

/// Writes the list; gives it with the number of its parts.
fn write(
    graph: &Graph,
    sums: &BTreeMap<Id, String>,
    sqlite: &str,
    target: &str,
    time: &str,
) -> Result<(String, usize), String> {
    let main = graph.crates.values().find(|one| one.name == "svcwatch");
    let main = main.ok_or("svcwatch is not in its own tree")?;
    let mut parts = Vec::new();
    for (id, one) in &graph.crates {
        if one.name != main.name {
            parts.push(part(one, sums.get(id))?);
        }
    }
    let brought = format!("pkg:generic/sqlite@{sqlite}");
    parts.push(object(vec![
        ("type", text("library")),
        ("bom-ref", text(&brought)),
        ("name", text("sqlite")),
        ("version", text(sqlite)),
        ("licenses", licences("blessing")),
        ("purl", text(&brought)),
        (
            "externalReferences",
            references("website", "https://sqlite.org/"),
        ),
    ]));
    let count = parts.len();
    let mut asks: Vec<Json> = graph
        .asks
        .iter()
        .map(|(id, asked)| {
            let mut of: Vec<Json> = asked.iter().map(|id| text(&reference(graph, id))).collect();
            if id.0 == SQLITE_BROUGHT_BY {
                of.push(text(&brought));
            }
            object(vec![
                ("ref", text(&reference(graph, id))),
                ("dependsOn", Json::List(of)),
            ])
        })
        .collect();
    asks.push(object(vec![
        ("ref", text(&brought)),
        ("dependsOn", Json::List(Vec::new())),
    ]));
    let body = vec![
        ("version", Json::One),
        ("metadata", metadata(main, target, time)),
        ("components", Json::List(parts)),
        ("dependencies", Json::List(asks)),
    ];
    let said = object(body).show(0);
    let serial = installer::identifier(&said).to_lowercase();
    let head = format!(
        "{{\n  \"$schema\": \"http://cyclonedx.org/schema/bom-1.5.schema.json\",\n  \"bomFormat\": \"CycloneDX\",\n  \
         \"specVersion\": \"1.5\",\n  \"serialNumber\": \"urn:uuid:{serial}\","
    );
    let body = said.strip_prefix('{').unwrap_or(&said);
    Ok((format!("{head}{body}\n"), count))
}

/// What the list is about, and how it was made.
fn metadata(main: &Crate, target: &str, time: &str) -> Json {
    let name = format!("{}@{}", main.name, main.version);
    object(vec![
        ("timestamp", text(time)),
        (
            "lifecycles",
            Json::List(vec![object(vec![("phase", text("build"))])]),
        ),
        (
            "tools",
            object(vec![(
                "components",
                Json::List(vec![object(vec![
                    ("type", text("application")),
                    ("name", text("cargo xtask package")),
                    ("version", text(VERSION)),
                ])]),
            )]),
        ),
        (
            "component",
            object(vec![
                ("type", text("application")),
                ("bom-ref", text(&name)),
                ("name", text(&main.name)),
                ("version", text(&main.version)),
                ("licenses", licences(&main.licence)),
                ("purl", text(&format!("pkg:generic/{name}"))),
            ]),
        ),
        (
            "properties",
            Json::List(vec![object(vec![
                ("name", text("svcwatch:target")),
                ("value", text(target)),
            ])]),
        ),
    ])
}

/// One part. What comes from the registry has a checksum, or the lock file is not that of this tree.
fn part(one: &Crate, sum: Option<&String>) -> Result<Json, String> {
    let name = format!("{} {}", one.name, one.version);
    if one.licence.is_empty() {
        return Err(format!("{name} does not say its licence"));
    }
    let mut fields = vec![
        ("type", text("library")),
        ("bom-ref", text(&reference_of(one))),
        ("name", text(&one.name)),
        ("version", text(&one.version)),
    ];
    match sum {
        Some(sum) => fields.push((
            "hashes",
            Json::List(vec![object(vec![
                ("alg", text("SHA-256")),
                ("content", text(sum)),
            ])]),
        )),
        None if one.ours => {}
        None => return Err(format!("Cargo.lock has no checksum of {name}")),
    }
    fields.push(("licenses", licences(&one.licence)));
    if !one.ours {
        fields.push(("purl", text(&reference_of(one))));
    }
    if !one.repository.is_empty() {
        fields.push(("externalReferences", references("vcs", &one.repository)));
    }
    Ok(object(fields))
}

/// How other places of the list name a part: by its package URL, or where it is ours by name and version.
fn reference_of(one: &Crate) -> String {
    // A plus would be read as a space.
    let version = one.version.replace('+', "%2B");
    let name = format!("{}@{version}", one.name);
    if one.ours {
        name
    } else {
        format!("pkg:cargo/{name}")
    }
}

fn reference(graph: &Graph, id: &Id) -> String {
    graph.crates.get(id).map(reference_of).unwrap_or_default()
}

fn licences(expression: &str) -> Json {
    Json::List(vec![object(vec![("expression", text(expression))])])
}

fn references(kind: &str, url: &str) -> Json {
    Json::List(vec![object(vec![("type", text(kind)), ("url", text(url))])])
}

fn text(said: &str) -> Json {
    Json::Text(said.to_owned())
}

const fn object(fields: Vec<(&'static str, Json)>) -> Json {
    Json::Object(fields)
}

impl Json {
    /// The value with its lines indented so far.
    fn show(&self, depth: usize) -> String {
        let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
        let block = |open, parts: Vec<String>, close| {
            if parts.is_empty() {
                return format!("{open}{close}");
            }
            format!(
                "{open}\n{inner}{}\n{outer}{close}",
                parts.join(&format!(",\n{inner}"))
            )
        };
        match self {
            Self::Text(said) => quoted(said),
            Self::One => "1".to_owned(),
            Self::List(values) => {
                let parts = values.iter().map(|value| value.show(depth + 1)).collect();
                block('[', parts, ']')
            }
            Self::Object(fields) => {
                let show =
                    |(name, value): &(&str, Self)| format!("\"{name}\": {}", value.show(depth + 1));
                block('{', fields.iter().map(show).collect(), '}')
            }
        }
    }
}

/// A text in quotes (RFC 8259, section 7).
fn quoted(said: &str) -> String {
    let characters: Vec<String> = said
        .chars()
        .map(|character| match character {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            control if control < ' ' => format!("\\u{:04x}", u32::from(control)),
            other => other.to_string(),
        })
        .collect();
    format!("\"{}\"", characters.concat())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::project::Project;
    use crate::windows;

    /// The names that the schema of CycloneDX 1.5 allows at its top; it allows no others.
    const TOP: [&str; 8] = [
        "$schema",
        "bomFormat",
        "specVersion",
        "serialNumber",
        "version",
        "metadata",
        "components",
        "dependencies",
    ];

    fn found<'a>(value: &'a Value, name: &str) -> &'a str {
        value[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} in {value}"))
    }

    fn is_hex(said: &str, length: usize) -> bool {
        said.len() == length
            && said
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// Holds a list against the rules of CycloneDX 1.5 for what is used of it.
    fn hold(list: &Value) {
        let names: Vec<&String> = list
            .as_object()
            .map(|top| top.keys().collect())
            .unwrap_or_default();
        assert!(
            names.iter().all(|name| TOP.contains(&name.as_str())),
            "{names:?}"
        );
        assert_eq!(list["bomFormat"], "CycloneDX");
        assert_eq!(list["specVersion"], "1.5");
        assert_eq!(list["version"], 1);
        let serial = found(list, "serialNumber")
            .strip_prefix("urn:uuid:")
            .unwrap_or_default();
        let parts: Vec<&str> = serial.split('-').collect();
        let lengths = [8, 4, 4, 4, 12];
        assert!(
            parts.len() == 5
                && parts
                    .iter()
                    .zip(lengths)
                    .all(|(part, length)| is_hex(part, length)),
            "{serial}"
        );
        let main = found(&list["metadata"]["component"], "bom-ref").to_owned();
        let mut known = BTreeSet::from([main]);
        for part in list["components"].as_array().expect("parts") {
            assert_eq!(part["type"], "library");
            assert!(
                known.insert(found(part, "bom-ref").to_owned()),
                "twice: {part}"
            );
            assert!(!found(part, "name").is_empty() && !found(part, "version").is_empty());
            let licences = part["licenses"].as_array().expect("licences");
            // An expression stands alone, and has no slash.
            assert_eq!(licences.len(), 1, "{part}");
            let expression = found(&licences[0], "expression");
            assert!(
                !expression.is_empty() && !expression.contains('/'),
                "{part}"
            );
            if let Some(package) = part.get("purl").and_then(Value::as_str) {
                assert!(
                    package.starts_with("pkg:") && package.contains('@') && !package.contains('+'),
                    "{package}"
                );
            }
            for hash in part["hashes"].as_array().into_iter().flatten() {
                assert_eq!(hash["alg"], "SHA-256");
                assert!(is_hex(found(hash, "content"), 64), "{hash}");
            }
        }
        let mut told = BTreeSet::new();
        for one in list["dependencies"].as_array().expect("dependencies") {
            assert!(told.insert(found(one, "ref").to_owned()), "twice: {one}");
            let of: Vec<&str> = one["dependsOn"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(of.len(), of.iter().collect::<BTreeSet<_>>().len(), "{one}");
            assert!(of.iter().all(|name| known.contains(*name)), "{one}");
        }
        assert_eq!(told, known);
    }

    #[test]
    fn the_list_of_this_tree_keeps_the_rules_of_its_form() {
        let project = Project::find().unwrap_or_else(|_| panic!("tests run in the project"));
        let lock = stage::text(&project.root.join("Cargo.lock")).expect("the lock file is read");
        for target in [windows::TARGET, "x86_64-unknown-linux-gnu"] {
            let graph = graph(&project, target).expect("cargo shows its tree");
            let (said, count) = write(
                &graph,
                &checksums(&lock),
                "3.50.2",
                target,
                "2026-01-02T03:04:05Z",
            )
            .expect("the list is made");
            let list: Value = serde_json::from_str(&said).expect("it is JSON");
            hold(&list);
            assert!(count > 100, "{count}");
            let names: Vec<&str> = list["components"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|part| found(part, "name"))
                .collect();
            for name in ["rustls", "ring", "sqlite", "svcwatch-core", "tokio"] {
                assert!(names.contains(&name), "{name}");
            }
            // What only tests and builds need is not handed out.
            for name in ["proptest", "insta", "cc", "serde_derive"] {
                assert!(!names.contains(&name), "{name}");
            }
            assert_eq!(names.contains(&"windows-sys"), target == windows::TARGET);
        }
    }

    #[test]
    fn a_part_without_checksum_or_licence_is_an_error() {
        let mut one = Crate {
            name: "a".to_owned(),
            version: "1.0.0+b".to_owned(),
            licence: "MIT".to_owned(),
            repository: String::new(),
            ours: false,
        };
        assert_eq!(reference_of(&one), "pkg:cargo/a@1.0.0%2Bb");
        assert!(part(&one, None).is_err());
        assert!(part(&one, Some(&"ab".to_owned())).is_ok());
        one.licence = String::new();
        assert!(part(&one, Some(&"ab".to_owned())).is_err());
    }

    #[test]
    fn texts_are_quoted() {
        assert_eq!(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }
}
