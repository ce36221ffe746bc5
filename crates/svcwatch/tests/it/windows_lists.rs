//! `start: automatic` on the services of fresh Windows installations: hours in which services start late, come and go,
//! follow the users and change their own start types say nothing, and what really ends is told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use svcwatch::config::{LoadOptions, load_text};
use svcwatch_core::effect::{Effect, ProbeRequest, Step};
use svcwatch_core::engine::Engine;
use svcwatch_core::event::{Event, Verdict};
use svcwatch_core::id::{Name, StoreId};
use svcwatch_core::notice::{Kind, Notice, ToldEvent};
use svcwatch_core::observe::{
    Asked, HostReading, Logon, Observation, Outcome, Reading, ServiceConfig, ServiceReading,
    StartType, State,
};
use svcwatch_core::per_user;
use svcwatch_core::record::{HistoryRow, Record, Restored};
use svcwatch_core::time::{Now, Span, Tick, Wall};

const LISTS: [(&str, &str); 5] = [
    (
        "Windows Server 2016",
        include_str!("../data/windows/server-2016.csv"),
    ),
    (
        "Windows Server 2019",
        include_str!("../data/windows/server-2019.csv"),
    ),
    (
        "Windows Server 2022",
        include_str!("../data/windows/server-2022.csv"),
    ),
    (
        "Windows Server 2025",
        include_str!("../data/windows/server-2025.csv"),
    ),
    ("Windows 11", include_str!("../data/windows/windows-11.csv")),
];

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// How much time passes at once.
const STEP: u64 = 10;
/// What starts with a delay starts so long after the machine.
const DELAY: u64 = 2 * MINUTE;
/// When somebody logs on and off, with the number of the logon.
const LOGONS: [(u64, u64, &str); 2] = [
    (30 * MINUTE, 2 * HOUR, "1a2b3"),
    (3 * HOUR, 4 * HOUR, "5f00d"),
];

/// One line of a list.
#[derive(Clone)]
struct Line {
    name: String,
    display_name: String,
    start_type: StartType,
    trigger: bool,
    per_user: bool,
    typical: String,
}

fn lines(list: &str) -> Vec<Line> {
    list.lines()
        .skip(1)
        .map(|line| {
            let parts: Vec<&str> = line.split(',').collect();
            let [
                name,
                display_name,
                start,
                delayed,
                trigger,
                per_user,
                typical,
                _,
            ] = parts[..]
            else {
                panic!("a line of {} parts: {line}", parts.len());
            };
            let start_type = match (start, delayed) {
                ("automatic", "yes") => StartType::AutomaticDelayed,
                (word, "no") => StartType::parse(word).expect("a start type"),
                other => panic!("{name} starts as {other:?}"),
            };
            Line {
                name: name.to_owned(),
                display_name: display_name.to_owned(),
                start_type,
                trigger: trigger == "yes",
                per_user: per_user == "yes",
                typical: typical.to_owned(),
            }
        })
        .collect()
}

/// A machine with the services of a list, which has just started.
struct Machine {
    lines: Vec<Line>,
    /// What somebody did to a service: its state and exit code from then on.
    forced: BTreeMap<String, (State, u32)>,
}

impl Machine {
    /// How a service is at a time, in seconds since the machine started.
    fn reading(&self, line: &Line, at: u64) -> Reading {
        let delayed = line.start_type == StartType::AutomaticDelayed;
        let begins = if delayed { DELAY } else { 0 };
        // Each comes and goes at times of its own.
        let own = line.name.bytes().map(u64::from).sum::<u64>() * MINUTE % (50 * MINUTE);
        let (state, code) = match line.typical.as_str() {
            _ if at < begins => (State::Stopped, 1077),
            _ if at < begins + 20 && line.typical != "never_started" => (State::StartPending, 0),
            "runs" => (State::Running, 0),
            "comes_and_goes" => {
                let manual = line.start_type == StartType::Manual;
                if manual && at < own {
                    (State::Stopped, 1077)
                } else if (at + own) % (50 * MINUTE) < 7 * MINUTE || at < begins + 10 * MINUTE {
                    (State::Running, 0)
                } else {
                    (State::Stopped, 0)
                }
            }
            _ => (State::Stopped, 1077),
        };
        let (state, code) = self
            .forced
            .get(&line.name)
            .copied()
            .unwrap_or((state, code));
        Reading {
            state,
            pid: (state != State::Stopped).then_some(700),
            exit_code: Some(code),
            service_exit_code: Some(0),
            checkpoint: u32::try_from(at % 1_000).unwrap_or(0),
            wait_hint: Span::seconds(3),
        }
    }

    /// The list as the probe gives it.
    fn list(&self, at: u64) -> Vec<ServiceReading> {
        let mut listed = Vec::new();
        for line in &self.lines {
            let plain = ServiceReading {
                name: line.name.clone(),
                display_name: line.display_name.clone(),
                reading: self.reading(line, at),
            };
            if !line.per_user {
                listed.push((plain, false));
                continue;
            }
            let users = LOGONS
                .iter()
                .filter(|(from, to, _)| (*from..*to).contains(&at));
            listed.extend(users.map(|(_, _, number)| {
                let instance = ServiceReading {
                    name: format!("{}_{number}", line.name),
                    display_name: format!("{}_{number}", line.display_name),
                    ..plain.clone()
                };
                (instance, true)
            }));
        }
        per_user::folded(listed)
    }

    fn observation(&self, request: &ProbeRequest, at: u64) -> Observation {
        let services = self.list(at);
        let lacks = |name: &&Name| !services.iter().any(|one| Name::new(&one.name) == **name);
        let asked = request
            .ask
            .iter()
            .filter(lacks)
            .map(|name| {
                let template = self
                    .lines
                    .iter()
                    .any(|line| line.per_user && Name::new(&line.name) == *name);
                let answer = if template {
                    Asked::Read(per_user::nobody())
                } else {
                    Asked::Missing
                };
                (name.clone(), answer)
            })
            .collect();
        Observation {
            host: request.host.clone(),
            probe: request.probe,
            refusals: 0,
            administrator: None,
            took: Span(20),
            logon: Logon::Accepted,
            computer_name: None,
            outcome: Outcome::Read(HostReading {
                services,
                asked,
                uptime: None,
            }),
            session_kept: true,
        }
    }

    fn configs(&self, names: &[Name], at: u64) -> Vec<ServiceConfig> {
        let line = |name: &&Name| {
            self.lines
                .iter()
                .find(|line| Name::new(&line.name) == **name)
                .cloned()
        };
        let config = |line: Line| {
            // Windows Update lets the transfers start with the machine for as long as it needs them.
            let start_type = match line.name.as_str() {
                "BITS" | "TrustedInstaller" if at / HOUR % 2 == 1 => StartType::Automatic,
                "BITS" | "TrustedInstaller" => StartType::Manual,
                _ => line.start_type,
            };
            ServiceConfig {
                name: line.name,
                start_type: Some(start_type),
                trigger_start: Some(line.trigger),
                per_user: Some(line.per_user),
                display_name: Some(line.display_name),
                account: Some("LocalSystem".to_owned()),
                ..ServiceConfig::default()
            }
        };
        names
            .iter()
            .filter_map(|name| line(&name))
            .map(config)
            .collect()
    }
}

/// The engine with a plan of the config, and a machine that it reads.
struct Story {
    engine: Engine,
    machine: Machine,
    at: u64,
    told: Vec<Notice>,
    history: Vec<HistoryRow>,
    next: Vec<(u64, Event)>,
}

impl Story {
    fn new(list: &str, entry: &str) -> Self {
        let text = format!(
            "hosts: [{{ name: srv01, every: 30s, services: [{entry}] }}]\ndestinations: {{ out: {{ type: log }} }}\n"
        );
        let options = LoadOptions {
            look: false,
            accounts: false,
        };
        let config = load_text(text.as_bytes(), Path::new("config.yaml"), options)
            .expect("the config is good");
        let restored = Restored {
            store: StoreId([7; 16]),
            ..Restored::default()
        };
        let (engine, step) = Engine::restore(restored, &Arc::new(config.core), now(0));
        let mut story = Self {
            engine,
            machine: Machine {
                lines: lines(list),
                forced: BTreeMap::new(),
            },
            at: 0,
            told: Vec::new(),
            history: Vec::new(),
            next: Vec::new(),
        };
        story.take(step);
        story
    }

    fn take(&mut self, step: Step) {
        self.history
            .extend(step.commit.iter().filter_map(|record| match record {
                Record::History(row) => Some(row.clone()),
                _ => None,
            }));
        for effect in step.effects {
            let answer = match effect {
                Effect::Probe(request) => {
                    Event::Observed(self.machine.observation(&request, self.at))
                }
                Effect::ReadConfig { host, services } => Event::ConfigRead {
                    host,
                    services: Ok(self.machine.configs(&services, self.at)),
                },
                Effect::Render {
                    delivery, notice, ..
                } => {
                    self.told.push(Notice::clone(&notice));
                    Event::Rendered {
                        delivery,
                        payload: Ok(Arc::from(&b"x"[..])),
                    }
                }
                Effect::Send { delivery, .. } => Event::Settled {
                    delivery,
                    verdict: Verdict::Delivered,
                    answer: String::new(),
                },
                Effect::Gather(request) => Event::Gathered {
                    host: request.host,
                    gather: request.gather,
                    found: Vec::new(),
                },
                Effect::Forget { .. }
                | Effect::Visit(_)
                | Effect::Leave(_)
                | Effect::AnswerVisit { .. }
                | Effect::Act(_)
                | Effect::Listen { .. }
                | Effect::StopListening { .. }
                | Effect::Show(_)
                | Effect::Note(_) => continue,
            };
            self.next.push((self.at, answer));
        }
    }

    /// Lets so many seconds pass.
    fn pass(&mut self, seconds: u64) {
        let until = self.at + seconds;
        while self.at < until {
            let events = std::mem::take(&mut self.next);
            for (_, event) in events {
                let step = self.engine.apply(now(self.at), event);
                self.take(step);
            }
            if self.next.is_empty() {
                self.at += STEP;
                let step = self.engine.apply(now(self.at), Event::Tick);
                self.take(step);
            }
        }
    }

    fn words(&self) -> Vec<String> {
        let told = self.told.iter();
        told.map(|notice| {
            let service = notice.subject.service().map_or("", Name::as_str);
            format!(
                "{} {} {service} {:?}",
                notice.kind, notice.event, notice.exit_code
            )
        })
        .collect()
    }
}

fn now(at: u64) -> Now {
    Now {
        tick: Tick(svcwatch_core::limits::TICK_ORIGIN + at * 1_000),
        wall: Wall(1_700_000_000_000 + i64::try_from(at * 1_000).expect("not for ever")),
    }
}

#[test]
fn hours_of_a_fresh_windows_say_nothing_and_a_crash_is_told() {
    for (version, list) in LISTS {
        for entry in [
            "{ start: automatic }",
            "{ start: automatic, stopped_ok: never }",
        ] {
            let mut story = Story::new(list, entry);
            story.pass(6 * HOUR);
            assert_eq!(story.words(), Vec::<String>::new(), "{version} {entry}");
            let moved = story.history.iter().filter(|row| row.from.is_some());
            assert!(moved.count() > 20, "{version}: nothing came and went");

            let down = |code| ("Spooler".to_owned(), (State::Stopped, code));
            story.machine.forced.extend([down(1067)]);
            story.pass(2 * MINUTE);
            assert_eq!(
                story.words(),
                ["opened stopped Spooler Some(1067)"],
                "{version} {entry}"
            );
            story.machine.forced.clear();
            story.pass(2 * MINUTE);
            assert_eq!(story.words().len(), 2, "{version} {entry}");
            story.told.clear();

            // Who stops it in an orderly way is told of it where the config wants that.
            story.machine.forced.extend([down(0)]);
            story.pass(2 * MINUTE);
            let wanted: &[&str] = if entry.contains("never") {
                &["opened stopped Spooler Some(0)"]
            } else {
                &[]
            };
            assert_eq!(story.words(), wanted, "{version} {entry}");
        }
    }
}

#[test]
fn a_crash_of_what_comes_and_goes_is_told_unless_it_is_known_noise() {
    let (_, list) = LISTS[3];
    for (noise, told) in [("", 0), ("noise: []\n", 1)] {
        let mut story = Story::new(list, &format!("{{ start: automatic }}] }}]\n{noise}#"));
        story.pass(HOUR);
        story
            .machine
            .forced
            .insert("RemoteRegistry".to_owned(), (State::Stopped, 1067));
        story.pass(2 * MINUTE);
        assert_eq!(story.words().len(), told, "{:?}", story.words());
    }
}

#[test]
fn what_was_selected_stays_when_its_start_type_changes_and_that_is_told() {
    let (_, list) = LISTS[2];
    let mut story = Story::new(list, "{ start: automatic }");
    story.pass(10 * MINUTE);
    let spooler = story
        .machine
        .lines
        .iter_mut()
        .find(|line| line.name == "Spooler")
        .expect("it is listed");
    spooler.start_type = StartType::Disabled;
    story.pass(3 * HOUR);
    let told: Vec<_> = story
        .told
        .iter()
        .map(|notice| (notice.kind, notice.event, notice.cause.as_deref()))
        .collect();
    let cause = "start type: now disabled, before automatic; it stays watched";
    assert_eq!(told, [(Kind::Info, ToldEvent::Changed, Some(cause))]);
    story.told.clear();
    story
        .machine
        .forced
        .insert("Spooler".to_owned(), (State::Stopped, 1067));
    story.pass(2 * MINUTE);
    assert_eq!(story.words(), ["opened stopped Spooler Some(1067)"]);
}
