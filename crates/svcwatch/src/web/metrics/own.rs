//! Series of services and hosts that windows_exporter has no names for: since when, with which code, why not.

use super::watched::{Watched, gauge, label, name, number};
use crate::board::{PIECE_ROWS, Row};
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};
use std::{fmt, ops::ControlFlow, sync::Arc};
use svcwatch_core::{
    id::Name,
    observe::{Fault, State},
    time::Wall,
};

/// The number of a state: the service control manager's own from 1 to 7 (MS-SCMR 2.2.47, `dwCurrentState`), and beside
/// them 0 where it is unknown and 8 where the service is not installed.
pub const fn state_number(state: State) -> i64 {
    match state {
        State::Unknown => 0,
        State::Stopped => 1,
        State::StartPending => 2,
        State::StopPending => 3,
        State::Running => 4,
        State::ContinuePending => 5,
        State::PausePending => 6,
        State::Paused => 7,
        State::Missing => 8,
    }
}

/// A time in seconds since 1970.
pub(super) fn seconds(at: Wall) -> ConstGauge<f64> {
    // Milliseconds until the year 9999 are exact as a number of 64 bits.
    #[expect(clippy::cast_precision_loss, reason = "exact below 2 to the 53rd")]
    let milliseconds = at.0 as f64;
    ConstGauge::new(milliseconds / 1_000.0)
}

/// Whether an event starts a service; empty where that could not be read.
pub(super) const fn trigger(row: &Row) -> &'static str {
    match row.trigger_start {
        Some(true) => "true",
        Some(false) => "false",
        None => "",
    }
}

impl Watched {
    /// All of them.
    pub(super) fn own(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.services(
            encoder,
            "svcwatch_service_state",
            "The last confirmed state: 0 unknown, 1 stopped, 2 start pending, 3 stop pending, 4 running, 5 continue pending, 6 pause pending, 7 paused, 8 not installed",
            |metric, host, row| {
                number(
                    metric,
                    &[label(host), name(row)],
                    state_number(row.state),
                )
            },
        )?;
        self.services(
            encoder,
            "svcwatch_service_expected",
            "Always 1; its label says how a service should be",
            |metric, host, row| {
                let labels = [label(host), name(row), ("expected", row.expected.as_str())];
                gauge(metric, &labels, true)
            },
        )?;
        self.services(
            encoder,
            "svcwatch_service_last_change_timestamp_seconds",
            "When a service entered its last confirmed state, in seconds since 1970",
            |metric, host, row| {
                seconds(row.since).encode(metric.encode_family(&[label(host), name(row)])?)
            },
        )?;
        self.services(
            encoder,
            "svcwatch_service_exit_code",
            "Win32's exit code of a service, as it was last read",
            |metric, host, row| match row.exit_code {
                Some(code) => number(metric, &[label(host), name(row)], i64::from(code)),
                None => Ok(()),
            },
        )?;
        self.services(
            encoder,
            "svcwatch_service_process_id",
            "The process of a service; another one than before is a restart",
            |metric, host, row| match row.pid {
                Some(pid) => number(metric, &[label(host), name(row)], i64::from(pid)),
                None => Ok(()),
            },
        )?;
        self.starts(encoder)?;
        self.host_infos(encoder)?;
        self.host_faults(encoder)
    }

    /// How each service is started.
    fn starts(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.services(
            encoder,
            "svcwatch_service_start",
            "Always 1; its labels say how a service is started, with delayed starts told apart, and whether an event starts it",
            |metric, host, row| match row.start_type {
                Some(start) => {
                    let labels = [
                        label(host),
                        name(row),
                        ("start_type", start.as_str()),
                        ("trigger", trigger(row)),
                    ];
                    gauge(metric, &labels, true)
                }
                None => Ok(()),
            },
        )
    }

    /// Where each host is.
    fn host_infos(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Always 1; its label says at which site a host is, and is empty where that is not known";
        let mut metric =
            encoder.encode_descriptor("svcwatch_host_info", help, None, MetricType::Gauge)?;
        let mut after = None;
        loop {
            let mut piece: Vec<(Name, Option<Arc<str>>)> = Vec::new();
            after = self.board.walk_hosts(after.as_ref(), PIECE_ROWS, |host| {
                piece.push((host.name.clone(), host.site.clone()));
                ControlFlow::Continue(())
            });
            for (host, site) in &piece {
                let labels = [label(host), ("site", site.as_deref().unwrap_or_default())];
                gauge(&mut metric, &labels, true)?;
            }
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Why each host that cannot be read cannot.
    fn host_faults(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 for the confirmed fault of a host that cannot be read; none for others";
        let mut metric =
            encoder.encode_descriptor("svcwatch_host_fault", help, None, MetricType::Gauge)?;
        let mut after = None;
        loop {
            let mut piece: Vec<(Name, Fault)> = Vec::new();
            after = self.board.walk_hosts(after.as_ref(), PIECE_ROWS, |host| {
                piece.extend(host.fault.map(|fault| (host.name.clone(), fault)));
                ControlFlow::Continue(())
            });
            for (host, fault) in &piece {
                gauge(&mut metric, &[label(host), ("fault", fault.as_str())], true)?;
            }
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
