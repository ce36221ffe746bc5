//! Asking a host why services are not as expected: how they are set up now, what they depend on, what changed, and what
//! the host's event log says. Everything goes over the kept session; nothing logs on for it.

mod lines;

use crate::{
    probe::{Access, Prober, events::EventsAsked},
    store::{AnyStore, Store, ask, query::HistoryQuery},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
    time::Duration,
};
use svcwatch_core::{
    command_line,
    evidence::{GatherRequest, GatherService, Gathered},
    id::Name,
    limits,
    observe::{Asked, HostReading, ServiceConfig, State},
    record::HistoryRow,
    time::{Span, Wall},
};
use tokio::time::{Instant, timeout_at};

/// Asks hosts.
#[derive(Debug, Clone)]
pub struct Gatherer {
    prober: Arc<Prober>,
    /// Where history is kept; none where nobody keeps it.
    store: Option<Arc<AnyStore>>,
}

/// What a host said of its services just now.
#[derive(Debug, Default)]
struct Around {
    /// Their states, by key name in lower case; those of drivers and other services that the list lacks, as far as somebody
    /// depends on them.
    states: BTreeMap<String, State>,
    /// The services of each process.
    processes: BTreeMap<u32, Vec<String>>,
}

impl Around {
    fn of(reading: HostReading) -> Self {
        let mut around = Self::default();
        for one in reading.services {
            around
                .states
                .insert(one.name.to_lowercase(), one.reading.state);
            if let Some(process) = one.reading.pid {
                around.processes.entry(process).or_default().push(one.name);
            }
        }
        for (name, answer) in reading.asked {
            let state = match answer {
                Asked::Read(reading) => reading.state,
                Asked::Missing => State::Missing,
                // Of what is hidden from us nothing is said.
                Asked::Hidden => continue,
            };
            around.states.insert(name.key().to_owned(), state);
        }
        around
    }
}

impl Gatherer {
    /// Asks over the sessions of this prober.
    pub const fn new(prober: Arc<Prober>) -> Self {
        Self {
            prober,
            store: None,
        }
    }

    /// The same, with what is remembered of the services.
    #[must_use]
    pub fn that_remembers(mut self, store: Arc<AnyStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Asks a host about services that are not as expected. It answers within the request's time, with what was found
    /// out until then, and says of the rest that it is lacking. `access` is waited for only where the event log is read.
    pub async fn gather(
        &self,
        request: &GatherRequest,
        access: impl Future<Output = Result<Access, String>>,
    ) -> Vec<Gathered> {
        let deadline = Instant::now() + Duration::from_millis(request.timeout.0);
        let host = &request.host;
        let names: Vec<Name> = request
            .services
            .iter()
            .map(|one| one.service.clone())
            .collect();
        let mut found: Vec<Gathered> = names.iter().cloned().map(Gathered::nothing).collect();
        let remembered = self.remembered(host, &names).await;
        for (one, rows) in found.iter_mut().zip(remembered) {
            match rows {
                Ok(rows) => one.history = rows,
                Err(why) => one
                    .lacking
                    .push(format!("its history cannot be read: {why}")),
            }
        }
        let question = |deadline| left(deadline).min(request.question);
        let configs = self.prober.read_config(host, &names, question(deadline));
        let configs = Box::pin(configs).await;
        let needed = needed(configs.as_deref().unwrap_or_default());
        let around = Box::pin(self.prober.look(host, &needed, question(deadline))).await;
        let around = around.map(Around::of).map_err(|fault| fault.cause);
        for one in &mut found {
            match &configs {
                Ok(configs) => set_up(one, configs, &around),
                Err(fault) => one
                    .lacking
                    .push(format!("how it is set up cannot be read: {}", fault.cause)),
            }
            match &around {
                Ok(around) => one.beside = beside(&one.history, around),
                Err(why) => one
                    .lacking
                    .push(format!("the services around it cannot be read: {why}")),
            }
        }
        for one in &mut found {
            self.ask_dependents(host, question(deadline), one).await;
        }
        if request.log {
            let access = timeout_at(deadline, access)
                .await
                .unwrap_or_else(|_| Err("the password could not be read in time".to_owned()));
            for (asked, one) in request.services.iter().zip(&mut found) {
                self.read_log(request, asked, &access, deadline, one).await;
            }
        }
        found
    }

    /// What depends on a service.
    async fn ask_dependents(&self, host: &Name, within: Span, one: &mut Gathered) {
        match Box::pin(self.prober.dependents(host, &one.service, within)).await {
            Ok(Some(dependents)) => {
                let shown = dependents.into_iter().take(limits::CLUES_OF_A_KIND);
                one.dependents = shown.map(|other| (other.name, other.state)).collect();
            }
            Ok(None) => {
                let why = "its host does not tell what depends on it (the right to ask that, \
                     SERVICE_ENUMERATE_DEPENDENTS, may lack)";
                one.lacking.push(why.to_owned());
            }
            Err(fault) => {
                let why = format!("what depends on it cannot be read: {}", fault.cause);
                one.lacking.push(why);
            }
        }
    }

    /// The last lines of history of each of these services.
    async fn remembered(
        &self,
        host: &Name,
        services: &[Name],
    ) -> Vec<Result<Vec<HistoryRow>, String>> {
        let mut remembered = Vec::new();
        for service in services {
            let Some(store) = self.store.clone() else {
                remembered.push(Ok(Vec::new()));
                continue;
            };
            let query = HistoryQuery {
                host: Some(host.clone()),
                service: Some(service.clone()),
                before: None,
                limit: limits::CLUE_HISTORY_MAX,
            };
            let read = ask(store, move |store| store.history(&query)).await;
            remembered.push(
                read.map(|page| page.items)
                    .map_err(|error| error.to_string()),
            );
        }
        remembered
    }

    async fn read_log(
        &self,
        request: &GatherRequest,
        asked: &GatherService,
        access: &Result<Access, String>,
        deadline: Instant,
        one: &mut Gathered,
    ) {
        let access = match access {
            Ok(access) => access,
            Err(why) => {
                one.lacking
                    .push(format!("the event log is not read: {why}"));
                return;
            }
        };
        let executable = one.config.as_ref().and_then(|config| {
            let line = config.binary_path.as_deref()?;
            file_name(command_line::executable(line))
        });
        let events = EventsAsked {
            service: asked.service.as_str().to_owned(),
            display_name: asked.display_name.clone(),
            sources: Vec::new(),
            executable,
            since: seconds(asked.since),
        };
        let hold = Span(request.question.0.div_euclid(limits::LOG_HOLDS_ONE_IN));
        let (host, within) = (&request.host, left(deadline));
        let read = self.prober.events(host, access, &events, within, hold);
        match Box::pin(read).await {
            Ok(found) => {
                let shown = asked.display_name.as_deref();
                let names: Vec<&str> = [Some(asked.service.as_str()), shown]
                    .into_iter()
                    .flatten()
                    .collect();
                let told = found.lines.iter().map(|line| lines::told(line, &names));
                one.log = told.collect();
                if found.cut {
                    let why = "there are more lines of the event log about it than were read";
                    one.lacking.push(why.to_owned());
                }
            }
            Err(why) => one
                .lacking
                .push(format!("no lines of the event log: {why}")),
        }
    }
}

/// What is left until the deadline.
fn left(deadline: Instant) -> Span {
    let left = deadline.saturating_duration_since(Instant::now());
    Span(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
}

/// A time of ours as event logs count it.
fn seconds(at: Wall) -> u32 {
    u32::try_from(at.0.max(0) / 1_000).unwrap_or(u32::MAX)
}

/// The file of a path of Windows.
fn file_name(path: &str) -> Option<String> {
    let name = path.trim_matches('"').rsplit(['\\', '/']).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// The services and drivers that are depended on, each once; groups are none.
fn needed(configs: &[ServiceConfig]) -> Vec<Name> {
    let needed: BTreeSet<Name> = configs
        .iter()
        .flat_map(|config| config.dependencies.iter().flatten())
        .filter(|name| !name.is_empty() && !name.starts_with('+'))
        .map(|name| Name::new(name))
        .collect();
    needed
        .into_iter()
        .take(limits::DEPENDENCIES_ASKED_MAX)
        .collect()
}

/// The services that run in the process that a service ran in last, as far as its history tells which that was.
fn beside(history: &[HistoryRow], around: &Around) -> Option<Vec<String>> {
    let process = history.iter().find_map(|row| row.pid)?;
    Some(around.processes.get(&process).cloned().unwrap_or_default())
}

/// How a service is set up, and what it depends on.
fn set_up(one: &mut Gathered, configs: &[ServiceConfig], around: &Result<Around, String>) {
    let Some(config) = configs
        .iter()
        .find(|config| Name::new(&config.name) == one.service)
    else {
        one.lacking
            .push("its host does not tell how it is set up".to_owned());
        return;
    };
    if let Ok(around) = around {
        let needed = config.dependencies.iter().flatten();
        let state = |name: &str| around.states.get(&name.to_lowercase()).copied();
        one.dependencies = needed
            .take(limits::CLUES_OF_A_KIND)
            .map(|name| (name.clone(), state(name)))
            .collect();
    }
    one.config = Some(config.clone());
}

#[cfg(test)]
mod tests {
    use super::*;
    use svcwatch_core::{
        id::Subject,
        observe::{Reading, ServiceReading},
    };

    fn line(name: &str, state: State, pid: Option<u32>) -> ServiceReading {
        ServiceReading {
            name: name.to_owned(),
            display_name: String::new(),
            reading: reading(state, pid),
        }
    }

    fn reading(state: State, pid: Option<u32>) -> Reading {
        Reading {
            state,
            pid,
            exit_code: Some(0),
            service_exit_code: Some(0),
            checkpoint: 0,
            wait_hint: Span::ZERO,
        }
    }

    #[test]
    fn what_it_depends_on_is_told_with_its_state() {
        let mut one = Gathered::nothing("Spooler".into());
        let needs = ["RPCSS", "Hidden", "HTTP", "Gone", "+TDI", ""];
        let configs = [ServiceConfig {
            name: "spooler".to_owned(),
            dependencies: Some(needs.map(str::to_owned).to_vec()),
            ..ServiceConfig::default()
        }];
        let ask: Vec<String> = needed(&configs).iter().map(ToString::to_string).collect();
        assert_eq!(ask, ["Gone", "Hidden", "HTTP", "RPCSS"]);
        let around = Ok(Around::of(HostReading {
            services: vec![line("RpcSs", State::Running, Some(4))],
            asked: vec![
                ("Hidden".into(), Asked::Hidden),
                ("HTTP".into(), Asked::Read(reading(State::Stopped, None))),
                ("Gone".into(), Asked::Missing),
            ],
            uptime: None,
        }));
        set_up(&mut one, &configs, &around);
        let due = [
            ("RPCSS", Some(State::Running)),
            ("Hidden", None),
            ("HTTP", Some(State::Stopped)),
            ("Gone", Some(State::Missing)),
            ("+TDI", None),
            ("", None),
        ];
        assert_eq!(
            one.dependencies,
            due.map(|(name, state)| (name.to_owned(), state))
        );
        let mut other = Gathered::nothing("Fax".into());
        set_up(&mut other, &configs, &around);
        assert_eq!(other.lacking, ["its host does not tell how it is set up"]);
    }

    #[test]
    fn who_runs_in_its_last_process_is_found() {
        let row = |pid| HistoryRow {
            record: 1,
            subject: Subject::Fleet,
            seq: 1,
            at: Wall(1),
            from: None,
            to: None,
            fault: None,
            event: None,
            incident: None,
            exit_code: None,
            service_exit_code: None,
            pid,
            cause: None,
        };
        let around = Around::of(HostReading {
            services: vec![
                line("Fax", State::Running, Some(8)),
                line("Bits", State::StartPending, Some(8)),
                line("Spooler", State::Stopped, None),
            ],
            ..HostReading::default()
        });
        let found = |pids: &[Option<u32>]| {
            let rows: Vec<HistoryRow> = pids.iter().map(|pid| row(*pid)).collect();
            beside(&rows, &around)
        };
        assert_eq!(found(&[None, Some(8), Some(9)]).unwrap(), ["Fax", "Bits"]);
        assert_eq!(found(&[Some(9), Some(8)]).unwrap(), [""; 0]);
        assert_eq!(found(&[None]), None);
    }

    #[test]
    fn paths_and_times_of_windows_are_read() {
        assert_eq!(
            file_name(r"C:\Windows\System32\spoolsv.exe").unwrap(),
            "spoolsv.exe"
        );
        assert_eq!(file_name("\"C:/a b/c.exe\"").unwrap(), "c.exe");
        assert_eq!(file_name(r"C:\"), None);
        assert_eq!(seconds(Wall(-5)), 0);
        assert_eq!(seconds(Wall(1_700_000_000_999)), 1_700_000_000);
    }
}
