//! The machines as they truly are, and what a probe of one brings back.

use crate::{
    changes::SetUp,
    rng::Rng,
    services::{Service, Visible},
    setup::{MachineSetup, SECOND, display_name_of, start_type_of},
    story::MachineChange,
};
use svcwatch_core::{
    effect::ProbeRequest,
    id::Name,
    limits,
    observe::{
        Asked, Fault, HostFault, HostReading, Logon, Observation, Outcome, Reading, Refusal,
        ServiceConfig, ServiceReading, State,
    },
    time::Span,
};

/// How a machine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Well.
    Well,
    /// Not, with this fault.
    Fault(Fault),
    /// Not before the deadline, and then that.
    Hangs,
    /// Never.
    Silent,
    /// So long after everything is over.
    Late(u64),
    /// As another computer.
    Impostor,
    /// With a refused logon.
    Refuses(Refusal),
}

/// A machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// Its computer name.
    pub(crate) computer: String,
    original: String,
    /// Its services of interest.
    pub(crate) services: Vec<Service>,
    fillers: usize,
    shown: usize,
    /// How it answers.
    pub(crate) mode: Mode,
    /// Since when it answers so.
    pub(crate) mode_since: u64,
    /// From when until when it is away, to come back booted, with all services starting.
    away_from: u64,
    pub(crate) away_until: u64,
    /// When it was booted before that; 0 for never.
    booted_before: u64,
    /// Since when it says that it is shutting down, before it goes away.
    says_so_from: u64,
    /// How long it ran when the world began, where it tells that.
    uptime: Option<u64>,
    /// The computer at the other end of the kept session.
    pub(crate) session: Option<String>,
    /// Since when that session is kept.
    pub(crate) session_since: u64,
}

impl Machine {
    /// A machine before anything happens.
    pub(crate) fn new(setup: &MachineSetup) -> Self {
        let service = |(place, (name, state)): (u32, &(Name, State))| Service {
            name: name.clone(),
            state: *state,
            then: None,
            wait_hint: 0,
            exit_code: 0,
            pid: 1_000 + 40_000 * place,
            since: 0,
            visible: Visible::Listed,
            boot: None,
            set_up: SetUp::default(),
        };
        Self {
            computer: setup.computer.clone(),
            original: setup.computer.clone(),
            services: (0..).zip(&setup.services).map(service).collect(),
            fillers: setup.fillers,
            shown: setup.fillers,
            mode: Mode::Well,
            mode_since: 0,
            away_from: 0,
            away_until: 0,
            booted_before: 0,
            says_so_from: 0,
            uptime: setup.uptime,
            session: None,
            session_since: 0,
        }
    }

    /// Something happens to it.
    pub(crate) fn change(&mut self, now: u64, change: &MachineChange) {
        let mode = match change {
            MachineChange::Die => Mode::Fault(Fault::Unreachable),
            MachineChange::LoseName => Mode::Fault(Fault::NameNotResolved),
            MachineChange::Hang => Mode::Hangs,
            MachineChange::Silence => Mode::Silent,
            MachineChange::AnswerLate(by) => Mode::Late(*by),
            MachineChange::Impostor => Mode::Impostor,
            MachineChange::Refuse(refusal) => Mode::Refuses(*refusal),
            MachineChange::Deny => Mode::Fault(Fault::AccessDenied),
            MachineChange::Garbage => Mode::Fault(Fault::ProtocolError),
            MachineChange::ShutDown => Mode::Fault(Fault::ShuttingDown),
            MachineChange::Heal => {
                self.shown = self.fillers;
                self.computer = self.original.clone();
                Mode::Well
            }
            MachineChange::Rename => {
                self.computer = format!("{}-NEW", self.original);
                Mode::Well
            }
            MachineChange::ShowLess => {
                self.shown = self.fillers / 3;
                return;
            }
            MachineChange::DropSession => {
                self.session = None;
                return;
            }
            MachineChange::Reboot(length) => {
                self.reboot(now, now, *length, u64::MAX);
                self.session = None;
                return;
            }
            MachineChange::ShutDownAndBoot(down, length, back) => {
                for (place, service) in (1..).zip(&mut self.services) {
                    service.leaves(now, now + 700 * place);
                }
                self.reboot(now, now + down, *length, *back);
                self.says_so_from = now + 2 * SECOND;
                return;
            }
        };
        self.session = None;
        self.mode = mode;
        self.mode_since = self.mode_since.max(now);
        if self.away_until <= now {
            self.mode_since = now;
        }
    }

    /// It goes away and comes back after so long, with those services for which there is a bit.
    fn reboot(&mut self, now: u64, from: u64, length: u64, back: u64) {
        self.booted_before = self.booted_at(now);
        self.away_from = from;
        self.away_until = from + length;
        self.says_so_from = from;
        for (place, service) in self.services.iter_mut().enumerate() {
            service.boots(now, self.away_until, back >> (place % 64) & 1 == 1);
        }
        self.mode_since = self.away_until;
    }

    /// How long it runs, as it tells it: a count of 32 bits.
    fn uptime(&self, now: u64) -> Option<Span> {
        let before = self.uptime?;
        let runs = match self.booted_at(now) {
            0 => now + before,
            booted => now - booted + 1_000,
        };
        Some(Span(runs % limits::UPTIME_WRAP))
    }

    /// The process of what nobody watches: another one after each boot.
    fn process(&self, now: u64, filler: usize) -> u32 {
        let boot = self.booted_at(now);
        u32::try_from(7 + 4 * filler).unwrap_or(7)
            + u32::try_from(boot % 1_000_000).unwrap_or(0) * 200
    }

    /// Whether it was booted by now, and when last.
    pub(crate) fn booted_at(&self, now: u64) -> u64 {
        if now >= self.away_until {
            self.away_until
        } else {
            self.booted_before
        }
    }

    /// It shows all of its services that nobody hid.
    pub(crate) const fn show_all(&mut self) {
        self.shown = self.fillers;
    }

    /// How it answers now.
    pub(crate) const fn mode(&self, now: u64) -> Mode {
        if now < self.away_until && now >= self.away_from {
            Mode::Fault(Fault::Unreachable)
        } else if now < self.away_until && now >= self.says_so_from {
            Mode::Fault(Fault::ShuttingDown)
        } else {
            self.mode
        }
    }

    /// When a probe that begins now comes back, and whether what it says is as of now.
    pub(crate) fn travel(&self, now: u64, timeout: u64, rng: &mut Rng) -> Option<(u64, bool)> {
        let slowest = if rng.chance(5) { 6 * SECOND } else { 150 };
        let quick = rng.between(2, slowest);
        match self.mode(now) {
            Mode::Silent => None,
            Mode::Hangs => Some((timeout, false)),
            Mode::Late(by) => {
                let grace = limits::PROBE_GRACE.0;
                Some((timeout + grace + by, true))
            }
            Mode::Fault(Fault::Unreachable) => Some((rng.between(1, 3 * SECOND), false)),
            _ => Some((quick, false)),
        }
    }

    /// What a probe brings back. `refusal` is how every host refuses the account, where it does, and
    /// `passwords` how many the account has.
    pub(crate) fn answer(
        &mut self,
        now: u64,
        took: u64,
        request: &ProbeRequest,
        logs_on: bool,
        (refusal, passwords): (Option<Refusal>, u8),
    ) -> Observation {
        let mut observation = Observation {
            host: request.host.clone(),
            probe: request.probe,
            refusals: 0,
            administrator: None,
            took: Span(took),
            logon: Logon::None,
            computer_name: None,
            outcome: Outcome::LogonNeeded,
            session_kept: false,
        };
        let mode = self.mode(now);
        if let Some(reason) = fault_before_session(mode) {
            self.session = None;
            observation.outcome = fault(reason, None);
            return observation;
        }
        if self.session.is_none() {
            if logs_on && !request.may_log_on {
                return observation;
            }
            let own = match mode {
                Mode::Refuses(refusal) => Some(refusal),
                _ => None,
            };
            let refused = refusal.or(own);
            if let Some(refusal) = refused.filter(|_| logs_on) {
                // Only a wrong password leads to a try with another one.
                let tries = match refusal {
                    Refusal::WrongPassword => passwords.min(request.logons),
                    _ => 1,
                };
                observation.refusals = tries;
                observation.outcome = fault(Fault::LogonRefused, Some(refusal));
                return observation;
            }
            observation.logon = if logs_on {
                Logon::Accepted
            } else {
                Logon::None
            };
            self.open_session(now, mode);
        }
        observation.session_kept = true;
        observation.computer_name.clone_from(&self.session);
        observation.outcome = match mode {
            Mode::Fault(reason) => fault(reason, None),
            Mode::Impostor => Outcome::Read(self.false_list()),
            _ => Outcome::Read(self.list(now, request)),
        };
        observation
    }

    /// Keeps a session with whoever answers, which need not be the machine itself.
    fn open_session(&mut self, now: u64, mode: Mode) {
        self.session_since = now;
        let impostor = matches!(mode, Mode::Impostor);
        self.session = Some(if impostor {
            "SOMEBODY-ELSE".to_string()
        } else {
            self.computer.clone()
        });
    }

    fn list(&self, now: u64, request: &ProbeRequest) -> HostReading {
        let mut reading = HostReading {
            uptime: self.uptime(now).filter(|_| request.uptime),
            ..HostReading::default()
        };
        for service in &self.services {
            if service.visible == Visible::Listed && service.state(now).0 != State::Missing {
                reading
                    .services
                    .push(line(service.name.as_str(), service.reading(now)));
            }
        }
        for filler in 0..self.shown {
            let running = Reading {
                state: State::Running,
                pid: Some(self.process(now, filler)),
                exit_code: Some(0),
                service_exit_code: Some(0),
                checkpoint: 0,
                wait_hint: Span::ZERO,
            };
            reading
                .services
                .push(line(FILLERS[filler % FILLERS.len()], running));
        }
        for name in request.ask.iter() {
            let asked = match self.services.iter().find(|service| service.name == *name) {
                None => match filler(name) {
                    Some(number) if number < self.shown => continue,
                    Some(number) if number < self.fillers => Asked::Hidden,
                    _ => Asked::Missing,
                },
                Some(service) if service.state(now).0 == State::Missing => Asked::Missing,
                Some(service) if service.visible == Visible::Listed => continue,
                Some(service) if service.visible == Visible::Hidden => Asked::Hidden,
                Some(service) => Asked::Read(service.reading(now)),
            };
            reading.asked.push((name.clone(), asked));
        }
        reading
    }

    /// The list of the other computer: all that is of interest is stopped there.
    fn false_list(&self) -> HostReading {
        let stopped = Reading {
            state: State::Stopped,
            pid: None,
            exit_code: Some(0),
            service_exit_code: Some(0),
            checkpoint: 0,
            wait_hint: Span::ZERO,
        };
        let services = self
            .services
            .iter()
            .map(|service| line(service.name.as_str(), stopped))
            .collect();
        HostReading {
            services,
            ..HostReading::default()
        }
    }

    /// The configuration of services.
    pub(crate) fn config(&self, now: u64, asked: &[Name]) -> Result<Vec<ServiceConfig>, HostFault> {
        match self.mode(now) {
            Mode::Well if self.session.is_some() => {}
            Mode::Impostor | Mode::Well => {
                return Err(HostFault {
                    fault: Fault::Unreachable,
                    cause: "no session".to_string(),
                    refusal: None,
                });
            }
            _ => {
                return Err(HostFault {
                    fault: Fault::Timeout,
                    cause: "no answer".to_string(),
                    refusal: None,
                });
            }
        }
        let config = |name: &Name| ServiceConfig {
            name: name.as_str().to_string(),
            start_type: Some(start_type_of(name.as_str())),
            trigger_start: Some(false),
            per_user: Some(false),
            display_name: Some(display_name_of(name.as_str())),
            failure_actions: crate::recoveries::failure_actions(name.as_str()),
            ..ServiceConfig::default()
        };
        let config = |name: &Name| {
            let mut config = config(name);
            if let Some(service) = self.services.iter().find(|service| service.name == *name) {
                service.configure(&mut config);
            }
            config
        };
        let there = |name: &&Name| {
            let known = self.services.iter().find(|service| service.name == **name);
            known.is_none_or(|service| {
                service.state(now).0 != State::Missing && service.visible != Visible::Hidden
            })
        };
        Ok(asked.iter().filter(there).map(config).collect())
    }
}

/// Names of services that nobody watches.
const FILLERS: [&str; 40] = [
    "Fill00", "Fill01", "Fill02", "Fill03", "Fill04", "Fill05", "Fill06", "Fill07", "Fill08",
    "Fill09", "Fill10", "Fill11", "Fill12", "Fill13", "Fill14", "Fill15", "Fill16", "Fill17",
    "Fill18", "Fill19", "Fill20", "Fill21", "Fill22", "Fill23", "Fill24", "Fill25", "Fill26",
    "Fill27", "Fill28", "Fill29", "Fill30", "Fill31", "Fill32", "Fill33", "Fill34", "Fill35",
    "Fill36", "Fill37", "Fill38", "Fill39",
];

/// Which of them a name is.
fn filler(name: &Name) -> Option<usize> {
    FILLERS
        .iter()
        .position(|filler| filler.eq_ignore_ascii_case(name.key()))
}

/// The fault that lets no session come about or last: a machine that denies or shuts down still has one.
const fn fault_before_session(mode: Mode) -> Option<Fault> {
    match mode {
        Mode::Fault(Fault::AccessDenied | Fault::ShuttingDown) => None,
        Mode::Fault(reason) => Some(reason),
        Mode::Hangs | Mode::Silent => Some(Fault::Timeout),
        _ => None,
    }
}

/// What a probe brings back that failed.
fn fault(fault: Fault, refusal: Option<Refusal>) -> Outcome {
    Outcome::Fault(HostFault {
        fault,
        cause: format!("it said {fault}"),
        refusal,
    })
}

fn line(name: &str, reading: Reading) -> ServiceReading {
    ServiceReading {
        name: name.to_string(),
        display_name: display_name_of(name),
        reading,
    }
}
