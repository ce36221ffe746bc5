//! What Slack and Teams would refuse, for tests: a published schema where there is one, else rules written from the
//! reference of the service.

use serde_json::{Value, json};
use std::path::Path;

/// What of a message Slack would refuse, by the rules of its reference of messages and blocks.
pub(super) fn slack_faults(message: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let known = ["text", "blocks", "channel", "username", "icon_emoji"];
    if !keys(message)
        .iter()
        .all(|key| known.contains(&key.as_str()))
    {
        faults.push(format!("keys: {message}"));
    }
    if !(1..=40_000).contains(&length(&message["text"])) {
        faults.push(format!("text: {message}"));
    }
    let blocks = list(&message["blocks"]);
    if blocks.len() > 50 {
        faults.push(format!("too many blocks: {message}"));
    }
    for block in blocks {
        let text = &block["text"];
        let good = match block["type"].as_str() {
            Some("header") => {
                text["type"] == "plain_text" && (1..=150).contains(&length(&text["text"]))
            }
            Some("divider") => keys(block) == ["type"],
            Some("section") => section_is_good(block),
            _ => false,
        };
        if !good {
            faults.push(block.to_string());
        }
    }
    faults
}

fn section_is_good(block: &Value) -> bool {
    let text = Some(&block["text"]).filter(|text| text.is_object());
    let fields = list(&block["fields"]);
    let something = text.is_some() || !fields.is_empty();
    let fields_are_good =
        fields.len() <= 10 && fields.iter().all(|field| text_is_good(field, 2_000));
    something && fields_are_good && text.is_none_or(|text| text_is_good(text, 3_000))
}

fn text_is_good(text: &Value, most: usize) -> bool {
    let shown = text["text"].as_str().unwrap_or_default();
    // In Slack's markup `<` begins a mention or a link; only links are ours.
    let is_link = |link: &str| {
        let whole = link.contains('|') && link.contains('>');
        whole && (link.starts_with("http") || link.starts_with("mailto:"))
    };
    let markup_is_good = match text["type"].as_str() {
        Some("mrkdwn") => shown.split('<').skip(1).all(is_link),
        Some("plain_text") => true,
        _ => false,
    };
    markup_is_good && (1..=most).contains(&length(&text["text"]))
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

fn keys(value: &Value) -> Vec<String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, _)| key.clone()).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What of a message Teams would refuse: by the published schema of Adaptive Cards, by the closed lists of its version
/// 1.4 for what is used here, and by Teams' limits.
pub(super) fn card_faults(message: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schemas/adaptive-card.json");
    let schema: Value =
        serde_json::from_slice(&std::fs::read(path).expect("the schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    if message.to_string().len() > 28 * 1_024 {
        faults.push(format!("{} bytes", message.to_string().len()));
    }
    if message["type"] != "message" || message["attachments"].as_array().map(Vec::len) != Some(1) {
        faults.push("no message with one attachment".to_owned());
    }
    let attachment = &message["attachments"][0];
    if attachment["contentType"] != "application/vnd.microsoft.card.adaptive" {
        faults.push("no Adaptive Card".to_owned());
    }
    let card = &attachment["content"];
    faults.extend(validator.iter_errors(card).map(|error| error.to_string()));
    if card["version"] != "1.4" || card["body"].as_array().is_none_or(Vec::is_empty) {
        faults.push("no version or no body".to_owned());
    }
    for element in card["body"].as_array().into_iter().flatten() {
        let good = match element["type"].as_str() {
            Some("TextBlock") => {
                let text = element["text"].as_str().unwrap_or_default();
                let link = text
                    .split("](")
                    .skip(1)
                    .all(|link| link.starts_with("http") || link.starts_with("mailto:"));
                !text.is_empty() && link
            }
            Some("FactSet") => element["facts"].as_array().is_some_and(|facts| {
                !facts.is_empty()
                    && facts
                        .iter()
                        .all(|fact| fact["title"].is_string() && fact["value"].is_string())
            }),
            _ => false,
        };
        if !good {
            faults.push(element.to_string());
        }
    }
    let actions = card["actions"].as_array();
    for action in actions.into_iter().flatten() {
        if action["type"] != "Action.OpenUrl" || action["title"].as_str().is_none_or(str::is_empty)
        {
            faults.push(action.to_string());
        }
    }
    if actions.is_some_and(|actions| actions.len() > 6) {
        faults.push("too many actions".to_owned());
    }
    faults
}

#[test]
fn the_rules_find_what_is_wrong() {
    let bad = json!({ "text": "", "blocks": [{ "type": "header", "text": { "type": "mrkdwn", "text": "x".repeat(151) } }, { "type": "image" }, { "type": "section", "text": { "type": "mrkdwn", "text": "<!channel>" } }] });
    assert_eq!(slack_faults(&bad).len(), 4, "{:?}", slack_faults(&bad));
    let bad = json!({ "type": "message", "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "content": { "type": "AdaptiveCard", "body": [{ "type": "TextBlock", "text": 1 }], "actions": [{ "type": "Action.OpenUrl" }] } }] });
    assert!(card_faults(&bad).len() >= 4, "{:?}", card_faults(&bad));
}
