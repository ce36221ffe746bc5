//! `type: teams`: a message through a workflow of Microsoft Teams, as an Adaptive Card or as a plain card of text.
//!
//! A workflow takes `{"type": "message", "attachments": […]}` with Adaptive Cards, and the older message cards without
//! their buttons. A message may have 28 KiB.

use crate::{
    dest::{
        Context, TIMEOUT, butler, clean,
        endpoint::{Addresses, RESOLVED},
        facts::{self, Tone},
        judge::{self, HttpReply, Judgement},
        payload::{Form, Outgoing},
        redact::Redactor,
        text,
        wording::{Drawn, Filled, Wording},
    },
    secret::Secret,
    template::Target,
};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};
use svcwatch_core::{
    event::Verdict,
    notice::{Kind, Notice},
    time::Wall,
};

/// The media type of the body.
const CONTENT_TYPE: &str = "application/json";
/// The media type of an Adaptive Card inside a message.
const CARD_TYPE: &str = "application/vnd.microsoft.card.adaptive";
/// The version of Adaptive Cards that is spoken: what all of Teams' programs show.
const CARD_VERSION: &str = "1.4";
/// Bytes of a message, at most: 28 KiB, less a little for what Teams puts around it.
const MESSAGE_BYTES: usize = 27_000;
/// Buttons of a card; Teams shows six.
const ACTIONS: usize = 6;
/// Characters of a button.
const ACTION_CHARACTERS: usize = 60;
/// Characters of a value, of a sentence and of a title.
const FACT_CHARACTERS: usize = 400;
const SENTENCE_CHARACTERS: usize = 1_000;
const TITLE_CHARACTERS: usize = 600;
/// The colour of a plain card whose text a template gave.
const PLAIN_COLOUR: &str = "0078D7";

/// What a message looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// An Adaptive Card.
    #[default]
    Card,
    /// A message card with a title and a text.
    Text,
}

/// Where a message goes and what it looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The address of the workflow, all of which is a secret.
    pub url: Secret,
    /// What the message looks like.
    pub format: Format,
}

/// The settings of a `teams` destination.
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
    /// Messages to one workflow.
    pub fn new(url: impl Into<Secret>) -> Self {
        Self {
            usual: Envelope {
                url: url.into(),
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
        let format = resolved.unwrap_or(&self.usual).format;
        let body = match (&drawn.message, format) {
            (
                Some(Filled {
                    text,
                    target: Target::Json,
                }),
                _,
            ) => {
                if text.len() > MESSAGE_BYTES {
                    return Err(format!(
                        "the template gave {} bytes; Teams takes {MESSAGE_BYTES}",
                        text.len()
                    ));
                }
                text.clone()
            }
            (Some(Filled { text, .. }), Format::Text) => plain(text, None, PLAIN_COLOUR),
            (Some(Filled { text, .. }), Format::Card) => {
                message(&title(text, Tone::of(notice)), &[], &[]).to_string()
            }
            (None, Format::Text) => {
                let sentences = text::details(notice).join(" ");
                let colour = Tone::of(notice).colour().trim_start_matches('#');
                plain(&headline(notice), Some(&sentences), colour)
            }
            (None, Format::Card) => [lines, 40, 10, 0]
                .iter()
                .map(|most| card(notice, context, &self.wording, lines.min(*most)).to_string())
                .find(|body| body.len() <= MESSAGE_BYTES)
                .unwrap_or_else(|| message(&heading(notice), &[], &[]).to_string()),
        };
        let mut outgoing = Outgoing::new(Form::HttpBody, body.into_bytes());
        outgoing.content_type = Some(CONTENT_TYPE.to_owned());
        outgoing.endpoint = resolved.map(|_| RESOLVED.to_owned());
        Ok(outgoing)
    }

    /// What a reply means. A workflow answers 202; what it refuses, it says in JSON. The older connectors answer 200
    /// also where they failed, and say so in words.
    pub fn judge(reply: &HttpReply, now: Wall, redactor: &Redactor) -> Judgement {
        let judgement = judge::http(reply, now, redactor);
        let HttpReply::Answer { body, .. } = reply else {
            return judgement;
        };
        let said = String::from_utf8_lossy(body);
        let verdict = match judgement.verdict {
            Verdict::Delivered => failed_within(&said, redactor).unwrap_or(Verdict::Delivered),
            Verdict::Retry { after, reason } => Verdict::Retry {
                after,
                reason: with_words(reason, &said, redactor),
            },
            Verdict::Rejected { reason } => Verdict::Rejected {
                reason: with_words(reason, &said, redactor),
            },
        };
        Judgement {
            verdict,
            answer: judgement.answer,
        }
    }
}

/// A success that tells of a failure: `… failed with error: … HTTP error 429 …`.
fn failed_within(said: &str, redactor: &Redactor) -> Option<Verdict> {
    if !said.contains("failed with error") {
        return None;
    }
    let status = said
        .split_once("HTTP error ")
        .and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
    let reason = redactor.answer(said);
    Some(match status {
        Some(408 | 429 | 500..=599) | None => Verdict::Retry {
            after: None,
            reason,
        },
        Some(_) => Verdict::Rejected { reason },
    })
}

/// The reason with the words of `{"error": {"code": …, "message": …}}`, and what to do.
fn with_words(reason: String, said: &str, redactor: &Redactor) -> String {
    let Ok(answer) = serde_json::from_str::<Value>(said) else {
        return reason;
    };
    let error = answer.get("error").unwrap_or(&answer);
    let word = |key: &str| error.get(key).and_then(Value::as_str);
    let advice = match word("code") {
        Some("WorkflowTriggerIsNotEnabled") => "; the workflow is turned off: turn it on",
        Some("WorkflowNotFound" | "TriggerNotFound") => {
            "; the workflow is gone: make a new one and write its url"
        }
        Some("DirectApiAuthorizationRequired" | "AuthorizationFailed") => {
            "; the url is not whole: copy all of it, with what follows sig="
        }
        Some("TriggerInputSchemaMismatch" | "InvalidTemplate") => {
            "; it does not understand the message: look at the template"
        }
        Some(_) | None => "",
    };
    match (word("code"), word("message")) {
        (Some(code), message) => redactor.answer(&format!(
            "{reason}: {code}{advice}{}",
            message
                .map(|message| format!(" ({message})"))
                .unwrap_or_default()
        )),
        (None, Some(message)) => redactor.answer(&format!("{reason}: {message}")),
        (None, None) => reason,
    }
}

/// How bad it is and what happened.
fn headline(notice: &Notice) -> String {
    let line = format!("{}: {}", text::urgency(notice), text::title(notice));
    clean::line(&line, TITLE_CHARACTERS)
}

fn heading(notice: &Notice) -> Vec<Value> {
    title(&headline(notice), Tone::of(notice))
}

/// A line at the head of a card.
fn title(line: &str, tone: Tone) -> Vec<Value> {
    let colour = match tone {
        Tone::Over => "good",
        Tone::Critical => "attention",
        Tone::Warning => "warning",
        Tone::Info => "accent",
    };
    vec![json!({
        "type": "TextBlock",
        "text": unmarked(&clean::line(line, TITLE_CHARACTERS)),
        "size": "large",
        "weight": "bolder",
        "color": colour,
        "wrap": true,
    })]
}

fn card(notice: &Notice, context: &Context, wording: &Wording, lines: usize) -> Value {
    let mut body = heading(notice);
    let paragraph = |text: &str| json!({ "type": "TextBlock", "text": text, "wrap": true });
    for sentence in text::details(notice) {
        body.push(paragraph(&unmarked(&clean::line(
            &sentence,
            SENTENCE_CHARACTERS,
        ))));
    }
    let facts: Vec<Value> = facts::facts(notice)
        .iter()
        .map(|(name, value)| {
            let value = unmarked(&clean::line(value, FACT_CHARACTERS));
            json!({ "title": unmarked(&clean::line(name, FACT_CHARACTERS)), "value": value })
        })
        .collect();
    body.push(json!({ "type": "FactSet", "facts": facts }));
    let items = notice.items.iter().take(lines);
    body.extend(items.map(|item| {
        let line = clean::line(&text::item(item), FACT_CHARACTERS);
        json!({ "type": "TextBlock", "text": unmarked(&line), "wrap": true, "spacing": "small" })
    }));
    let more = notice.items.len().saturating_sub(lines);
    if more > 0 {
        body.push(paragraph(&format!("and {more} more")));
    }
    let links = facts::links(notice, context, &wording.links);
    let further: Vec<String> = links
        .iter()
        .skip(ACTIONS)
        .filter(|(_, url)| !url.contains(['(', ')', ' ']))
        .map(|(text, url)| format!("[{}]({url})", unmarked(text).replace(['[', ']'], "")))
        .collect();
    if !further.is_empty() {
        body.push(paragraph(&further.join(" · ")));
    }
    let actions: Vec<Value> = links
        .iter()
        .take(ACTIONS)
        .map(|(text, url)| {
            let title = clean::line(text, ACTION_CHARACTERS);
            json!({ "type": "Action.OpenUrl", "title": title, "url": url })
        })
        .collect();
    message(
        &body,
        &actions,
        &[("fallbackText", json!(headline(notice)))],
    )
}

/// A message with one card.
fn message(body: &[Value], actions: &[Value], more: &[(&str, Value)]) -> Value {
    let card = [
        (
            "$schema",
            json!("http://adaptivecards.io/schemas/adaptive-card.json"),
        ),
        ("type", json!("AdaptiveCard")),
        ("version", json!(CARD_VERSION)),
        ("msteams", json!({ "width": "Full" })),
        ("body", json!(body)),
    ];
    let mut card = butler::object(card.into_iter().chain(more.iter().cloned()));
    if let (false, Some(card)) = (actions.is_empty(), card.as_object_mut()) {
        card.insert("actions".to_owned(), json!(actions));
    }
    json!({
        "type": "message",
        "attachments": [{ "contentType": CARD_TYPE, "contentUrl": null, "content": card }],
    })
}

/// A message card: what Butler sends, without the buttons that lead nowhere.
fn plain(title: &str, text: Option<&str>, colour: &str) -> String {
    let fields = [
        ("@type", json!("MessageCard")),
        ("@context", json!("https://schema.org/extensions")),
        ("summary", json!(title)),
        ("themeColor", json!(colour)),
        ("title", json!(title)),
    ];
    let text = text.filter(|text| !text.is_empty());
    let text = text.map(|text| {
        (
            "text",
            json!(unmarked(&clean::line(text, SENTENCE_CHARACTERS))),
        )
    });
    butler::ordered(fields.into_iter().chain(text))
}

/// A text in which no name can make a link: between the two halves of one stands a space that is not seen.
fn unmarked(text: &str) -> String {
    text.replace("](", "]\u{200B}(")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_workflows_and_connectors_are_understood() {
        let cases = [
            (202, "", "delivered", "202"),
            (200, "1", "delivered", "200"),
            (
                200,
                "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x",
                "retry",
                "429",
            ),
            (
                200,
                "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 403",
                "rejected",
                "403",
            ),
            (
                400,
                "{\"error\":{\"code\":\"TriggerInputSchemaMismatch\",\"message\":\"Required properties are missing\"}}",
                "rejected",
                "Required properties",
            ),
            (
                400,
                "{\"error\":{\"code\":\"WorkflowTriggerIsNotEnabled\",\"message\":\"m\"}}",
                "rejected",
                "turn it on",
            ),
            (
                401,
                "{\"error\":{\"code\":\"DirectApiAuthorizationRequired\",\"message\":\"m\"}}",
                "rejected",
                "sig=",
            ),
            (
                404,
                "{\"error\":{\"code\":\"WorkflowNotFound\",\"message\":\"m\"}}",
                "rejected",
                "make a new one",
            ),
            (413, "", "rejected", "413"),
            (
                429,
                "{\"error\":{\"code\":\"TooManyRequests\",\"message\":\"slow down\"}}",
                "retry",
                "slow down",
            ),
            (502, "<html>", "retry", "502"),
        ];
        for (status, body, word, says) in cases {
            let reply = HttpReply::Answer {
                status,
                retry_after: None,
                location: None,
                body: body.as_bytes().to_vec(),
            };
            let judgement = Settings::judge(&reply, Wall(0), &Redactor::default());
            assert_eq!(judgement.verdict.as_str(), word, "{status} {body}");
            assert!(
                format!("{judgement:?}").contains(says),
                "{status} {body}: {judgement:?}"
            );
        }
    }

    #[test]
    fn a_name_makes_no_link() {
        assert_eq!(
            unmarked("[a](https://evil.example)"),
            "[a]\u{200B}(https://evil.example)"
        );
    }
}
