//! /metrics: what is watched under windows_exporter's names, and what svcwatch says of itself.
//!
//! The answer is written in pieces while it is sent, so that two million services take no more memory than ten. Two
//! formats are spoken: OpenMetrics 1.0 where it is asked for, else Prometheus' text format 0.0.4. Both are packed by
//! gzip where the client takes that.

mod own;
mod pieces;
mod probed;
mod watched;

pub use self::own::state_number;
pub use self::pieces::Packing;
pub use self::probed::{Probed, ProbedService};
use self::watched::Watched;
use super::problem::Problem;
use crate::{board::Board, facts::Facts};
use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    registry::Registry,
};
use std::{
    fmt::{self, Write},
    sync::Arc,
};
use tokio::sync::Semaphore;

/// Answers that are written at once, at most; more are refused.
pub const SCRAPES_MAX: usize = 4;

const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Which text is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Classic,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that a client likes best: OpenMetrics where it names it and does not like plain text better.
    pub fn of(headers: &HeaderMap) -> Self {
        let (mut open, mut plain) = (0.0_f32, 0.0_f32);
        let accepted = headers.get_all(header::ACCEPT).iter();
        let ranges = accepted
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        for range in ranges {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut quality, mut known) = (1.0_f32, true);
            for part in parts {
                match part.split_once('=') {
                    Some(("q", value)) => quality = value.trim().parse().unwrap_or(0.0),
                    Some(("version", version)) => {
                        known = matches!(version, "1.0.0" | "0.0.1" | "0.0.4");
                    }
                    Some(_) | None => {}
                }
            }
            match media.as_str() {
                "application/openmetrics-text" if known => open = open.max(quality),
                "text/plain" | "text/*" => plain = plain.max(quality),
                _ => {}
            }
        }
        if open > 0.0 && open >= plain {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Classic => CLASSIC,
            Self::OpenMetrics => OPEN_METRICS,
        }
    }
}

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    facts: Arc<Facts>,
    watched: Registry,
    places: Arc<Semaphore>,
}

impl Metrics {
    /// The metrics of this board and these facts.
    pub fn new(board: Arc<Board>, facts: Arc<Facts>) -> Self {
        let mut watched = Registry::default();
        watched.register_collector(Box::new(Watched { board }));
        Self {
            facts,
            watched,
            places: Arc::new(Semaphore::new(SCRAPES_MAX)),
        }
    }

    /// Writes all of them.
    pub fn write(&self, format: Format, writer: &mut impl Write) -> fmt::Result {
        let mut own = String::new();
        self.facts.encode(&mut own)?;
        match format {
            Format::Classic => write_classic(&own, writer)?,
            Format::OpenMetrics => writer.write_str(&own)?,
        }
        encode_registry(writer, &self.watched)?;
        match format {
            Format::Classic => Ok(()),
            Format::OpenMetrics => encode_eof(writer),
        }
    }

    /// Answers with all of them, piece by piece.
    pub fn answer(self: &Arc<Self>, format: Format, packing: Packing) -> Response {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Problem::unavailable(format!(
                "More than {SCRAPES_MAX} scrapes are under way. Scrape less often, or with fewer servers."
            ))
            .into_response();
        };
        let (mut writer, body) = pieces::pair(packing);
        let metrics = Arc::clone(self);
        drop(tokio::task::spawn_blocking(move || {
            // It fails only where the client is gone.
            if metrics.write(format, &mut writer).is_ok() {
                writer.end();
            }
            drop(place);
        }));
        let mut response = Response::new(body);
        packing.name_in(response.headers_mut());
        let media_type = HeaderValue::from_static(format.media_type());
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        response
    }
}

/// Answers with a text of this format that is whole already.
pub fn whole(text: String, format: Format, packing: Packing) -> Response {
    let mut response = Response::new(pieces::packed(text, packing));
    packing.name_in(response.headers_mut());
    let media_type = HeaderValue::from_static(format.media_type());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

/// Rewrites the names of counters: OpenMetrics describes a counter by its name without `_total`
/// (OpenMetrics 1.0, "Counter"), the older format by its whole name, as every other metric.
fn write_classic(open_metrics: &str, writer: &mut impl Write) -> fmt::Result {
    let lines: Vec<&str> = open_metrics.lines().collect();
    let is_counter = |name: &str| {
        lines.iter().any(|line| {
            line.strip_prefix("# TYPE ")
                .and_then(|rest| rest.strip_suffix(" counter"))
                == Some(name)
        })
    };
    for line in &lines {
        let described = line.strip_prefix("# HELP ").map(|rest| ("HELP", rest));
        let described =
            described.or_else(|| line.strip_prefix("# TYPE ").map(|rest| ("TYPE", rest)));
        match described.and_then(|(what, rest)| Some((what, rest.split_once(' ')?))) {
            Some((what, (name, rest))) if is_counter(name) => {
                writeln!(writer, "# {what} {name}_total {rest}")?;
            }
            Some(_) | None => writeln!(writer, "{line}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::tests::{host, service},
        facts::Build,
    };
    use svcwatch_core::{
        notice::Why,
        observe::{Fault, ServiceDetails, StartType, State},
        view::View,
    };

    fn written(board: Board, format: Format) -> String {
        let facts = Facts::new(Build {
            version: "1.2.3",
            commit: "abc",
        });
        let mut text = String::new();
        Metrics::new(Arc::new(board), Arc::new(facts))
            .write(format, &mut text)
            .unwrap();
        text
    }

    fn has(text: &str, line: &str) {
        assert!(
            text.lines().any(|other| other == line),
            "no line {line} in\n{text}"
        );
    }

    fn format(accept: &str) -> Format {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        Format::of(&headers)
    }

    #[test]
    fn the_format_is_the_one_that_the_client_likes_best() {
        assert_eq!(Format::of(&HeaderMap::new()), Format::Classic);
        for (accept, wanted) in [
            ("*/*", Format::Classic),
            ("text/plain;version=0.0.4", Format::Classic),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.5",
                Format::Classic,
            ),
            ("application/openmetrics-text;q=0", Format::Classic),
            (
                "application/openmetrics-text;version=9.0.0",
                Format::Classic,
            ),
            (";;;q=,=", Format::Classic),
        ] {
            assert_eq!(format(accept), wanted, "{accept}");
        }
    }

    #[test]
    fn a_service_has_the_series_of_windows_exporter() {
        let board = Board::new();
        board.apply(View::Host(host("SRV01")));
        let mut view = service("SRV01", "Spooler");
        view.display_name = Some("Print Spooler".into());
        view.start_type = Some(StartType::AutomaticDelayed);
        view.trigger_start = Some(true);
        view.since = svcwatch_core::time::Wall(1_500);
        view.pid = Some(4711);
        view.details = Some(Arc::new(ServiceDetails {
            binary_path: Some(r#""C:\print spool.exe" --pin 4711"#.into()),
            run_as: Some("LocalSystem".into()),
            ..ServiceDetails::default()
        }));
        board.apply(View::Service(view));
        let text = written(board, Format::Classic);
        for line in [
            "svcwatch_host_up{host=\"SRV01\"} 1",
            "svcwatch_host_info{host=\"SRV01\",site=\"\"} 1",
            "windows_service_status{host=\"SRV01\",name=\"spooler\",status=\"ok\"} 1",
            "windows_service_state{host=\"SRV01\",name=\"spooler\",state=\"running\"} 1",
            "windows_service_state{host=\"SRV01\",name=\"spooler\",state=\"stop pending\"} 0",
            "windows_service_start_mode{host=\"SRV01\",name=\"spooler\",start_mode=\"auto\"} 1",
            "windows_service_start_mode{host=\"SRV01\",name=\"spooler\",start_mode=\"manual\"} 0",
            "windows_service_info{host=\"SRV01\",name=\"spooler\",display_name=\"Print Spooler\",path_name=\"C:\\\\print spool.exe\",run_as=\"LocalSystem\"} 1",
            "svcwatch_service_muted{host=\"SRV01\",name=\"spooler\"} 0",
            "svcwatch_service_expected{host=\"SRV01\",name=\"spooler\",expected=\"running\"} 1",
            "svcwatch_service_state{host=\"SRV01\",name=\"spooler\"} 4",
            "svcwatch_service_last_change_timestamp_seconds{host=\"SRV01\",name=\"spooler\"} 1.5",
            "svcwatch_service_exit_code{host=\"SRV01\",name=\"spooler\"} 0",
            "svcwatch_service_process_id{host=\"SRV01\",name=\"spooler\"} 4711",
            "svcwatch_service_start{host=\"SRV01\",name=\"spooler\",start_type=\"automatic_delayed\",trigger=\"true\"} 1",
            "# TYPE windows_service_state gauge",
        ] {
            has(&text, line);
        }
        assert_eq!(
            text.lines()
                .filter(|line| line.starts_with("windows_service_state{"))
                .count(),
            7
        );
    }

    #[test]
    fn a_host_with_a_fault_keeps_what_was_confirmed_and_is_not_up() {
        let board = Board::new();
        let mut down = host("h");
        down.fault = Some(Fault::Timeout);
        board.apply(View::Host(down));
        board.apply(View::Service(service("h", "seen")));
        let mut never = service("h", "never");
        never.state = State::Unknown;
        never.as_expected = false;
        never.muted = Some(Why::HostFault);
        board.apply(View::Service(never));
        let text = written(board, Format::Classic);
        for line in [
            "svcwatch_host_up{host=\"h\"} 0",
            "svcwatch_host_fault{host=\"h\",fault=\"timeout\"} 1",
            "svcwatch_service_state{host=\"h\",name=\"never\"} 0",
            "svcwatch_faults{fault=\"timeout\"} 1",
            "svcwatch_faults{fault=\"unreachable\"} 0",
            "windows_service_status{host=\"h\",name=\"seen\",status=\"ok\"} 1",
            "windows_service_status{host=\"h\",name=\"never\",status=\"ok\"} 0",
            "windows_service_state{host=\"h\",name=\"never\",state=\"running\"} 0",
            "svcwatch_service_muted{host=\"h\",name=\"never\"} 1",
        ] {
            has(&text, line);
        }
        assert!(
            !text.contains("windows_service_start_mode{"),
            "null is never a default"
        );
    }

    #[test]
    fn a_host_that_was_never_read_is_not_up() {
        let board = Board::new();
        let mut new = host("new");
        new.checked_at = None;
        board.apply(View::Host(new));
        // The first look at this one failed, and that is not confirmed yet.
        let mut unread = host("unread");
        unread.visible = None;
        board.apply(View::Host(unread));
        board.apply(View::Outbox {
            destination: "duty".into(),
            pending: 3,
        });
        let text = written(board, Format::Classic);
        has(&text, "svcwatch_host_up{host=\"new\"} 0");
        has(&text, "svcwatch_host_up{host=\"unread\"} 0");
        has(&text, "svcwatch_outbox_pending{destination=\"duty\"} 3");
    }

    #[test]
    fn counters_are_described_by_the_name_that_each_format_wants() {
        let classic = written(Board::new(), Format::Classic);
        has(&classic, "# TYPE svcwatch_checks_total counter");
        has(&classic, "svcwatch_checks_total{result=\"ok\"} 0");
        has(&classic, "# TYPE svcwatch_check_duration_seconds histogram");
        assert!(!classic.contains("# EOF"));
        let open = written(Board::new(), Format::OpenMetrics);
        has(&open, "# TYPE svcwatch_checks counter");
        has(&open, "svcwatch_checks_total{result=\"ok\"} 0");
        assert!(open.ends_with("# EOF\n"));
    }
}
