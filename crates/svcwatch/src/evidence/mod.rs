//! Asking a host why services are not as expected: how they are set up now, what they depend on, what changed, and what
//! the host's event log says. Everything goes over the kept session; nothing logs on for it.

mod lines;

use crate::{
    probe::{Access, Prober, events::EventsAsked},
    store::{AnyStore, Store, ask, query::HistoryQuery},
};
use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};
use svcwatch_core::{
    command_line,
    evidence::{GatherRequest, GatherService, Gathered},
    id::Name,
    limits,
    observe::{ServiceConfig, State},
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

/// The services of a host with their states, by key name in lower case.
type States = BTreeMap<String, State>;

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
        let configs = Box::pin(self.prober.read_config(host, &names, left(deadline))).await;
        let states = Box::pin(self.prober.look(host, left(deadline))).await;
        let states: Result<States, String> = states
            .map(|reading| {
                let services = reading.services.into_iter();
                services
                    .map(|one| (one.name.to_lowercase(), one.reading.state))
                    .collect()
            })
            .map_err(|fault| fault.cause);
        for one in &mut found {
            match &configs {
                Ok(configs) => set_up(one, configs, &states),
                Err(fault) => one
                    .lacking
                    .push(format!("how it is set up cannot be read: {}", fault.cause)),
            }
            if let Err(why) = &states {
                one.lacking
                    .push(format!("the services around it cannot be read: {why}"));
            }
        }
        for one in &mut found {
            self.ask_dependents(host, deadline, one).await;
        }
        if request.log {
            let access = timeout_at(deadline, access)
                .await
                .unwrap_or_else(|_| Err("the password could not be read in time".to_owned()));
            for (asked, one) in request.services.iter().zip(&mut found) {
                self.read_log(host, asked, &access, deadline, one).await;
            }
        }
        found
    }

    /// What depends on a service.
    async fn ask_dependents(&self, host: &Name, deadline: Instant, one: &mut Gathered) {
        match Box::pin(self.prober.dependents(host, &one.service, left(deadline))).await {
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
        host: &Name,
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
        match Box::pin(self.prober.events(host, access, &events, left(deadline))).await {
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

/// How a service is set up, and what it depends on.
fn set_up(one: &mut Gathered, configs: &[ServiceConfig], states: &Result<States, String>) {
    let Some(config) = configs
        .iter()
        .find(|config| Name::new(&config.name) == one.service)
    else {
        one.lacking
            .push("its host does not tell how it is set up".to_owned());
        return;
    };
    if let Ok(states) = states {
        let needed = config.dependencies.iter().flatten();
        one.dependencies = needed
            .take(limits::CLUES_OF_A_KIND)
            .map(|name| (name.clone(), states.get(&name.to_lowercase()).copied()))
            .collect();
    }
    one.config = Some(config.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_depends_on_is_told_with_its_state() {
        let mut one = Gathered::nothing("Spooler".into());
        let configs = [ServiceConfig {
            name: "spooler".to_owned(),
            dependencies: Some(vec!["RPCSS".to_owned(), "Gone".to_owned()]),
            ..ServiceConfig::default()
        }];
        let states = Ok(States::from([("rpcss".to_owned(), State::Running)]));
        set_up(&mut one, &configs, &states);
        let due = [
            ("RPCSS".to_owned(), Some(State::Running)),
            ("Gone".to_owned(), None),
        ];
        assert_eq!(one.dependencies, due);
        let mut other = Gathered::nothing("Fax".into());
        set_up(&mut other, &configs, &states);
        assert_eq!(other.lacking, ["its host does not tell how it is set up"]);
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
