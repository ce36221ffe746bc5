//! The tables as a JSON Schema (draft 2020-12), for editors.

use serde_json::{Map, Value, json};

use super::later::TEXT_MAX;
use super::shape::{Key, Kind, Shape};
use super::tables::{CONFIG, DESTINATION_TYPES, every_shape, instead_of};
use super::text::Form;

/// A duration.
const DURATION: &str = "^[0-9]+ *(ms|s|m|h|d)$";

/// How a schedule text begins; the rest of its grammar is left to the program.
const SCHEDULE: &str = "^[ ,]*([Ee]very|[Aa]t|@|[Oo]n|[Oo]f|[Ii]n|[Aa]fter|[Bb]efore)";

/// The JSON Schema of the config.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    for shape in every_shape() {
        // A shape that a `type` chooses says so itself, so that it stands here once.
        let chosen = DESTINATION_TYPES
            .iter()
            .find(|(_, one)| one.name == shape.name);
        let chosen = chosen.map(|(name, _)| *name);
        definitions.insert(shape.name.to_owned(), of_shape(shape, chosen));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "svcwatch",
        "description": CONFIG.doc,
        "$ref": "#/$defs/config",
        "$defs": definitions,
    })
}

/// `chosen` is the value of `type` that this shape belongs to.
fn of_shape(shape: &'static Shape, chosen: Option<&str>) -> Value {
    let mut properties = Map::new();
    for key in shape.all() {
        properties.insert(key.name.to_owned(), of_key(key));
    }
    let mut required: Vec<&str> = shape
        .all()
        .filter(|key| key.required && instead_of(shape.name, key.name).is_none())
        .map(|key| key.name)
        .collect();
    if let Some(chosen) = chosen {
        properties.insert("type".into(), json!({ "const": chosen }));
        required.push("type");
    }
    let mut schema = json!({
        "type": "object",
        "description": shape.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if let Some(schema) = schema.as_object_mut() {
        if !required.is_empty() {
            schema.insert("required".into(), json!(required));
        }
        let either = shape
            .all()
            .find_map(|key| Some((key.name, instead_of(shape.name, key.name)?)));
        if let Some((one, other)) = either {
            let alternatives = json!([{ "required": [one] }, { "required": [other] }]);
            schema.insert("anyOf".into(), alternatives);
        }
        if !shape.one_of.is_empty() {
            let alternatives: Vec<Value> = shape
                .one_of
                .iter()
                .map(|name| json!({ "required": [name] }))
                .collect();
            schema.insert("oneOf".into(), json!(alternatives));
        }
    }
    schema
}

fn of_key(key: &'static Key) -> Value {
    let mut schema = of_kind(&key.kind);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(
            "description".into(),
            json!(format!("{} Since {}.", key.doc, key.since)),
        );
        if !key.default.is_empty() {
            schema.insert("default".into(), default(key));
        }
    }
    schema
}

fn default(key: &Key) -> Value {
    match key.kind {
        Kind::Whole { .. } | Kind::WholeOrOff { .. } => {
            key.default.parse::<i64>().map_or(Value::Null, Value::from)
        }
        Kind::Switch => json!(key.default == "true"),
        _ => json!(key.default),
    }
}

fn of_kind(kind: &'static Kind) -> Value {
    match kind {
        Kind::Text(form) => of_form(*form),
        Kind::Whole { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::WholeOrOff { least, most } => json!({ "anyOf": [
            { "type": "integer", "minimum": least, "maximum": most },
            { "enum": ["off", false] },
        ] }),
        Kind::Switch => json!({ "enum": [true, false, "on", "off"] }),
        Kind::Rhythm { .. } => any_of(vec![
            json!({ "type": "string", "pattern": DURATION }),
            json!({
                "type": "string",
                "description": "A schedule in UTC, such as `every 5 minutes on mon-fri` or `at 8:00 am`.",
                "pattern": SCHEDULE,
                "maxLength": TEXT_MAX,
            }),
        ]),
        Kind::Duration { least, off, .. } => {
            let mut forms = vec![json!({ "type": "string", "pattern": DURATION })];
            if *least == 0 {
                forms.push(json!({ "const": 0 }));
            }
            if *off {
                forms.push(json!({ "enum": ["off", false] }));
            }
            any_of(forms)
        }
        Kind::DurationOr { least, word, .. } => {
            let mut forms = vec![json!({ "type": "string", "pattern": DURATION })];
            if *least == 0 {
                forms.push(json!({ "const": 0 }));
            }
            forms.push(json!({ "const": word }));
            any_of(forms)
        }
        Kind::Choice(words) if words.contains(&"off") => {
            let mut words: Vec<Value> = words.iter().map(|word| json!(word)).collect();
            words.push(json!(false));
            json!({ "enum": words })
        }
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Map(shape) => json!({ "$ref": format!("#/$defs/{}", shape.name) }),
        Kind::Named { of, most, .. } => {
            json!({ "type": "object", "additionalProperties": of_kind(of), "maxProperties": most })
        }
        Kind::List { of, most } => {
            json!({ "type": "array", "items": of_kind(of), "maxItems": most })
        }
        Kind::OneOrMany { of, most } => any_of(vec![
            of_kind(of),
            json!({ "type": "array", "items": of_kind(of), "maxItems": most }),
        ]),
        Kind::TextOr(form, shape) => any_of(vec![
            of_form(*form),
            json!({ "$ref": format!("#/$defs/{}", shape.name) }),
        ]),
        Kind::Typed(types) => {
            let alternatives: Vec<Value> = types
                .iter()
                .map(|(_, shape)| json!({ "$ref": format!("#/$defs/{}", shape.name) }))
                .collect();
            json!({ "oneOf": alternatives })
        }
    }
}

fn any_of(mut forms: Vec<Value>) -> Value {
    match (forms.len(), forms.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            forms.push(last);
            json!({ "anyOf": forms })
        }
        (_, None) => json!({}),
    }
}

fn of_form(form: Form) -> Value {
    let (least, most) = form.length();
    let mut schema = json!({ "type": ["string", "number"], "minLength": least, "maxLength": most });
    if let (Form::Url | Form::SecretUrl, Some(schema)) = (form, schema.as_object_mut()) {
        schema.insert("pattern".into(), json!("^[hH][tT][tT][pP][sS]?://"));
    }
    schema
}
