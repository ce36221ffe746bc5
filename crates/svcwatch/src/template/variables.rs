//! What templates may name: Butler's variables, and every field of the webhook's body.

use super::{LINKS_MAX, Link};
use crate::dest::{Context, body, butler, text};
use serde_json::{Map, Value, json};
use svcwatch_core::{
    id::{DeliveryKey, Name},
    limits,
    notice::Notice,
};

/// The values of a notice's variables.
pub fn variables(key: &DeliveryKey, notice: &Notice, context: &Context, links: &[Link]) -> Value {
    let mut all = match body::value(key, notice, context, limits::SUMMARY_ITEMS_MAX) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let details = notice.details.as_deref();
    let path = details.and_then(|details| details.binary_path.as_deref());
    let dependencies = details.and_then(|details| details.dependencies.as_deref());
    let links = links.iter().take(LINKS_MAX);
    let butlers: Vec<Value> = links
        .clone()
        .map(|link| {
            json!({ "id": link.id, "linkText": link.text, "comment": link.comment, "url": link.url })
        })
        .collect();
    let own: Vec<Value> = links
        .map(|link| {
            json!({ "id": link.id, "text": link.text, "comment": link.comment, "url": link.url })
        })
        .collect();
    let named = [
        (
            "host",
            json!(notice.subject.host().map_or("", Name::as_str)),
        ),
        ("serviceStatus", json!(butler::status(notice))),
        ("servicePrevStatus", json!(butler::previous_status(notice))),
        (
            "serviceName",
            json!(notice.subject.service().map_or("", Name::as_str)),
        ),
        ("serviceDisplayName", json!(butler::display_name(notice))),
        ("serviceFriendlyName", json!(friendly_name(notice))),
        ("serviceStartType", json!(butler::start_type(notice))),
        ("serviceExePath", json!(path.unwrap_or_default())),
        ("genericUrls", Value::Array(butlers)),
        ("links", Value::Array(own)),
        (
            "dependencies",
            json!(dependencies.map(|all| all.iter().map(|one| &**one).collect::<Vec<_>>())),
        ),
        ("title", json!(text::title(notice))),
        ("urgency", json!(text::urgency(notice))),
    ];
    for (name, value) in named {
        all.insert(name.to_owned(), value);
    }
    Value::Object(all)
}

/// What people call the service; its display name where nobody gave it another one.
fn friendly_name(notice: &Notice) -> &str {
    notice
        .friendly_name
        .as_deref()
        .unwrap_or_else(|| butler::display_name(notice))
}
