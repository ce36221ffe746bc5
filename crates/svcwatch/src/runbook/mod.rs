//! Runbooks: one page for each alert, written for whoever is woken at night.
//!
//! A page is Markdown with the variables of templates, so that its commands name the host and the service. Users put
//! pages of their own into a folder; where one of theirs cannot be used, the built-in page stands with the reason.

mod page;
mod seen;

pub use page::{Around, STYLE, html};
pub use seen::{SeenNow, found, runs_again, seen};

use crate::template::{Failure, Origin, Target, Template};
use serde_json::Value;
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};
use svcwatch_core::{
    id::{DeliveryKey, Subject},
    notice::{Kind, Notice, ToldEvent},
    time::Wall,
};

/// Characters of a page's name, at most.
pub const NAME_CHARACTERS_MAX: usize = 64;
/// Pages of the user's own that are listed, at most.
pub const OWN_PAGES_MAX: usize = 1_000;

/// The built-in pages by name. Those of notices are named as their event.
const PAGES: &[(&str, &str)] = &[
    ("access_denied", include_str!("pages/access_denied.md")),
    ("account_paused", include_str!("pages/account_paused.md")),
    ("after_boot", include_str!("pages/after_boot.md")),
    ("changed", include_str!("pages/changed.md")),
    (
        "destination_failing",
        include_str!("pages/destination_failing.md"),
    ),
    ("fleet", include_str!("pages/fleet.md")),
    ("hidden", include_str!("pages/hidden.md")),
    (
        "host_unreachable",
        include_str!("pages/host_unreachable.md"),
    ),
    ("logon_refused", include_str!("pages/logon_refused.md")),
    ("missing", include_str!("pages/missing.md")),
    ("moved", include_str!("pages/moved.md")),
    ("paused", include_str!("pages/paused.md")),
    ("protocol_error", include_str!("pages/protocol_error.md")),
    (
        "remedy_budget_used",
        include_str!("pages/remedy_budget_used.md"),
    ),
    ("restarted", include_str!("pages/restarted.md")),
    ("service_status", include_str!("pages/service_status.md")),
    ("started", include_str!("pages/started.md")),
    ("stopped", include_str!("pages/stopped.md")),
    ("stuck", include_str!("pages/stuck.md")),
    ("svcwatch_absent", include_str!("pages/svcwatch_absent.md")),
    ("svcwatch_feed", include_str!("pages/svcwatch_feed.md")),
    ("svcwatch_late", include_str!("pages/svcwatch_late.md")),
    ("svcwatch_scrape", include_str!("pages/svcwatch_scrape.md")),
    ("svcwatch_store", include_str!("pages/svcwatch_store.md")),
    ("test", include_str!("pages/test.md")),
    ("unwatched", include_str!("pages/unwatched.md")),
    ("wrong_host", include_str!("pages/wrong_host.md")),
];

/// The names of the built-in pages, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(name, _)| *name)
}

/// The page for a notice of this event; none where nothing is to be done.
pub const fn name_of(event: ToldEvent) -> Option<&'static str> {
    match event {
        ToldEvent::HostRecovered => None,
        other => Some(other.as_str()),
    }
}

/// What is shown of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its Markdown, with all variables filled in.
    pub markdown: String,
    /// Why the user's own page of this name was not used.
    pub fallback: Option<String>,
}

/// Whether a page may have this name: nothing that leads out of the folder.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_CHARACTERS_MAX
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// All pages: the user's own, and the built-in ones.
#[derive(Debug, Default)]
pub struct Runbooks {
    folder: Mutex<Option<PathBuf>>,
}

impl Runbooks {
    /// The built-in pages, and those of this folder before them.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder: Mutex::new(folder),
        }
    }

    /// Takes another folder for that of the user's own pages.
    pub fn set_folder(&self, folder: Option<PathBuf>) {
        *self.folder.lock().unwrap_or_else(PoisonError::into_inner) = folder;
    }

    /// The names of all pages, sorted. It reads the folder.
    pub fn list(&self) -> Vec<String> {
        let mut all: Vec<String> = names().map(str::to_owned).collect();
        let entries = self.folder().and_then(|folder| folder.read_dir().ok());
        let own = entries.into_iter().flatten().filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let name = name.strip_suffix(".md")?.to_ascii_lowercase();
            is_name(&name).then_some(name)
        });
        all.extend(own.take(OWN_PAGES_MAX));
        all.sort();
        all.dedup();
        all
    }

    /// A page, filled in. It reads a file; none where there is no page of this name.
    pub fn page(&self, name: &str, variables: &Value) -> Option<Page> {
        if !is_name(name) {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let built_in = PAGES.iter().find(|(known, _)| *known == name);
        let own = self.own(&name, variables);
        let (own, fallback) = match own {
            Some(Ok(markdown)) => (Some(markdown), None),
            Some(Err(failure)) => (None, Some(failure.to_string())),
            None => (None, None),
        };
        let markdown = own
            .or_else(|| built_in.map(|(_, source)| filled_in(source, variables)))
            .or_else(|| fallback.as_ref().map(|_| format!("# {name}\n")))?;
        Some(Page { markdown, fallback })
    }

    /// The user's own page, where there is one.
    fn own(&self, name: &str, variables: &Value) -> Option<Result<String, Failure>> {
        let path = self.folder()?.join(format!("{name}.md"));
        if !path.try_exists().unwrap_or(true) {
            return None;
        }
        Some(Template::read(Origin::File(path), Target::Markdown).render(variables))
    }

    fn folder(&self) -> Option<PathBuf> {
        self.folder
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A built-in page, filled in. They are all tried by the tests, so the page itself stands where one would not render.
fn filled_in(source: &str, variables: &Value) -> String {
    Template::read(Origin::Text(source.to_owned()), Target::Markdown)
        .render(variables)
        .unwrap_or_else(|_| source.to_owned())
}

/// The variables of a page about a host or a service of which no more is known than their names. What is not named is
/// `HOST` and `SERVICE`, as people write what they are to replace.
pub fn variables(host: Option<&str>, service: Option<&str>) -> Value {
    let subject = Subject::Service {
        host: host.unwrap_or("HOST").into(),
        service: service.unwrap_or("SERVICE").into(),
    };
    let notice = Notice::new(Kind::Opened, ToldEvent::Stopped, Wall(0), subject, 0);
    of_notice(&notice, None)
}

/// The variables of a page about a notice: those of templates, and both names as words of commands.
fn of_notice(notice: &Notice, base: Option<&str>) -> Value {
    let context = crate::dest::Context {
        base_url: base.map(Into::into),
        now: notice.at,
    };
    let mut all = crate::template::variables(
        &DeliveryKey::new(&"runbook".into(), "", "", "", 0),
        notice,
        &context,
        &[],
    );
    if let Value::Object(fields) = &mut all {
        for (name, of) in [
            ("hostArgument", notice.subject.host()),
            ("serviceArgument", notice.subject.service()),
        ] {
            let word = of.map_or_else(String::new, |of| argument(of.as_str()));
            fields.insert(name.to_owned(), word.into());
        }
    }
    all
}

/// A name as one word of a command, in PowerShell and in a shell of Unix: in single quotes where it needs them, as
/// `MSSQL$PROD` does, of which both would leave `MSSQL`. A quote in it is doubled: PowerShell keeps one then, and in a
/// shell the word stays one. PowerShell takes U+2018 to U+201B for quotes too (`about_Quoting_Rules`), and Markdown makes
/// a quote of a backtick.
fn argument(name: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    if !name.is_empty() && name.chars().all(plain) {
        return name.to_owned();
    }
    let quote = |character: char| matches!(character, '\'' | '`' | '\u{2018}'..='\u{201b}');
    format!("'{}'", name.replace(quote, "''"))
}

#[cfg(test)]
mod tests;
