//! The JSON Schema against the good and the bad files, by a small validator of the words that it uses.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::super::duration::duration;
use super::super::parse::parse;
use super::super::problem::Problems;
use super::super::scalar::Plain;
use super::super::tree::{Node, Value};
use super::{data, schema as the_schema};

/// A tree as an editor's JSON validator would see it.
fn as_json(node: &Node) -> Json {
    match &node.value {
        Value::List(items) => items.iter().map(as_json).collect(),
        Value::Map(entries) => {
            let all: Map<String, Json> = entries
                .iter()
                .map(|entry| (entry.key.to_string(), as_json(&entry.value)))
                .collect();
            Json::Object(all)
        }
        Value::Scalar(scalar) => match scalar.plain {
            Plain::Null => Json::Null,
            Plain::Switch(on) => json!(on),
            Plain::Whole(number) => json!(number),
            Plain::Number => json!(1.5),
            Plain::Text => json!(&*scalar.text),
        },
    }
}

fn file(path: &Path) -> Json {
    let mut problems = Problems::new(&[path.to_owned()]);
    let node = parse(&fs::read(path).unwrap(), 0, &mut problems).unwrap();
    as_json(&node)
}

/// What of a value the schema refuses: the first place.
fn refused(root: &Json, schema: &Json, value: &Json, path: &str) -> Option<String> {
    let rules = schema.as_object().unwrap();
    rules.iter().find_map(|(word, rule)| {
        let good = match word.as_str() {
            "$ref" => {
                let target = root
                    .pointer(rule.as_str().unwrap().trim_start_matches('#'))
                    .unwrap();
                return refused(root, target, value, path);
            }
            "anyOf" => rule
                .as_array()
                .unwrap()
                .iter()
                .any(|one| refused(root, one, value, path).is_none()),
            "oneOf" => {
                rule.as_array()
                    .unwrap()
                    .iter()
                    .filter(|one| refused(root, one, value, path).is_none())
                    .count()
                    == 1
            }
            "items" => {
                return value
                    .as_array()?
                    .iter()
                    .find_map(|item| refused(root, rule, item, &format!("{path}[]")));
            }
            "properties" => {
                return value.as_object()?.iter().find_map(|(key, below)| {
                    refused(root, rule.get(key)?, below, &format!("{path}.{key}"))
                });
            }
            "additionalProperties" => {
                let known = rules.get("properties").and_then(Json::as_object);
                return value.as_object()?.iter().find_map(|(key, below)| {
                    if known.is_some_and(|known| known.contains_key(key)) {
                        None
                    } else if *rule == json!(false) {
                        Some(format!("{path}.{key} is not known"))
                    } else {
                        refused(root, rule, below, &format!("{path}.{key}"))
                    }
                });
            }
            other => fits(other, rule, value),
        };
        (!good).then(|| format!("{path}: {word} {rule} refuses {value}"))
    })
}

/// Whether a value fits a word of the schema that has no schema below it.
fn fits(word: &str, rule: &Json, value: &Json) -> bool {
    match word {
        "$schema" | "title" | "description" | "default" | "$defs" => true,
        "type" => match rule {
            Json::Array(types) => types
                .iter()
                .any(|name| has_type(value, name.as_str().unwrap())),
            name => has_type(value, name.as_str().unwrap()),
        },
        "enum" => rule.as_array().unwrap().contains(value),
        "const" => rule == value,
        "minimum" => value
            .as_i64()
            .is_none_or(|number| number >= rule.as_i64().unwrap()),
        "maximum" => value
            .as_i64()
            .is_none_or(|number| number <= rule.as_i64().unwrap()),
        "minLength" => value
            .as_str()
            .is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().unwrap()),
        "maxLength" => value
            .as_str()
            .is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().unwrap()),
        "maxItems" => value
            .as_array()
            .is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap()),
        "maxProperties" => value
            .as_object()
            .is_none_or(|all| all.len() as u64 <= rule.as_u64().unwrap()),
        "pattern" => value
            .as_str()
            .is_none_or(|text| match rule.as_str().unwrap() {
                "^[0-9]+ *(ms|s|m|h|d)$" => duration(text).is_ok() && text != "0",
                "^[ ,]*([Ee]very|[Aa]t|@|[Oo]n|[Oo]f|[Ii]n|[Aa]fter|[Bb]efore)" => {
                    let begin = text.trim_start_matches([' ', ',']).to_lowercase();
                    let words = ["every", "at", "@", "on", "of", "in", "after", "before"];
                    words.iter().any(|word| begin.starts_with(word))
                }
                "^[hH][tT][tT][pP][sS]?://" => {
                    text.starts_with("http://") || text.starts_with("https://")
                }
                other => panic!("the validator does not know the pattern {other}"),
            }),
        "required" => value.as_object().is_none_or(|all| {
            rule.as_array()
                .unwrap()
                .iter()
                .all(|key| all.contains_key(key.as_str().unwrap()))
        }),
        other => panic!("the validator does not know the word {other}"),
    }
}

fn has_type(value: &Json, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64(),
        other => panic!("the validator does not know the type {other}"),
    }
}

#[test]
fn the_schema_takes_every_good_file() {
    let schema = the_schema();
    for path in data("config-good") {
        assert_eq!(
            refused(&schema, &schema, &file(&path), ""),
            None,
            "{}",
            path.display()
        );
    }
}

#[test]
fn the_schema_refuses_what_the_tables_refuse() {
    let schema = the_schema();
    for name in [
        "empty",
        "unknown-key",
        "unknown-root-key",
        "many-at-once",
        "not-yet-keys",
        "selectors",
        "switch-as-text",
        "destinations",
        "butler",
        "nothing-written",
        "list-at-root",
        "every-without-unit",
        "schedules",
    ] {
        let path = data("config-bad")
            .into_iter()
            .find(|path| path.file_stem().unwrap() == name)
            .unwrap();
        assert!(
            refused(&schema, &schema, &file(&path), "").is_some(),
            "{name} is taken"
        );
    }
}

#[test]
fn the_schema_says_what_each_key_means_and_its_default() {
    let schema = the_schema();
    let every = schema.pointer("/$defs/host/properties/every").unwrap();
    assert_eq!(every["default"], "30s");
    assert!(
        every["description"]
            .as_str()
            .unwrap()
            .contains("When it is read: ")
    );
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(
        schema.pointer("/$defs/host/required"),
        Some(&json!(["name"]))
    );
    let unbuilt = schema.pointer("/$defs/service/properties/keep_firing_for");
    assert_eq!(unbuilt, None);
}
