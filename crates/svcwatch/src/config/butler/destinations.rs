//! The destinations that a file makes, the routes between them, and what several of them share.

use std::collections::BTreeSet;

use super::differences as differ;
use super::made::{self, Made, What};
use super::reader::{Reader, Section};
use crate::config::problem::Position;

/// The limit where the file has none, in seconds, as Butler has it.
const LIMIT: f64 = 300.0;
/// The shortest and the longest limit, in milliseconds.
const LIMIT_RANGE: std::ops::RangeInclusive<u64> = 1_000..=86_400_000;

/// Which notices go to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinds {
    /// All of them.
    All,
    /// All but ends.
    NotEnds,
    /// Ends alone.
    Ends,
    /// None: it takes readings.
    Feed,
}

/// All destinations.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    all: Vec<(String, Made, Kinds)>,
}

impl Destinations {
    /// Adds one that takes all notices.
    pub(super) fn add(&mut self, name: &str, made: Made) {
        self.add_for(name, made, Kinds::All);
    }

    /// Adds one that takes these notices, under a name that no other has.
    pub(super) fn add_for(&mut self, name: &str, made: Made, kinds: Kinds) {
        let taken: BTreeSet<&str> = self.all.iter().map(|(name, _, _)| name.as_str()).collect();
        let numbered = (2_u32..).map(|number| format!("{name}_{number}"));
        let name = std::iter::once(name.to_owned())
            .chain(numbered)
            .find(|name| !taken.contains(name.as_str()));
        self.all.extend(name.map(|name| (name, made, kinds)));
    }

    /// `destinations` and, where some take only part of the notices, `routes`.
    pub(super) fn made(self, at: Position) -> (Option<Made>, Option<Made>) {
        let routes = self.routes(at);
        let mut destinations = made::map(at, []);
        for (name, made, _) in self.all {
            destinations.put(&name, made);
        }
        let some = Some(destinations).filter(|made| !made.is_empty());
        (some, routes)
    }

    fn routes(&self, at: Position) -> Option<Made> {
        let of = |wanted: Kinds| -> Vec<Made> {
            let names = self.all.iter().filter(|(_, _, kinds)| *kinds == wanted);
            names
                .map(|(name, made, _)| made::text(made.at, name))
                .collect()
        };
        let (all, not_ends, ends) = (of(Kinds::All), of(Kinds::NotEnds), of(Kinds::Ends));
        if not_ends.is_empty() && ends.is_empty() {
            return None;
        }
        let route = |to: Vec<Made>, kinds: &[&str]| {
            let mut route = made::map(at, []);
            if !kinds.is_empty() {
                let kinds = kinds.iter().map(|kind| made::text(at, *kind)).collect();
                route.put("match", made::map(at, [("kind", made::list(at, kinds))]));
            }
            route.put("to", made::list(at, to));
            if !kinds.is_empty() {
                route.put("continue", made::switch(at, true));
            }
            route
        };
        let mut routes = Vec::new();
        if !not_ends.is_empty() {
            let kinds = ["opened", "updated", "reminder", "info", "summary"];
            routes.push(route(not_ends, &kinds));
        }
        if !ends.is_empty() {
            routes.push(route(ends, &["resolved"]));
        }
        if !all.is_empty() {
            routes.push(route(all, &[]));
        }
        Some(made::list(at, routes))
    }
}

/// A value for ends, unless it is the one that holds anyway.
pub(super) fn same_or(value: Option<Made>, usual: Option<&Made>) -> Option<Made> {
    let text = |made: &Made| match &made.what {
        What::Scalar(scalar) => Some(scalar.text.clone()),
        What::List(_) | What::Map(_) => None,
    };
    value.filter(|value| usual.and_then(text) != text(value))
}

/// `limit` of a destination: that of the stopped section, which counts for both.
pub(super) fn limit(
    reader: &mut Reader<'_>,
    stopped: &Section<'_>,
    started: Option<&Section<'_>>,
) -> Option<Made> {
    let first = reader.number(stopped, "rateLimit");
    let second = started.and_then(|started| reader.number(started, "rateLimit"));
    if let (Some(started), Some(second)) = (started, second)
        && first.is_none_or(|first| (first - second).abs() > f64::EPSILON)
    {
        let (at, path) = (started.at("rateLimit"), started.path_of("rateLimit"));
        reader.differs(at, &path, &differ::LIMIT_STARTED);
    }
    let (at, path) = (stopped.at("rateLimit"), stopped.path_of("rateLimit"));
    let seconds = first.unwrap_or(LIMIT);
    if seconds < 0.0 {
        reader.problems.error(
            at,
            &path,
            "the limit is less than nothing",
            "write how many seconds lie between two messages at least, or 0 for no limit",
        );
        return None;
    }
    let milliseconds = whole_milliseconds(seconds);
    if milliseconds == 0 {
        reader.differs(at, &path, &differ::LIMIT_ZERO);
        return None;
    }
    let every = milliseconds.clamp(*LIMIT_RANGE.start(), *LIMIT_RANGE.end());
    if every != milliseconds {
        reader.differs(at, &path, &differ::LIMIT_SHORT);
    }
    Some(made::map(
        at,
        [
            ("per", made::text(at, "service")),
            ("every", made::text(at, duration(every))),
        ],
    ))
}

/// Seconds as whole milliseconds; more than a year is a year.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is clamped to what fits"
)]
fn whole_milliseconds(seconds: f64) -> u64 {
    (seconds.clamp(0.0, 31_536_000.0) * 1_000.0).round() as u64
}

/// A duration as it is written.
pub(super) fn duration(milliseconds: u64) -> String {
    if milliseconds.is_multiple_of(1_000) {
        format!("{}s", milliseconds / 1_000)
    } else {
        format!("{milliseconds}ms")
    }
}
