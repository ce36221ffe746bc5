//! How a mail looks: the same content in plain text and in HTML. The HTML uses tables and styles inside the elements,
//! because Outlook shows nothing else right, and it loads nothing from anywhere.

use crate::{
    dest::{
        Context, clean,
        facts::{self, Tone},
        text,
    },
    template::Link,
};
use svcwatch_core::{notice::Notice, time::Span};

/// From this delay on a mail says that it is late.
const LATE: Span = Span::minutes(5);
/// Merged incidents that are listed, at most.
const MERGED_MAX: usize = 20;

/// The content of a mail.
pub(super) struct Page {
    urgency: &'static str,
    colour: &'static str,
    title: String,
    sentences: Vec<String>,
    facts: Vec<(String, String)>,
    items: Vec<String>,
    more: usize,
    links: Vec<(String, String)>,
    late: Option<String>,
}

impl Page {
    /// The content for a notice, with at most `lines` of its items.
    pub(super) fn new(notice: &Notice, context: &Context, links: &[Link], lines: usize) -> Self {
        let sentences = text::details(notice);
        let mut items: Vec<String> = notice.items.iter().map(text::item).collect();
        let merged = notice.merged.iter().take(MERGED_MAX).map(|merged| {
            format!(
                "Incident {}: {} to {}",
                merged.incident,
                text::moment(merged.opened_at),
                text::moment(merged.resolved_at)
            )
        });
        items.extend(merged);
        let more = items.len().saturating_sub(lines);
        items.truncate(lines);
        let delay = context.now.since(notice.at);
        Self {
            urgency: text::urgency(notice),
            colour: Tone::of(notice).colour(),
            title: text::title(notice),
            sentences,
            facts: facts::facts(notice),
            items,
            more,
            links: facts::links(notice, context, links),
            late: (delay >= LATE).then(|| {
                format!(
                    "This message was made {} after it happened.",
                    text::duration(delay)
                )
            }),
        }
    }

    /// In plain text.
    pub(super) fn plain(&self) -> String {
        let mut page = format!("{}: {}\n\n", self.urgency, self.title);
        for sentence in &self.sentences {
            line(&mut page, format_args!("{sentence}"));
        }
        if !self.sentences.is_empty() {
            page.push('\n');
        }
        let width = self
            .facts
            .iter()
            .map(|(name, _)| name.chars().count())
            .max();
        for (name, value) in &self.facts {
            let width = width.unwrap_or(0) + 1;
            line(
                &mut page,
                format_args!("{:<width$} {value}", format!("{name}:")),
            );
        }
        if !self.items.is_empty() {
            page.push('\n');
            for item in &self.items {
                line(&mut page, format_args!("- {item}"));
            }
            if self.more > 0 {
                line(&mut page, format_args!("- and {} more", self.more));
            }
        }
        if !self.links.is_empty() {
            page.push('\n');
        }
        for (text, url) in &self.links {
            line(&mut page, format_args!("{text}: {url}"));
        }
        if let Some(late) = &self.late {
            line(&mut page, format_args!("\n{late}"));
        }
        page.push_str("\n-- \nSent by svcwatch\n");
        page
    }

    /// In HTML.
    pub(super) fn html(&self) -> String {
        let mut page = String::from(concat!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width\"></head>\n",
            "<body style=\"margin:0;padding:0;background:#f3f4f6\">\n",
            "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" bgcolor=\"#f3f4f6\">\n",
            "<tr><td align=\"center\" style=\"padding:16px\">\n",
            "<table role=\"presentation\" width=\"600\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" bgcolor=\"#ffffff\" ",
            "style=\"width:600px;max-width:100%;background:#ffffff;border:1px solid #d1d5db;",
            "font-family:Segoe UI,Helvetica,Arial,sans-serif;font-size:15px;line-height:22px;color:#1f2937\">\n",
        ));
        let colour = self.colour;
        line(
            &mut page,
            format_args!(
                "<tr><td bgcolor=\"{colour}\" style=\"background:{colour};color:#ffffff;padding:16px 24px\">\
                 <span style=\"font-size:12px;letter-spacing:1px;font-weight:bold\">{}</span><br>\n\
                 <span style=\"font-size:20px;line-height:28px;font-weight:bold\">{}</span></td></tr>",
                self.urgency,
                clean::html(&self.title)
            ),
        );
        if !self.sentences.is_empty() {
            let sentences: Vec<String> = self
                .sentences
                .iter()
                .map(|text| clean::html(text))
                .collect();
            line(
                &mut page,
                format_args!(
                    "<tr><td style=\"padding:16px 24px 0 24px\">{}</td></tr>",
                    sentences.join("<br>\n")
                ),
            );
        }
        self.html_facts(&mut page);
        self.html_items(&mut page);
        if !self.links.is_empty() {
            let links: Vec<String> = self
                .links
                .iter()
                .map(|(text, url)| {
                    format!(
                        "<a href=\"{}\" style=\"color:{colour};font-weight:bold\">{}</a>",
                        clean::html(url),
                        clean::html(text)
                    )
                })
                .collect();
            line(
                &mut page,
                format_args!(
                    "<tr><td style=\"padding:16px 24px 0 24px\">{}</td></tr>",
                    links.join("<br>\n")
                ),
            );
        }
        let late = self.late.as_deref().unwrap_or_default();
        let space = if late.is_empty() { "" } else { " " };
        line(
            &mut page,
            format_args!(
                "<tr><td style=\"padding:16px 24px;color:#6b7280;font-size:12px;line-height:18px\">{late}{space}Sent by svcwatch</td></tr>"
            ),
        );
        page.push_str("</table>\n</td></tr>\n</table>\n</body>\n</html>\n");
        page
    }

    fn html_facts(&self, page: &mut String) {
        if self.facts.is_empty() {
            return;
        }
        page.push_str("<tr><td style=\"padding:16px 24px 0 24px\">\n<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\">\n");
        for (name, value) in &self.facts {
            line(
                page,
                format_args!(
                    "<tr><td width=\"140\" valign=\"top\" style=\"padding:2px 12px 2px 0;color:#6b7280\">{}</td>\
                     <td valign=\"top\" style=\"padding:2px 0;word-break:break-word\">{}</td></tr>",
                    clean::html(name),
                    clean::html(value)
                ),
            );
        }
        page.push_str("</table></td></tr>\n");
    }

    fn html_items(&self, page: &mut String) {
        if self.items.is_empty() {
            return;
        }
        page.push_str("<tr><td style=\"padding:16px 24px 0 24px\">\n<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\">\n");
        for item in &self.items {
            line(
                page,
                format_args!(
                    "<tr><td style=\"padding:4px 0;border-top:1px solid #e5e7eb;word-break:break-word\">{}</td></tr>",
                    clean::html(item)
                ),
            );
        }
        if self.more > 0 {
            line(
                page,
                format_args!(
                    "<tr><td style=\"padding:4px 0;border-top:1px solid #e5e7eb;color:#6b7280\">and {} more</td></tr>",
                    self.more
                ),
            );
        }
        page.push_str("</table></td></tr>\n");
    }
}

/// Adds a line.
fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.push_str(&std::fmt::format(text));
    page.push('\n');
}
