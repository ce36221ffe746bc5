//! Why a host or a service is told or not, in sentences.

use crate::{
    dest::text,
    web::items::{Explanation, ExplanationLine},
};
use svcwatch_core::{
    engine::{self, Engine, LaneExplained, ServiceExplained},
    id::Name,
    notice::Why,
    plan::{Expect, LimitPer, StoppedOk},
    rhythm::Rhythm,
    time::{Now, Span},
};

mod groups;
mod hearing;
mod remedy;

/// How many names of hidden services are written out.
const NAMES_SHOWN: usize = 10;
/// Said where the account may do more than it needs to.
pub const ADMINISTRATOR: &str = "the account is an administrator there, which reading does not need: whoever gets its password rules the host; take an account with query rights only";

/// What is explained under a name: a host, or else a group that counts services. Nothing where there is neither.
pub fn of(
    engine: &Engine,
    now: Now,
    (name, service): (&Name, Option<&Name>),
    feeds: &[Name],
) -> Option<Explanation> {
    if let Some(found) = engine.explain(now, name, service) {
        return Some(in_words(&found, service, feeds));
    }
    let groups = engine.explain_groups(now, name, service);
    if groups.is_empty() {
        return None;
    }
    let mut lines = Lines(Vec::new());
    for group in &groups {
        lines.group(group, groups.len() > 1 || service.is_none());
    }
    Some(Explanation {
        host: name.as_str().to_owned(),
        service: service.map(|service| service.as_str().to_owned()),
        lines: lines.0,
    })
}

/// The sentences of an explanation. `service` is the one that was asked for; `feeds` take every reading.
pub fn in_words(
    explained: &engine::Explanation,
    service: Option<&Name>,
    feeds: &[Name],
) -> Explanation {
    let mut lines = Lines(Vec::new());
    lines.host(explained);
    if let Some(service) = service
        && explained.services.is_empty()
    {
        let why = if explained.checked_at.is_none() || explained.visible.is_none() {
            "the host was not read yet, and only then it is known which services its entries mean"
        } else {
            "no entry of the host selects it, or the host does not have it"
        };
        lines.add(
            "service",
            format!("{service} is not watched on {}: {why}", explained.host),
        );
    }
    for one in &explained.services {
        let named = explained.services.len() > 1 || service.is_none();
        lines.service(one, named, explained.fault.is_some());
    }
    if !explained.services.is_empty() {
        lines.feeds(feeds);
    }
    Explanation {
        host: explained.host.as_str().to_owned(),
        service: service.map(|service| service.as_str().to_owned()),
        lines: lines.0,
    }
}

struct Lines(Vec<ExplanationLine>);

impl Lines {
    fn add(&mut self, about: &str, text: String) {
        self.0.push(ExplanationLine {
            about: about.to_owned(),
            text,
        });
    }

    fn host(&mut self, host: &engine::Explanation) {
        let account = host
            .account
            .as_ref()
            .map_or_else(String::new, |account| format!(" as {account}"));
        self.add(
            "host",
            format!(
                "{} is read at {}{account} {}; a fault of it must last {} until it is told",
                host.host,
                host.address,
                rhythm(host),
                text::duration(host.host_for),
            ),
        );
        if let Some(why) = host.account_paused {
            self.add("account", format!("the account is paused ({why}): its hosts are not logged on to until its secret changes, or once an hour"));
        }
        if let Some(name) = &host.computer_name {
            let alias = if name.eq_ignore_ascii_case(host.host.as_str()) {
                String::new()
            } else {
                format!(", which is another name than {} and is no fault", host.host)
            };
            self.add(
                "computer",
                format!("the computer calls itself {name}{alias}"),
            );
        }
        let state = match (host.fault, host.checked_at) {
            (Some(fault), _) => format!(
                "it cannot be read since {} ({fault}: {}), so its services are unknown and not told one by one",
                text::moment(host.since),
                host.cause.as_deref().unwrap_or("no reason given"),
            ),
            (None, Some(at)) => {
                let (since, at) = (text::moment(host.since), text::moment(at));
                host.visible.map_or_else(
                    || format!("it was tried at {at} and was never read yet"),
                    |count| format!("it can be read since {since}, last at {at}, and shows us {count} services"),
                )
            }
            (None, None) => "it was not read since the start".to_owned(),
        };
        self.add("state", state);
        self.rights(host);
        if let Some(incident) = &host.incident {
            self.add(
                "incident",
                format!("the incident {incident} of the host is open"),
            );
        }
        if host.settle > Span::ZERO {
            self.add(
                "settle",
                format!(
                    "notices about its services are held for {}",
                    text::duration(host.settle)
                ),
            );
        }
        self.boot(host);
    }

    /// How the host was booted, and what is held because of that.
    fn boot(&mut self, host: &engine::Explanation) {
        let booted = host.boot.booted_at.map_or_else(
            || "when the host was booted is not known".to_owned(),
            |at| format!("the host booted at {}", text::moment(at)),
        );
        let line = match (host.boot.grace_until, host.boot.shutting_down_until) {
            (_, Some(until)) => format!(
                "held: the host is shutting down; what it comes to is told if it is not back at {}",
                text::moment(until)
            ),
            (Some(until), None) => format!(
                "held: {booted}, until {}; then one notice tells what did not come back",
                text::moment(until)
            ),
            (None, None) if host.boot_grace == Span::ZERO => {
                format!("{booted}; after a boot nothing is held")
            }
            (None, None) => format!(
                "{booted}; after a boot notices about its services are held for {}",
                text::duration(host.boot_grace)
            ),
        };
        self.add("boot", line);
    }

    /// What the account may see and do there.
    fn rights(&mut self, host: &engine::Explanation) {
        if !host.hidden.is_empty() {
            let some: Vec<&str> = host
                .hidden
                .iter()
                .take(NAMES_SHOWN)
                .map(Name::as_str)
                .collect();
            let more = match host.hidden.len().saturating_sub(some.len()) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.add(
                "rights",
                format!(
                    "SERVICE_QUERY_STATUS lacks on {}{more}, so it cannot be seen how they are; docs/rights.md says how to give it",
                    some.join(", ")
                ),
            );
        }
        match host.administrator {
            Some(true) => self.add("rights", ADMINISTRATOR.to_owned()),
            Some(false) => self.add(
                "rights",
                "the account is no administrator there, and need not be".to_owned(),
            ),
            None => {}
        }
    }

    fn service(&mut self, service: &ServiceExplained, named: bool, unseen: bool) {
        if named {
            self.add("service", service.service.to_string());
        }
        self.add(
            "selector",
            format!(
                "entry {} of the host selects it: {}",
                service.entry, service.selector
            ),
        );
        if let Some(group) = &service.group {
            self.counted(group);
        }
        self.add(
            "expected",
            format!(
                "it should be {}; otherwise for {} and {} before it is told",
                match service.expect {
                    Expect::Running => "running",
                    Expect::Stopped => "stopped",
                    Expect::Either => "running or stopped",
                    Expect::Absent => "not installed at all",
                },
                text::duration(service.for_span),
                if service.confirm == 1 {
                    "one reading".to_owned()
                } else {
                    format!("{} readings that agree", service.confirm)
                },
            ),
        );
        self.recovery(service);
        remedy::tell(self, service);
        self.rules(service);
        self.state(service, unseen);
        if let Some(incident) = &service.incident {
            self.add("incident", format!("the incident {incident} is open"));
        }
        if let Some(until) = service.held_until {
            self.add(
                "held",
                format!("its opening is held until {}", text::moment(until)),
            );
        }
        if let Some(by) = &service.acknowledged_by {
            self.add(
                "acknowledged",
                format!("{by} has taken note, so it is not repeated"),
            );
        }
        self.muted(service);
        if service.lanes.is_empty() {
            self.add(
                "route",
                "no route leads anywhere for it, so nobody is told".to_owned(),
            );
        }
        for lane in &service.lanes {
            self.lane(lane);
        }
    }

    /// Why it is not told, where it is not.
    fn muted(&mut self, service: &ServiceExplained) {
        if let Some(why) = service.muted {
            self.add("muted", format!("it is not told: {} ({why})", reason(why)));
        }
        if let Some((by, until)) = &service.muted_by {
            self.add(
                "silence",
                format!(
                    "{by}; until {}, and then what is still wrong is told",
                    text::moment(*until)
                ),
            );
        }
    }

    /// What its host does about a failure, and how often it was started again.
    fn recovery(&mut self, service: &ServiceExplained) {
        if let Some(span) = service.recovery {
            self.add(
                "recovery",
                format!(
                    "its host starts it again when it fails, so a failure is told only where it does not run again within {}",
                    text::duration(span)
                ),
            );
        }
        if let Some((count, since)) = service.restarts {
            let times = if count == 1 { "once" } else { "times" };
            let count = if count == 1 {
                String::new()
            } else {
                format!("{count} ")
            };
            self.add(
                "restarts",
                format!(
                    "it was started again {count}{times} since {}",
                    text::moment(since)
                ),
            );
        }
    }

    /// What else the entry says of its presence, its stops and its changes.
    fn rules(&mut self, service: &ServiceExplained) {
        self.add("presence", presence(service).to_owned());
        if matches!(service.expect, Expect::Running | Expect::Either) {
            self.add("stops", stops(service));
        }
        if let Some(reason) = &service.noise {
            self.add(
                "noise",
                format!("it is known to stop and to change by itself, so nothing is told of that: {reason}; name it in an entry of its own to be told all the same"),
            );
        }
        self.add(
            "changes",
            if service.changes && service.noise.is_none() {
                "changes of how it is set up are kept in history and told".to_owned()
            } else {
                "changes of how it is set up are kept in history and not told".to_owned()
            },
        );
    }

    /// How a service is, or was when it was seen last.
    fn state(&mut self, service: &ServiceExplained, unseen: bool) {
        let before = service.previous_state.map_or_else(String::new, |state| {
            format!(", before that {}", text::state(state))
        });
        let verb = if unseen {
            "cannot be seen now; it was"
        } else {
            "is"
        };
        let start = service.start_type.map_or_else(String::new, |start| {
            format!("; its start type is {}", text::start_type(start))
        });
        self.add(
            "state",
            format!(
                "it {verb} {} since {}{before}{start}",
                text::state(service.state),
                text::moment(service.since)
            ),
        );
        if let Some(since) = service.wrong_since {
            self.add(
                "wrong",
                format!("it is not as expected since {}", text::moment(since)),
            );
        }
        if let Some(hears) = &service.hears {
            self.add("instant", hearing::words(hears));
        }
        if let Some(severity) = service.severity {
            self.add(
                "severity",
                format!("its notices are {severity}, as the config says"),
            );
        }
    }

    fn feeds(&mut self, feeds: &[Name]) {
        for feed in feeds {
            self.add(
                "feed",
                format!("every reading goes to {feed}, whatever is told or not"),
            );
        }
    }

    fn lane(&mut self, lane: &LaneExplained) {
        let to = if lane.recipient.is_empty() {
            lane.destination.to_string()
        } else {
            format!("{} ({})", lane.destination, lane.recipient)
        };
        let repeated = lane.reminder.map_or_else(
            || "never repeated".to_owned(),
            |span| format!("repeated every {}", text::duration(span)),
        );
        self.add("route", format!("it goes to {to}, {repeated}"));
        if let Some(limit) = lane.limit {
            let of = match limit.per {
                LimitPer::Service => "about one service",
                LimitPer::Destination => "in all",
            };
            self.add(
                "limit",
                format!(
                    "{to} gets at most one message {of} every {}; later ones are merged",
                    text::duration(limit.every)
                ),
            );
        }
        if let Some(told) = &lane.told {
            self.add("told", format!("{to} was told of {told} as open"));
        }
        match lane.waiting {
            0 => {}
            1 => self.add("waiting", format!("1 message waits for {to}")),
            count => self.add("waiting", format!("{count} messages wait for {to}")),
        }
    }
}

/// When a host is read, in words.
fn rhythm(host: &engine::Explanation) -> String {
    match &host.every {
        Rhythm::Interval(every) => format!("every {}", text::duration(*every)),
        Rhythm::Occurrences(occurrences) => {
            let next = host.next_round.map_or_else(
                || "which does not come again".to_owned(),
                |next| format!("next at {}", text::moment(next)),
            );
            format!("by the schedule `{}`, {next}", occurrences.text())
        }
    }
}

/// Whether a service must be installed, in words.
const fn presence(service: &ServiceExplained) -> &'static str {
    match (service.expect, service.required) {
        (Expect::Absent, _) => "it is told as long as it is installed",
        (_, true) => "it is told when it is not installed",
        (_, false) => "it need not be installed",
    }
}

/// Which stops of a service are told, in words.
fn stops(service: &ServiceExplained) -> String {
    let rule = match service.stopped_ok {
        StoppedOk::Exit0 => {
            "an orderly stop with exit code 0 is as good as running, and every other one is told"
        }
        StoppedOk::Never => "every stop is told",
        StoppedOk::Always => "no stop is told",
    };
    let starts = match (service.trigger_start, service.per_user) {
        (_, Some(true)) => "; it runs for the users who are logged on",
        (Some(true), _) => "; events start it, so it may also wait for its first start",
        (Some(false) | None, _) => "",
    };
    format!("{rule} (stopped_ok: {}){starts}", service.stopped_ok)
}

/// Why something is not told, in words.
const fn reason(why: Why) -> &'static str {
    match why {
        Why::NeverSeenRunning => {
            "it was selected by a pattern or start type and was never seen running"
        }
        Why::Settled => "it was over before the time of settling was",
        Why::NoRoute => "no route leads anywhere for it",
        Why::HostFault => "its host cannot be read, and that is told instead",
        Why::AccountPaused => "the account of its host is paused, and that is told instead",
        Why::Summarized => "it stands in a summary",
        Why::MergedLater => "a later notice says it too",
        Why::Acknowledged => "somebody has taken note",
        Why::BootGrace => "its host was booted, and what does not come back is told as one",
        Why::ShuttingDown => "its host is shutting down, and that is told if it does not come back",
        Why::Silenced => "a silence covers it",
        Why::Maintenance => "a maintenance window covers it",
        Why::Expired => "it could not be delivered in time",
        Why::Parked => "the destination will never take it",
        Why::DestinationRemoved => "its destination is not in the config any more",
        Why::OwnFailure => "a destination that fails cannot be told of its own failure",
        Why::Limit => "a bound of the program was reached",
    }
}
