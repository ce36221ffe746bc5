//! What is watched, as metrics: a walk over the board at each scrape.
//!
//! Names and values of labels are windows_exporter's (its collector `service`: one series for each state with 0 or 1,
//! `name` in lower case as until its version 0.28), with the host beside them. While a host cannot be read its
//! services keep what was confirmed last, and `svcwatch_host_up` says that they are not seen: so a host that is gone
//! is one alert and not forty, and is never taken for green.

use crate::{
    board::{Board, PIECE_ROWS, Row},
    probe::command_line,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder},
    metrics::MetricType,
};
use std::{fmt, ops::ControlFlow, sync::Arc};
use svcwatch_core::{
    id::Name,
    observe::{Fault, StartType, State},
};

/// The states of windows_exporter; where a service is in none of them (not installed, never read) all are 0.
pub(super) const STATES: [(&str, State); 7] = [
    ("continue pending", State::ContinuePending),
    ("pause pending", State::PausePending),
    ("paused", State::Paused),
    ("running", State::Running),
    ("start pending", State::StartPending),
    ("stop pending", State::StopPending),
    ("stopped", State::Stopped),
];

/// The start modes of windows_exporter, which knows no delayed start.
pub(super) const START_MODES: [&str; 5] = ["auto", "boot", "disabled", "manual", "system"];

/// The collector of what is watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) board: Arc<Board>,
}

impl Collector for Watched {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.hosts(&mut encoder)?;
        self.outbox(&mut encoder)?;
        self.services(
            &mut encoder,
            "svcwatch_service_muted",
            "1 where a service is not told for a reason that the API gives as muted",
            |metric, host, row| gauge(metric, &[label(host), name(row)], row.muted.is_some()),
        )?;
        self.services(
            &mut encoder,
            "windows_service_status",
            "1 where a service was as expected when it was last read",
            |metric, host, row| {
                gauge(
                    metric,
                    &[label(host), name(row), ("status", "ok")],
                    row.as_expected,
                )
            },
        )?;
        self.services(
            &mut encoder,
            "windows_service_state",
            "1 at the state in which a service was last seen",
            |metric, host, row| {
                STATES.iter().try_for_each(|(word, state)| {
                    gauge(
                        metric,
                        &[label(host), name(row), ("state", *word)],
                        row.state == *state,
                    )
                })
            },
        )?;
        self.services(
            &mut encoder,
            "windows_service_start_mode",
            "1 at the way in which a service is started; none where it could not be read",
            |metric, host, row| {
                let Some(start) = row.start_type else {
                    return Ok(());
                };
                START_MODES.iter().try_for_each(|word| {
                    let is_so = *word == start_mode(start);
                    gauge(
                        metric,
                        &[label(host), name(row), ("start_mode", *word)],
                        is_so,
                    )
                })
            },
        )?;
        self.info(&mut encoder)?;
        self.own(&mut encoder)
    }
}

impl Watched {
    fn info(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.services(
            encoder,
            "windows_service_info",
            "Always 1; its labels say what a service is called, whose account it runs as and which program it is",
            |metric, host, row| {
                let details = row.details.as_deref();
                let run_as = details.and_then(|details| details.run_as.as_deref());
                // The arguments of a service may hold secrets that nothing can tell from other words.
                let path = details
                    .and_then(|details| details.binary_path.as_deref())
                    .map_or("", command_line::executable);
                let labels = [
                    label(host),
                    name(row),
                    ("display_name", row.display_name.as_deref().unwrap_or_default()),
                    ("path_name", path),
                    ("run_as", run_as.unwrap_or_default()),
                ];
                gauge(metric, &labels, true)
            },
        )
    }

    fn hosts(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut faults: Vec<(Fault, i64)> = Fault::ALL.iter().map(|fault| (*fault, 0)).collect();
        let help = "1 where a host can be read, 0 where it cannot or was not yet";
        let mut metric =
            encoder.encode_descriptor("svcwatch_host_up", help, None, MetricType::Gauge)?;
        let mut after = None;
        loop {
            let mut piece: Vec<(Name, bool)> = Vec::new();
            after = self.board.walk_hosts(after.as_ref(), PIECE_ROWS, |host| {
                if let Some(fault) = host.fault {
                    for (known, count) in &mut faults {
                        *count += i64::from(*known == fault);
                    }
                }
                piece.push((host.name.clone(), host.is_up()));
                ControlFlow::Continue(())
            });
            for (host, up) in &piece {
                gauge(&mut metric, &[label(host)], *up)?;
            }
            if after.is_none() {
                break;
            }
        }
        let help = "Hosts that cannot be read, by the confirmed fault";
        let mut metric =
            encoder.encode_descriptor("svcwatch_faults", help, None, MetricType::Gauge)?;
        for (fault, count) in faults {
            number(&mut metric, &[("fault", fault.as_str())], count)?;
        }
        Ok(())
    }

    fn outbox(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Deliveries that wait at a destination";
        let mut metric =
            encoder.encode_descriptor("svcwatch_outbox_pending", help, None, MetricType::Gauge)?;
        for (destination, pending) in self.board.outbox() {
            let pending = i64::try_from(pending).unwrap_or(i64::MAX);
            number(
                &mut metric,
                &[("destination", destination.as_str())],
                pending,
            )?;
        }
        Ok(())
    }

    /// One family with what `write` says of each service. Rows are copied out of the board piece by piece, because
    /// writing may wait for a slow client, and the board must not.
    pub(super) fn services(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        write: impl Fn(&mut MetricEncoder<'_>, &Name, &Row) -> fmt::Result,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        let mut after = None;
        let mut piece: Vec<(Name, Row)> = Vec::new();
        loop {
            piece.clear();
            after = self
                .board
                .walk_services(after.as_ref(), PIECE_ROWS, |seen| {
                    let mut row = seen.row.clone();
                    row.muted = seen.muted();
                    piece.push((seen.host.clone(), row));
                    ControlFlow::Continue(())
                });
            for (host, row) in &piece {
                write(&mut metric, host, row)?;
            }
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// The label of a host: its name as people wrote it.
pub(super) fn label(host: &Name) -> (&'static str, &str) {
    ("host", host.as_str())
}

/// The label of a service: its key name in lower case.
pub(super) fn name(row: &Row) -> (&'static str, &str) {
    ("name", row.service.key())
}

pub(super) const fn start_mode(start: StartType) -> &'static str {
    match start {
        StartType::Automatic | StartType::AutomaticDelayed => "auto",
        StartType::Manual => "manual",
        StartType::Disabled => "disabled",
        StartType::Boot => "boot",
        StartType::System => "system",
    }
}

pub(super) fn gauge(
    metric: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    is_so: bool,
) -> fmt::Result {
    number(metric, labels, i64::from(is_so))
}

pub(super) fn number(
    metric: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    value: i64,
) -> fmt::Result {
    metric.encode_family(labels)?.encode_gauge(&value)
}
