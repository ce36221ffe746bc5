//! `slackNotification` and `teamsNotification`.

use super::destinations::{Destinations, limit, same_or};
use super::differences as differ;
use super::made::{self, Hint, Made};
use super::monitor::Gates;
use super::reader::{Reader, Section};

/// Slack's section.
pub(super) fn slack(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    gates: Gates,
    all: &mut Destinations,
) {
    let Some(section) = reader.section(root, "slackNotification") else {
        return;
    };
    let on = reader.is_on(&section, "enable") && gates.slack;
    let (stopped, started) = both(reader, &section);
    reader.finish(&section);
    let (Some(stopped), Some(started)) = (stopped, started) else {
        missing(reader, &section, on);
        return;
    };
    let mut made = made::map(
        section.node.at,
        [("type", made::text(section.node.at, "slack"))],
    );
    made.put_some("url", url(reader, &stopped, "slack.url", on));
    let mut resolved = made::map(started.node.at, []);
    resolved.put_some(
        "url",
        same_or(
            url(reader, &started, "slack.resolved.url", on),
            made_of(&made, "url"),
        ),
    );
    for (key, ours) in [
        ("channel", "channel"),
        ("fromUser", "username"),
        ("iconEmoji", "icon_emoji"),
    ] {
        let mut value = |section: &Section<'_>| {
            let text = reader.text(section, key).filter(|text| !text.is_empty())?;
            Some(made::text(section.at(key), text))
        };
        let (first, second) = (value(&stopped), value(&started));
        let second = same_or(second, first.as_ref());
        made.put_some(ours, first);
        resolved.put_some(ours, second);
    }
    finish(
        reader,
        made,
        resolved,
        [&stopped, &started],
        on,
        all,
        "slack",
    );
    if on {
        for difference in [&differ::SLACK_TYPE, &differ::SLACK_TEXT, &differ::BUTTONS] {
            reader.everywhere(root, "slackNotification", difference);
        }
        escapes(reader, root, "slackNotification");
    }
}

/// Teams' section.
pub(super) fn teams(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    gates: Gates,
    all: &mut Destinations,
) {
    let Some(section) = reader.section(root, "teamsNotification") else {
        return;
    };
    let on = reader.is_on(&section, "enable") && gates.teams;
    let (stopped, started) = both(reader, &section);
    reader.finish(&section);
    let (Some(stopped), Some(started)) = (stopped, started) else {
        missing(reader, &section, on);
        return;
    };
    let mut made = made::map(
        section.node.at,
        [("type", made::text(section.node.at, "teams"))],
    );
    made.put_some("url", url(reader, &stopped, "teams.url", on));
    let mut resolved = made::map(started.node.at, []);
    resolved.put_some(
        "url",
        same_or(
            url(reader, &started, "teams.resolved.url", on),
            made_of(&made, "url"),
        ),
    );
    // One-line messages are plain cards, as Butler sends them: who takes these today need not take another kind.
    let (first, second) = (format_of(&stopped), format_of(&started));
    if let Some(first) = first.clone() {
        made.put("format", first);
    }
    let usual = made::text(stopped.node.at, "card");
    resolved.put_some(
        "format",
        same_or(
            second.or_else(|| Some(usual.clone())),
            first.as_ref().or(Some(&usual)),
        ),
    );
    finish(
        reader,
        made,
        resolved,
        [&stopped, &started],
        on,
        all,
        "teams",
    );
    if on {
        reader.everywhere(root, "teamsNotification", &differ::BUTTONS);
        escapes(reader, root, "teamsNotification");
    }
}

/// The format of one-line messages.
fn format_of(section: &Section<'_>) -> Option<Made> {
    let kind = section.node.get("messageType")?;
    let text = kind.scalar()?.text.trim().to_lowercase();
    (text == "basic").then(|| made::text(kind.at, "text"))
}

/// What is different about templates.
fn escapes(reader: &mut Reader<'_>, root: &Section<'_>, key: &'static str) {
    for difference in [
        &differ::ESCAPE_PLAIN,
        &differ::ESCAPE_JSON,
        &differ::FALLBACK,
    ] {
        reader.everywhere(root, key, difference);
    }
}

/// The two sections of a kind of message.
pub(super) fn both<'tree>(
    reader: &mut Reader<'_>,
    section: &Section<'tree>,
) -> (Option<Section<'tree>>, Option<Section<'tree>>) {
    (
        reader.section(section, "serviceStopped"),
        reader.section(section, "serviceStarted"),
    )
}

/// Says which of the two sections is missing.
pub(super) fn missing(reader: &mut Reader<'_>, section: &Section<'_>, on: bool) {
    for key in ["serviceStopped", "serviceStarted"] {
        if on && section.node.get(key).is_none() {
            reader.problems.error(
                section.node.at,
                &section.path_of(key),
                format!("the section `{key}` is missing"),
                "write it, or `enable: false`",
            );
        }
    }
}

fn made_of<'a>(made: &'a Made, key: &str) -> Option<&'a Made> {
    match &made.what {
        made::What::Map(entries) => entries
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, made)| made),
        made::What::Scalar(_) | made::What::List(_) => None,
    }
}

/// The address; services like these put their token into it.
fn url(reader: &mut Reader<'_>, section: &Section<'_>, name: &str, on: bool) -> Option<Made> {
    let text = reader.needed(section, "webhookURL", on)?;
    let at = section.at("webhookURL");
    Some(made::text(at, text).hidden(Hint::File(name.to_owned())))
}

/// Limit and templates, which Slack and Teams have alike.
fn finish(
    reader: &mut Reader<'_>,
    mut made: Made,
    resolved: Made,
    [stopped, started]: [&Section<'_>; 2],
    on: bool,
    all: &mut Destinations,
    name: &str,
) {
    made.put_some("limit", limit(reader, stopped, Some(started)));
    let mut templates = made::map(stopped.node.at, []);
    templates.put_some("stopped", template(reader, stopped, on));
    templates.put_some("started", template(reader, started, on));
    if !templates.is_empty() {
        made.put("template", templates);
    }
    if !resolved.is_empty() {
        made.put("resolved", resolved);
    }
    reader.finish(stopped);
    reader.finish(started);
    if on {
        all.add(name, made);
    }
}

/// The template of one event: a file, or a text of one line.
fn template(reader: &mut Reader<'_>, section: &Section<'_>, on: bool) -> Option<Made> {
    let kind = reader.needed(section, "messageType", on);
    let text = reader.text(section, "basicMsgTemplate");
    let file = reader.text(section, "templateFile");
    let kind = kind?;
    let plain = kind.trim().to_lowercase();
    if plain != kind {
        let (at, path) = (section.at("messageType"), section.path_of("messageType"));
        reader.differs(at, &path, &differ::SPELLING);
    }
    let (key, found) = match plain.as_str() {
        "formatted" => ("templateFile", file),
        "basic" => ("basicMsgTemplate", text),
        _ => {
            reader.problems.error(
                section.at("messageType"),
                &section.path_of("messageType"),
                "this is no type of message",
                "write `basic` or `formatted`",
            );
            return None;
        }
    };
    let Some(found) = found.filter(|found| !found.is_empty()) else {
        if on {
            reader.problems.warn(
                section.at(key),
                &section.path_of(key),
                "no template is named, so the built-in message is sent",
                format!("write `{key}: …`"),
            );
        }
        return None;
    };
    let at = section.at(key);
    Some(if key == "templateFile" {
        made::text(at, reader.file(found))
    } else {
        made::map(at, [("text", made::text(at, found))])
    })
}
