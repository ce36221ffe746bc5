//! The table: what, measured, promised, and the ratio of the two.

use std::fmt;
use std::time::Duration;

/// Whether more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// At most so much.
    AtMost,
    /// At least so much.
    AtLeast,
}

/// One line of the table.
#[derive(Debug, Clone)]
struct Line {
    what: String,
    measured: String,
    promised: String,
    /// Measured against promised: 1 is just kept, more is better kept.
    ratio: Option<f64>,
    command: &'static str,
}

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

impl Table {
    /// Adds a measurement with its promise, both in the same unit, which is written as `shown` says.
    pub(crate) fn promised(
        &mut self,
        part: &'static str,
        what: impl Into<String>,
        measured: f64,
        promise: (Promise, f64),
        shown: fn(f64) -> String,
    ) {
        let (kind, promised) = promise;
        let (sign, ratio) = match kind {
            Promise::AtMost => ("≤", promised / measured),
            Promise::AtLeast => ("≥", measured / promised),
        };
        self.lines.push(Line {
            what: what.into(),
            measured: shown(measured),
            promised: format!("{sign} {}", shown(promised)),
            ratio: Some(ratio),
            command: part,
        });
    }

    /// Adds a measurement that stands for itself, or that another one is compared with.
    pub(crate) fn plain(
        &mut self,
        part: &'static str,
        what: impl Into<String>,
        measured: impl Into<String>,
    ) {
        self.lines.push(Line {
            what: what.into(),
            measured: measured.into(),
            promised: String::new(),
            ratio: None,
            command: part,
        });
    }

    /// Whether every promise was kept.
    pub(crate) fn all_kept(&self) -> bool {
        self.lines
            .iter()
            .all(|line| line.ratio.is_none_or(|ratio| ratio >= 1.0))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | measured | promised | ratio | command |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        for line in &self.lines {
            let ratio = match line.ratio {
                Some(ratio) if ratio < 1.0 => format!("{ratio:.2} × — not kept"),
                Some(ratio) if ratio < 10.0 => format!("{ratio:.1} ×"),
                Some(ratio) => format!("{ratio:.0} ×"),
                None => String::new(),
            };
            writeln!(
                f,
                "| {} | {} | {} | {ratio} | `-- {}` |",
                line.what, line.measured, line.promised, line.command
            )?;
        }
        Ok(())
    }
}

/// Seconds with a unit that fits.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else if seconds >= 1e-3 {
        format!("{:.2} ms", seconds * 1e3)
    } else {
        format!("{:.2} µs", seconds * 1e6)
    }
}

/// How many in a second.
pub(crate) fn per_second(rate: f64) -> String {
    format!("{rate:.0} /s")
}

/// Bytes in KiB.
pub(crate) fn kibibytes(bytes: f64) -> String {
    format!("{:.1} KiB", bytes / 1024.0)
}

/// A part of something else.
pub(crate) fn part_of(part: f64) -> String {
    format!("1/{:.0}", 1.0 / part)
}

/// The value below which so many of a hundred lie.
pub(crate) fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort_unstable();
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or_default()
}
