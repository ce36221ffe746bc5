//! A page as HTML. Its text may come from users and its values from hosts, so nothing of it is trusted: HTML in it is
//! shown as it is written, and links lead to pages only.

use crate::dest::clean;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html::push_html};

/// What stands around a page.
#[derive(Debug, Clone, Default)]
pub struct Around<'a> {
    /// A sentence that stands before all else.
    pub first: Option<&'a str>,
    /// What svcwatch sees now, as pairs of a word and a value.
    pub seen: &'a [(String, String)],
    /// Why the user's own page was not used.
    pub fallback: Option<&'a str>,
    /// The query that links to other pages carry on, without its question mark; empty for none.
    pub query: &'a str,
}

/// The style of pages: readable on a telephone at night.
pub const STYLE: &str = include_str!("style.css");

/// A whole HTML document of a page's Markdown.
pub fn html(markdown: &str, around: &Around<'_>) -> String {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES);
    let events: Vec<Event<'_>> = parser.map(|event| tamed(event, around.query)).collect();
    let title = clean::html(&clean::line(&title(&events), 200));
    // What is seen now belongs behind the title and the sentence under it, where a page has them.
    let place = events
        .iter()
        .position(|event| matches!(event, Event::End(TagEnd::Heading(_))))
        .map_or(0, |place| place.saturating_add(1));
    let (head, rest) = events.split_at(place.min(events.len()));
    let mut body = around.first.map_or_else(String::new, |sentence| {
        format!("<p class=\"first\">{}</p>\n", clean::html(sentence))
    });
    push_html(&mut body, head.iter().cloned());
    body.push_str(&before(around));
    push_html(&mut body, rest.iter().cloned());
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} - svcwatch</title>\n<link rel=\"stylesheet\" href=\"/runbooks/style.css\">\n</head>\n<body>\n<nav><a href=\"/runbooks\">All runbooks</a></nav>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// What stands before the text of a page.
fn before(around: &Around<'_>) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(why) = around.fallback {
        parts.push(format!(
            "<p class=\"fallback\">Your own page of this name was not used: {}.</p>\n",
            clean::html(&clean::line(why, 1_000))
        ));
    }
    if !around.seen.is_empty() {
        parts.push("<h2>What svcwatch sees now</h2>\n<table class=\"seen\">\n".to_owned());
        parts.extend(around.seen.iter().map(|(word, value)| {
            format!(
                "<tr><th>{}</th><td>{}</td></tr>\n",
                clean::html(word),
                clean::html(value)
            )
        }));
        parts.push("</table>\n".to_owned());
    }
    parts.concat()
}

/// The text of the first heading.
fn title(events: &[Event<'_>]) -> String {
    let inside = events
        .iter()
        .skip_while(|event| !matches!(event, Event::Start(Tag::Heading { .. })))
        .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let words: Vec<&str> = inside
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect();
    if words.is_empty() {
        "Runbook".to_owned()
    } else {
        words.concat()
    }
}

/// An event of the parser without what could do harm in a browser.
fn tamed<'a>(event: Event<'a>, query: &str) -> Event<'a> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url: link(dest_url, query),
            title,
            id,
        }),
        // A picture would be fetched without being asked for, and tell who looks at the page.
        Event::Start(Tag::Image { dest_url, .. }) => Event::Text(format!("[{dest_url}] ").into()),
        Event::End(TagEnd::Image) => Event::Text(CowStr::Borrowed("")),
        other => other,
    }
}

/// Where a link leads: to the web, to a mail program, or to another page.
fn link<'a>(to: CowStr<'a>, query: &str) -> CowStr<'a> {
    if to.starts_with('#') {
        return to;
    }
    match to.split_once(':') {
        Some((scheme, _))
            if ["http", "https", "mailto"]
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known)) =>
        {
            to
        }
        Some(_) => CowStr::Borrowed("#"),
        None if to.starts_with("//") || to.starts_with('\\') => CowStr::Borrowed("#"),
        // Pages link to each other by their files, which works wherever the folder is looked at.
        None => {
            let page = to.strip_suffix(".md").unwrap_or(&to);
            let mark = if query.is_empty() || page.contains('?') {
                ""
            } else {
                "?"
            };
            let query = if mark.is_empty() { "" } else { query };
            format!("{page}{mark}{query}").into()
        }
    }
}
