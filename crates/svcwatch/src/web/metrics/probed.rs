//! What /probe says of one host: windows_exporter's series of all services that the host shows, under the names that
//! /metrics has, and without a label for the host: Prometheus puts its own there. Of services that are watched it says
//! all that the rules ask for, and that also where the host could not be read: so the rules hold for both ways.

use super::{
    Format,
    own::{seconds, state_number, trigger},
    watched::{START_MODES, STATES, gauge, number, start_mode},
};
use crate::{board::Row, probe::command_line};
use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeMetric, MetricEncoder,
        text::{encode_eof, encode_registry},
    },
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};
use std::{fmt, time::Duration};
use svcwatch_core::{
    id::Name,
    observe::{Asked, Fault, HostReading, Reading, State},
};

/// A service of the host.
#[derive(Debug, Clone)]
pub struct ProbedService {
    /// Its key name.
    name: Name,
    display_name: String,
    state: State,
    pid: Option<u32>,
    exit_code: Option<u32>,
    /// What the rounds know of it, where it is watched.
    row: Option<Row>,
}

/// What came of a probe.
#[derive(Debug, Clone, Default)]
pub struct Probed {
    /// The fault of the host, where it was not read.
    pub fault: Option<Fault>,
    /// Its services.
    pub services: Vec<ProbedService>,
    /// Where the host is; empty where that is not known.
    pub site: String,
    /// How long it took.
    pub took: Duration,
}

impl ProbedService {
    /// The services of a reading that this wants, sorted by name, each with what the rounds know of it. `rows` are the
    /// watched services of the host, sorted by name; those that the reading does not show are as the rounds saw them.
    pub fn all(reading: HostReading, wanted: impl Fn(&str) -> bool, rows: Vec<Row>) -> Vec<Self> {
        let mut services: Vec<Self> = Vec::with_capacity(reading.services.len());
        for service in reading.services {
            if wanted(&service.name) {
                let name = Name::new(&service.name);
                services.push(Self::new(name, service.display_name, service.reading));
            }
        }
        for (name, asked) in reading.asked {
            let missing = Reading {
                state: State::Missing,
                pid: None,
                exit_code: None,
                service_exit_code: None,
                checkpoint: 0,
                wait_hint: svcwatch_core::time::Span::ZERO,
            };
            let reading = match asked {
                Asked::Missing => missing,
                Asked::Read(reading) => reading,
                // Whether it is there is not known.
                Asked::Hidden => continue,
            };
            if wanted(name.as_str()) {
                services.push(Self::new(name, String::new(), reading));
            }
        }
        services.sort_by(|one, other| one.name.cmp(&other.name));
        // Two lines of one name would be two samples of one series.
        services.dedup_by(|later, first| later.name == first.name);
        let mut unread = Vec::new();
        for row in rows {
            match services.binary_search_by(|service| service.name.cmp(&row.service)) {
                Ok(place) => {
                    if let Some(service) = services.get_mut(place) {
                        service.row = Some(row);
                    }
                }
                Err(_) if wanted(row.service.as_str()) => unread.push(Self::known(row)),
                Err(_) => {}
            }
        }
        services.append(&mut unread);
        services.sort_by(|one, other| one.name.cmp(&other.name));
        services
    }

    /// The watched services of a host that could not be read: they keep what was confirmed last.
    pub fn unread(wanted: impl Fn(&str) -> bool, rows: Vec<Row>) -> Vec<Self> {
        let wanted = rows.into_iter().filter(|row| wanted(row.service.as_str()));
        wanted.map(Self::known).collect()
    }

    /// A service as the rounds know it.
    fn known(row: Row) -> Self {
        Self {
            name: row.service.clone(),
            display_name: String::new(),
            state: row.state,
            pid: row.pid,
            exit_code: row.exit_code,
            row: Some(row),
        }
    }

    const fn new(name: Name, display_name: String, reading: Reading) -> Self {
        Self {
            name,
            display_name,
            state: reading.state,
            pid: reading.pid,
            exit_code: reading.exit_code,
            row: None,
        }
    }

    fn name(&self) -> (&'static str, &str) {
        ("name", self.name.key())
    }

    fn display_name(&self) -> &str {
        let known = self
            .row
            .as_ref()
            .and_then(|row| row.display_name.as_deref());
        if self.display_name.is_empty() {
            known.unwrap_or_default()
        } else {
            &self.display_name
        }
    }
}

impl Probed {
    /// All of it as text. Both formats are the same for gauges alone, but for the end.
    pub fn text(self, format: Format) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        encode_registry(&mut text, &registry)?;
        if format == Format::OpenMetrics {
            encode_eof(&mut text)?;
        }
        Ok(text)
    }

    fn each(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        write: impl Fn(&mut MetricEncoder<'_>, &ProbedService) -> fmt::Result,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        self.services
            .iter()
            .try_for_each(|service| write(&mut metric, service))
    }

    fn own(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 where the host was read";
        let mut metric =
            encoder.encode_descriptor("probe_success", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&i64::from(self.fault.is_none()))?;
        let help = "How long it took until the host was read, or was not";
        let seconds = ConstGauge::new(self.took.as_secs_f64());
        let metric =
            encoder.encode_descriptor("probe_duration_seconds", help, None, MetricType::Gauge)?;
        seconds.encode(metric)?;
        let help = "1 where the host was read, 0 where it was not";
        let mut metric =
            encoder.encode_descriptor("svcwatch_host_up", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&i64::from(self.fault.is_none()))?;
        let help = "Always 1; its label says at which site the host is, and is empty where that is not known";
        let mut metric =
            encoder.encode_descriptor("svcwatch_host_info", help, None, MetricType::Gauge)?;
        gauge(&mut metric, &[("site", self.site.as_str())], true)?;
        if let Some(fault) = self.fault {
            let help = "1 for why the host was not read";
            let mut metric =
                encoder.encode_descriptor("svcwatch_host_fault", help, None, MetricType::Gauge)?;
            gauge(&mut metric, &[("fault", fault.as_str())], true)?;
        }
        Ok(())
    }

    /// What only services have that are watched.
    fn watched(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.each(
            encoder,
            "svcwatch_service_muted",
            "1 where a watched service is not told for a reason that the API gives as muted; none for others",
            |metric, service| match &service.row {
                Some(row) => gauge(metric, &[service.name()], row.muted.is_some()),
                None => Ok(()),
            },
        )?;
        self.each(
            encoder,
            "svcwatch_service_expected",
            "Always 1; its label says how a watched service should be; none for others",
            |metric, service| match &service.row {
                Some(row) => {
                    let labels = [service.name(), ("expected", row.expected.as_str())];
                    gauge(metric, &labels, true)
                }
                None => Ok(()),
            },
        )?;
        self.each(
            encoder,
            "svcwatch_service_last_change_timestamp_seconds",
            "When a watched service entered its last confirmed state, in seconds since 1970; none for others",
            |metric, service| match &service.row {
                Some(row) => seconds(row.since).encode(metric.encode_family(&[service.name()])?),
                None => Ok(()),
            },
        )?;
        self.each(
            encoder,
            "svcwatch_service_start",
            "Always 1; its labels say how a watched service is started, and whether an event starts it; none for others",
            |metric, service| {
                let Some(row) = &service.row else { return Ok(()) };
                let Some(start) = row.start_type else { return Ok(()) };
                let labels = [
                    service.name(),
                    ("start_type", start.as_str()),
                    ("trigger", trigger(row)),
                ];
                gauge(metric, &labels, true)
            },
        )?;
        self.each(
            encoder,
            "windows_service_status",
            "1 where a watched service is as expected, or was when it was last read; none for others",
            |metric, service| match &service.row {
                Some(row) => gauge(metric, &[service.name(), ("status", "ok")], row.as_expected),
                None => Ok(()),
            },
        )
    }

    fn setup(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.each(
            encoder,
            "windows_service_start_mode",
            "1 at the way in which a service is started; none where it is not known",
            |metric, service| {
                let Some(start) = service.row.as_ref().and_then(|row| row.start_type) else {
                    return Ok(());
                };
                START_MODES.iter().try_for_each(|word| {
                    let labels = [service.name(), ("start_mode", *word)];
                    gauge(metric, &labels, *word == start_mode(start))
                })
            },
        )?;
        self.each(
            encoder,
            "windows_service_info",
            "Always 1; its labels say what a service is called and, where it is watched, whose account it runs as and which program it is",
            |metric, service| {
                let details = service.row.as_ref().and_then(|row| row.details.as_deref());
                let run_as = details.and_then(|details| details.run_as.as_deref());
                let path = details
                    .and_then(|details| details.binary_path.as_deref())
                    .map_or("", command_line::executable);
                let labels = [
                    service.name(),
                    ("display_name", service.display_name()),
                    ("path_name", path),
                    ("run_as", run_as.unwrap_or_default()),
                ];
                gauge(metric, &labels, true)
            },
        )
    }
}

impl Collector for Probed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.own(&mut encoder)?;
        self.watched(&mut encoder)?;
        self.each(
            &mut encoder,
            "windows_service_state",
            "1 at the state of a service",
            |metric, service| {
                STATES.iter().try_for_each(|(word, state)| {
                    let labels = [service.name(), ("state", *word)];
                    gauge(metric, &labels, service.state == *state)
                })
            },
        )?;
        self.setup(&mut encoder)?;
        self.each(
            &mut encoder,
            "svcwatch_service_state",
            "The state: 0 unknown, 1 stopped, 2 start pending, 3 stop pending, 4 running, 5 continue pending, 6 pause pending, 7 paused, 8 not installed",
            |metric, service| number(metric, &[service.name()], state_number(service.state)),
        )?;
        self.each(
            &mut encoder,
            "svcwatch_service_exit_code",
            "Win32's exit code of a service",
            |metric, service| match service.exit_code {
                Some(code) => number(metric, &[service.name()], i64::from(code)),
                None => Ok(()),
            },
        )?;
        self.each(
            &mut encoder,
            "svcwatch_service_process_id",
            "The process of a service",
            |metric, service| match service.pid {
                Some(pid) => number(metric, &[service.name()], i64::from(pid)),
                None => Ok(()),
            },
        )
    }
}
