//! `/probe`: one host read now, for Prometheus to scrape it as a target of its own. It is an ordinary check out of its
//! turn: over the session that is kept, with the pacing and pausing of logons, never twice at once. Beside hosts that are
//! watched only guests are read (`guest`), so that nobody makes svcwatch log on to where they like.

use super::{
    Ask, Web,
    api::{Pairs, parameters_of_one},
    guard::not_cross_site,
    guest::visit,
    metrics::{Format, Packing, Probed, ProbedService},
    pack,
    problem::Problem,
    query::quoted,
};
use crate::{
    board::{Board, Row},
    config::{Config, MODULE_USUAL, Module, Modules, usual_modules},
    wanted::Brought,
    wiring::Doors,
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use svcwatch_core::{
    guest,
    id::Name,
    limits,
    observe::{Fault, HostReading},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

/// Probes at once, at most; more are refused.
pub const PROBES_MAX: usize = 32;
/// How long a probe waits where the scraper does not say how long it does.
const WAIT_USUAL: Duration = Duration::from_secs(10);
/// How long a probe waits at most: less than until an answer must have begun.
const WAIT_MAX: Duration = Duration::from_secs(14);
/// How much sooner than the scraper gives up the answer begins.
const SOONER: Duration = Duration::from_millis(500);
/// How long until a check is asked for again that brought nothing.
const AGAIN: Duration = Duration::from_millis(100);
/// The header in which Prometheus says how long it waits.
const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";
/// What a probe may be asked.
const PARAMETERS: [&str; 2] = ["target", "module"];

/// What a probe may be asked for, as it holds now.
#[derive(Debug)]
pub struct ProbeModules {
    current: RwLock<Arc<Offer>>,
}

/// What a probe may be asked for.
#[derive(Debug, Default)]
pub(super) struct Offer {
    modules: Modules,
    /// How guests are read.
    pub(super) doors: Doors,
}

impl Default for ProbeModules {
    /// The usual module, and no guests.
    fn default() -> Self {
        Self::of(Offer {
            modules: usual_modules(),
            doors: Doors::default(),
        })
    }
}

impl ProbeModules {
    /// Those of a configuration.
    pub fn new(config: &Config) -> Self {
        Self::of(Offer::new(config))
    }

    fn of(offer: Offer) -> Self {
        Self {
            current: RwLock::new(Arc::new(offer)),
        }
    }

    /// From now on those of this configuration.
    pub fn replace(&self, config: &Config) {
        let offer = Arc::new(Offer::new(config));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = offer;
    }

    fn current(&self) -> Arc<Offer> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Offer {
    fn new(config: &Config) -> Self {
        Self {
            modules: config.modules.clone(),
            doors: Doors::new(config),
        }
    }

    fn module(&self, name: &str) -> Result<&Module, Problem> {
        self.modules.get(&Name::new(name)).ok_or_else(|| {
            let known: Vec<&str> = self.modules.keys().map(Name::as_str).collect();
            Problem::bad_request(format!(
                "There is no module {}; use {}, or write one under probe.modules.",
                quoted(name),
                known.join(", ")
            ))
        })
    }
}

/// `GET /probe?target=HOST[&module=NAME]`
pub(super) async fn probe(
    State(web): State<Web>,
    headers: HeaderMap,
    pairs: Pairs,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    let parameters = parameters_of_one(pairs, &PARAMETERS)?;
    let Some(target) = parameters.name("target") else {
        return Err(Problem::bad_request(
            "Say which host: /probe?target=HOST, by the name that it has in the config.",
        ));
    };
    let offer = web.modules.current();
    let name = parameters.text("module").unwrap_or(MODULE_USUAL);
    let module = offer.module(name)?;
    let deadline = begun + wait_of(&headers)?;
    let guest = guest::name(target.as_str());
    let host = |name: &Name| web.board.host(name);
    let watched = host(&target).or_else(|| host(guest.as_ref()?));
    let (read, watched) = if let Some(watched) = watched {
        let _place = place(&web.probes)?;
        let read = read(&web, &watched.name, deadline).await?;
        (read, Some(watched.name))
    } else {
        // To ask for a guest is to have it logged on to.
        not_cross_site(&headers)?;
        // At a start not all hosts are shown yet; and while the store fails nothing that a guest refuses could be kept.
        if let Some(why) = web.ready.why_not() {
            return Err(Problem::unavailable(why));
        }
        let guest = guest.filter(|guest| offer.doors.let_in(guest));
        let guest = guest.ok_or_else(|| not_let_in(&target))?;
        if let Some(host) = offer.doors.host_of(&guest) {
            return Err(is_host(&guest, host));
        }
        let visit = visit(&offer, guest, (name, module))?;
        let _place = place(&web.visits)?;
        (super::guest::read(&web, &visit, deadline).await?, None)
    };
    let wanted = |name: &str| module.services.iter().any(|glob| glob.matches(name));
    let rows = rows_of(&web.board, watched.as_ref());
    let (fault, services) = match read {
        Ok(reading) => (None, ProbedService::all(reading, wanted, rows)),
        Err(fault) => (Some(fault), ProbedService::unread(wanted, rows)),
    };
    let site = watched.as_ref().and_then(|name| host(name)?.site);
    let probed = Probed {
        fault,
        services,
        site: site.as_deref().unwrap_or_default().to_owned(),
        took: begun.elapsed(),
    };
    let format = Format::of(&headers);
    Ok(pack(probed.text(format), format, Packing::of(&headers)))
}

/// A place among the probes that are under way.
fn place(places: &Semaphore) -> Result<SemaphorePermit<'_>, Problem> {
    places.try_acquire().map_err(|_| {
        Problem::unavailable(format!(
            "More than {PROBES_MAX} probes are under way. Scrape less often, or let scrapes begin apart."
        ))
    })
}

/// The answer where a target is neither a host of the config nor let in.
pub(super) fn not_let_in(target: &Name) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        format!(
            "{} is no host of the config and nothing under probe.allow lets it in, and others are not logged on to. Write it under hosts, or a pattern for it under probe.allow; /api/v1/hosts names the hosts that are there.",
            quoted(target.as_str())
        ),
    )
}

/// The answer where a guest is a host of the config under another spelling, or by its address.
fn is_host(guest: &Name, host: &Name) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        format!(
            "{} is the host {} of the config, by another spelling or by its address, and is not read with the account of guests. Ask for it as {}.",
            quoted(guest.as_str()),
            quoted(host.as_str()),
            quoted(host.as_str())
        ),
    )
}

/// Lets the host be read until it was, or why it was not is known.
async fn read(
    web: &Web,
    host: &Name,
    deadline: Instant,
) -> Result<Result<HostReading, Fault>, Problem> {
    loop {
        let answer = web.wanted.wait(host);
        let asked = web.asks.try_send(Ask::ReadNow { host: host.clone() });
        if asked.is_err() {
            return Err(Problem::unavailable(
                "svcwatch is ending, or has too much to do. Try again in a moment.",
            ));
        }
        let Some(brought) = within(deadline, answer).await else {
            // Why it cannot be read may have been known for long.
            let known = web.board.host(host).and_then(|host| host.fault);
            return Ok(Err(known.unwrap_or(Fault::Timeout)));
        };
        let shown = web.board.host(host);
        let Some(shown) = shown else {
            return Ok(Err(Fault::Unreachable));
        };
        // What was decided counts: a reading of the wrong computer is none.
        match (shown.fault, brought) {
            (Some(fault), _) => return Ok(Err(fault)),
            (None, Brought::Reading(reading))
                if reading.services.len() > limits::SERVICES_PER_HOST_MAX =>
            {
                return Ok(Err(Fault::ProtocolError));
            }
            (None, Brought::Reading(reading)) => return Ok(Ok(reading)),
            (None, Brought::Fault(fault)) => return Ok(Err(fault.fault)),
            (None, Brought::Nothing) => sleep_until((Instant::now() + AGAIN).min(deadline)).await,
        }
    }
}

pub(super) async fn within<T>(deadline: Instant, answer: oneshot::Receiver<T>) -> Option<T> {
    timeout_at(deadline, answer).await.ok()?.ok()
}

/// The watched services of a host, sorted by name, as /metrics shows them.
fn rows_of(board: &Board, host: Option<&Name>) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(host) = host {
        board.visit_services(host, |seen| {
            let mut row = seen.row.clone();
            row.muted = seen.muted();
            rows.push(row);
        });
    }
    rows
}

/// How long the scraper waits, less what an answer takes.
fn wait_of(headers: &HeaderMap) -> Result<Duration, Problem> {
    let Some(value) = headers.get(TIMEOUT_HEADER) else {
        return Ok(WAIT_USUAL);
    };
    let text = value.to_str().unwrap_or_default();
    let seconds = text.trim().parse::<f64>().ok();
    let wait = seconds
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let Some(wait) = wait.filter(|wait| !wait.is_zero()) else {
        return Err(Problem::bad_request(format!(
            "X-Prometheus-Scrape-Timeout-Seconds is {}, which is no number of seconds above 0.",
            quoted(text)
        )));
    };
    let sooner = wait.saturating_sub(SOONER).max(wait / 2);
    Ok(sooner.min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn wait(text: &str) -> Result<Duration, String> {
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT_HEADER, HeaderValue::from_str(text).unwrap());
        wait_of(&headers).map_err(|problem| problem.detail)
    }

    #[test]
    fn an_answer_begins_before_the_scraper_gives_up() {
        assert_eq!(wait_of(&HeaderMap::new()).unwrap(), WAIT_USUAL);
        for (text, milliseconds) in [
            ("10", 9_500),
            ("5.5", 5_000),
            ("0.4", 200),
            (" 1 ", 500),
            ("3600", 14_000),
            ("1e300", 0),
        ] {
            match wait(text) {
                Ok(wait) => assert_eq!(wait, Duration::from_millis(milliseconds), "{text}"),
                Err(sentence) => assert!(milliseconds == 0, "{text}: {sentence}"),
            }
        }
        for bad in ["", "0", "-1", "NaN", "inf", "ten", "1s", "1e400"] {
            let sentence = wait(bad).unwrap_err();
            assert!(sentence.contains("above 0"), "{bad}: {sentence}");
        }
    }
}
