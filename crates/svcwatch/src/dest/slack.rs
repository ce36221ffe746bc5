//! `type: slack`: a message through an incoming webhook of Slack, in blocks or as plain text.
//!
//! Limits are those of Slack's reference of blocks: 50 blocks, a header of 150 characters, 3,000 characters and 10
//! fields of 2,000 characters a section.

use crate::{
    dest::{
        Context, TIMEOUT, clean,
        endpoint::{Addresses, RESOLVED},
        facts::{self, Tone},
        judge::{self, HttpReply, Judgement},
        payload::{Form, Outgoing},
        redact::Redactor,
        slack_words::{Said, known, word},
        text,
        wording::{Drawn, Filled, Wording},
    },
    secret::Secret,
    template::Target,
};
use serde_json::{Map, Value, json};
use std::{path::PathBuf, time::Duration};
use svcwatch_core::{
    event::Verdict,
    notice::{Kind, Notice},
    time::Wall,
};

/// The media type of the body.
const CONTENT_TYPE: &str = "application/json";
/// Characters of a header, a few fewer than the 150 that Slack allows, because it is not said how it counts signs.
const HEADER_CHARACTERS: usize = 140;
/// Characters of a section's text, for the same reason fewer than 3,000.
const SECTION_CHARACTERS: usize = 2_900;
/// Fields of a section.
const FIELDS: usize = 10;
/// Characters of a field of ours; nobody reads more.
const FIELD_CHARACTERS: usize = 600;
/// Characters of a field, fewer than 2,000.
const FIELD_CHARACTERS_MAX: usize = 1_900;
/// Blocks of a message.
const BLOCKS: usize = 50;
/// Sections of fields and of lines that one message has, at most, so that all blocks together are fewer than 50.
const FIELD_SECTIONS: usize = 5;
const LINE_SECTIONS: usize = 10;
/// Characters of the text that stands in notifications.
const TEXT_CHARACTERS: usize = 3_000;

/// What a message looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Blocks.
    #[default]
    Blocks,
    /// A text.
    Text,
}

/// Where a message goes and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The address of the incoming webhook, all of which is a secret.
    pub url: Secret,
    /// The channel, where the webhook lets one choose.
    pub channel: Option<String>,
    /// The name that the message is shown under, where the webhook lets one choose.
    pub username: Option<String>,
    /// The sign beside it, as `:ghost:`.
    pub icon_emoji: Option<String>,
    /// What the message looks like.
    pub format: Format,
}

/// The settings of a `slack` destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// For everything that has no envelope of its own.
    pub usual: Envelope,
    /// For messages that something is over.
    pub resolved: Option<Envelope>,
    /// Templates and links.
    pub wording: Wording,
    /// A file of certificates (PEM) that are trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// How long all of it may take.
    pub timeout: Duration,
}

impl Settings {
    /// Messages to one incoming webhook.
    pub fn new(url: impl Into<Secret>) -> Self {
        Self {
            usual: Envelope {
                url: url.into(),
                channel: None,
                username: None,
                icon_emoji: None,
                format: Format::default(),
            },
            resolved: None,
            wording: Wording::default(),
            ca: None,
            timeout: TIMEOUT,
        }
    }

    /// Where it posts.
    pub fn addresses(&self) -> Addresses<'_> {
        Addresses {
            usual: &self.usual.url,
            resolved: self.resolved.as_ref().map(|envelope| &envelope.url),
        }
    }

    /// The message of a notice.
    pub fn render(
        &self,
        notice: &Notice,
        context: &Context,
        drawn: &Drawn,
        lines: usize,
    ) -> Result<Outgoing, String> {
        let resolved = self
            .resolved
            .as_ref()
            .filter(|_| notice.kind == Kind::Resolved);
        let envelope = resolved.unwrap_or(&self.usual);
        let mut message = Map::new();
        let own = [
            ("username", &envelope.username),
            ("channel", &envelope.channel),
            ("icon_emoji", &envelope.icon_emoji),
        ];
        for (key, value) in own {
            if let Some(value) = value {
                message.insert(key.to_owned(), json!(value));
            }
        }
        match (&drawn.message, envelope.format) {
            (
                Some(Filled {
                    text,
                    target: Target::Json,
                }),
                _,
            ) => {
                let whole: Map<String, Value> = serde_json::from_str(text)
                    .map_err(|error| format!("the template gave no JSON: {error}"))?;
                message.extend(whole);
                fit(&mut message);
            }
            (Some(Filled { text, .. }), Format::Blocks) => {
                message.insert("text".to_owned(), json!(escape(text)));
                message.insert(
                    "blocks".to_owned(),
                    json!([head(text), { "type": "divider" }]),
                );
            }
            (Some(Filled { text, .. }), Format::Text) => {
                message.insert("text".to_owned(), json!(escape(text)));
            }
            (None, Format::Blocks) => {
                message.insert("text".to_owned(), json!(escape(&headline(notice))));
                let blocks = blocks(notice, context, &self.wording, lines);
                message.insert("blocks".to_owned(), Value::Array(blocks));
            }
            (None, Format::Text) => {
                let text = plain(notice, context, &self.wording);
                message.insert("text".to_owned(), json!(text));
            }
        }
        let body = Value::Object(message).to_string();
        let mut outgoing = Outgoing::new(Form::HttpBody, body.into_bytes());
        outgoing.content_type = Some(CONTENT_TYPE.to_owned());
        outgoing.endpoint = resolved.map(|_| RESOLVED.to_owned());
        Ok(outgoing)
    }

    /// What a reply means. Slack answers with a word, some of its likes with a word in JSON.
    pub fn judge(reply: &HttpReply, now: Wall, redactor: &Redactor) -> Judgement {
        let judgement = judge::http(reply, now, redactor);
        let HttpReply::Answer { status, body, .. } = reply else {
            return judgement;
        };
        let Some(word) = word(body) else {
            return judgement;
        };
        let accepted = (200..300).contains(status);
        match (judgement.verdict, known(&word)) {
            // Words that a success may bear: `ok`, and whatever else is no failure that we know.
            (Verdict::Delivered, None) => Judgement {
                verdict: Verdict::Delivered,
                answer: judgement.answer,
            },
            (Verdict::Retry { after, reason }, _) => Judgement {
                verdict: Verdict::Retry {
                    after,
                    reason: format!("{reason}: Slack says {word}"),
                },
                answer: judgement.answer,
            },
            (_, Some(Said::Later)) => Judgement {
                verdict: Verdict::Retry {
                    after: None,
                    reason: format!("Slack says {word}"),
                },
                answer: judgement.answer,
            },
            (Verdict::Delivered | Verdict::Rejected { .. }, said) => {
                let advice = match said {
                    Some(Said::Never(advice)) => format!("; {advice}"),
                    Some(Said::Later) | None => String::new(),
                };
                let status = if accepted {
                    String::new()
                } else {
                    format!("HTTP {status}: ")
                };
                let reason = redactor.answer(&format!("{status}Slack says {word}{advice}"));
                Judgement {
                    verdict: Verdict::Rejected { reason },
                    answer: judgement.answer,
                }
            }
        }
    }
}

/// The line at the head of a message: how bad it is and what happened.
fn headline(notice: &Notice) -> String {
    let sign = Tone::of(notice).sign();
    format!("{sign} {}: {}", text::urgency(notice), text::title(notice))
}

/// A line as a block: a header, or where it is too long for one, a section.
fn head(line: &str) -> Value {
    if line.chars().count() <= HEADER_CHARACTERS {
        json!({ "type": "header", "text": { "type": "plain_text", "text": line } })
    } else {
        let line = clean::line(line, SECTION_CHARACTERS - 1);
        json!({ "type": "section", "text": { "type": "plain_text", "text": line } })
    }
}

fn blocks(notice: &Notice, context: &Context, wording: &Wording, lines: usize) -> Vec<Value> {
    let mut blocks = vec![head(&clean::line(&headline(notice), HEADER_CHARACTERS - 1))];
    let sentences: Vec<String> = text::details(notice)
        .iter()
        .map(|one| escape(one))
        .collect();
    blocks.extend(sections(&sentences, 1));
    let facts = facts::facts(notice);
    for some in facts.chunks(FIELDS).take(FIELD_SECTIONS) {
        let fields: Vec<Value> = some
            .iter()
            .map(|(name, value)| {
                let value = escape(&clean::line(value, FIELD_CHARACTERS));
                json!({ "type": "mrkdwn", "text": format!("*{}*\n{value}", escape(name)) })
            })
            .collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    let mut items: Vec<String> = notice
        .items
        .iter()
        .take(lines)
        .map(|item| format!("• {}", escape(&text::item(item))))
        .collect();
    let more = notice.items.len().saturating_sub(items.len());
    if more > 0 {
        items.push(format!("• and {more} more"));
    }
    blocks.extend(sections(&items, LINE_SECTIONS));
    let links: Vec<String> = facts::links(notice, context, &wording.links)
        .iter()
        .map(|(text, url)| link(text, url))
        .collect();
    blocks.extend(sections(&links, 2));
    blocks
}

/// Lines as sections, as many lines as fit, in at most so many sections.
fn sections(lines: &[String], most: usize) -> Vec<Value> {
    let mut texts: Vec<String> = Vec::new();
    let mut length = 0;
    for line in lines {
        let more = line.chars().count() + 1;
        if more > SECTION_CHARACTERS {
            continue;
        }
        let full = texts.len() == most;
        match texts.last_mut() {
            Some(last) if length + more <= SECTION_CHARACTERS => {
                last.push('\n');
                last.push_str(line);
                length += more;
            }
            Some(_) if full => break,
            Some(_) | None => {
                texts.push(line.clone());
                length = more;
            }
        }
    }
    texts
        .into_iter()
        .map(|text| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }))
        .collect()
}

/// The message as one text.
fn plain(notice: &Notice, context: &Context, wording: &Wording) -> String {
    let sign = Tone::of(notice).sign();
    let sentences = text::sentences(notice, None);
    let mut text = clean::line(
        &format!("{sign} {}: {sentences}", text::urgency(notice)),
        TEXT_CHARACTERS,
    );
    text = escape(&text);
    for (name, url) in facts::links(notice, context, &wording.links)
        .iter()
        .take(10)
    {
        text = format!("{text} {}", link(name, url));
    }
    text
}

/// Cuts what a template gave to what Slack takes, so that a long name in it cannot spoil the message.
fn fit(message: &mut Map<String, Value>) {
    let Some(Value::Array(blocks)) = message.get_mut("blocks") else {
        return;
    };
    blocks.truncate(BLOCKS);
    for block in blocks {
        let most = if block["type"] == "header" {
            HEADER_CHARACTERS
        } else {
            SECTION_CHARACTERS
        };
        if let Some(text) = block.pointer_mut("/text/text") {
            cut(text, most);
        }
        let fields = block.get_mut("fields").and_then(Value::as_array_mut);
        for field in fields.into_iter().flatten() {
            if let Some(text) = field.get_mut("text") {
                cut(text, FIELD_CHARACTERS_MAX);
            }
        }
    }
}

fn cut(text: &mut Value, most: usize) {
    if let Value::String(long) = text
        && long.chars().count() > most
    {
        let short: String = long.chars().take(most - 1).collect();
        *long = format!("{short}…");
    }
}

/// A text without what Slack takes for markup of links and mentions.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A link in Slack's markup.
fn link(text: &str, url: &str) -> String {
    let url = url
        .replace('<', "%3C")
        .replace('>', "%3E")
        .replace('|', "%7C");
    format!("<{url}|{}>", escape(text).replace('|', "¦"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Judgement {
        let reply = HttpReply::Answer {
            status,
            retry_after: (status == 429).then(|| "30".to_owned()),
            location: None,
            body: body.as_bytes().to_vec(),
        };
        Settings::judge(&reply, Wall(0), &Redactor::default())
    }

    #[test]
    fn the_words_of_slack_are_understood() {
        let cases = [
            (200, "ok", "delivered", "ok"),
            (200, "", "delivered", "HTTP 200"),
            (200, "invalid_payload", "rejected", "does not understand"),
            (
                200,
                "{\"ok\":false,\"error\":\"channel_not_found\"}",
                "rejected",
                "no such channel",
            ),
            (200, "{\"ok\":true}", "delivered", "ok"),
            (202, "rate_limited", "retry", "rate_limited"),
            (400, "invalid_blocks", "rejected", "invalid_blocks"),
            (403, "action_prohibited", "rejected", "administrator"),
            (403, "some_new_word", "rejected", "some_new_word"),
            (404, "no_service", "rejected", "make a new one"),
            (404, "channel_not_found", "rejected", "channel"),
            (410, "channel_is_archived", "rejected", "archived"),
            (429, "rate_limited", "retry", "rate_limited"),
            (500, "rollup_error", "retry", "rollup_error"),
            (503, "<html>no</html>", "retry", "503"),
        ];
        for (status, body, word, says) in cases {
            let judgement = judged(status, body);
            assert_eq!(judgement.verdict.as_str(), word, "{status} {body}");
            let told = format!("{judgement:?}");
            assert!(told.contains(says), "{status} {body}: {told}");
        }
    }

    #[test]
    fn markup_cannot_come_in() {
        assert_eq!(
            escape("<!channel> & <@U1>"),
            "&lt;!channel&gt; &amp; &lt;@U1&gt;"
        );
        assert_eq!(
            link("a|b>", "https://x.example/?a=<b>|c"),
            "<https://x.example/?a=%3Cb%3E%7Cc|a¦b&gt;>"
        );
    }
}
