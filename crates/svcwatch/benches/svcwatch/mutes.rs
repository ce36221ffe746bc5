//! Silences: what 10,000 of them cost a notice.

use crate::table::{Promise, Table, seconds};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use svcwatch_core::glob::Glob;
use svcwatch_core::id::Name;
use svcwatch_core::notice::{Severity, ToldEvent};
use svcwatch_core::plan::Matcher;
use svcwatch_core::silence::{About, Mutes, SilenceId, SilenceRow};
use svcwatch_core::time::{Span, Wall};

/// This part, for the table.
const PART: &str = "silences";
/// Silences that hold.
const SILENCES: usize = 10_000;
/// Notices that are judged.
const NOTICES: u32 = 1_000_000;
/// Seconds for a notice.
const PROMISED: f64 = 1e-6;

/// Measures this part.
pub(crate) fn measure(table: &mut Table) {
    let now = Wall(1_700_000_000_000);
    let mut mutes = Mutes::default();
    for number in 0..SILENCES {
        mutes.add(silence(number, now));
    }
    mutes.look(now);
    let hosts: Vec<Name> = (0..20_000)
        .map(|at| Name::new(&format!("srv-{at:05}")))
        .collect();
    let service = Name::new("Spooler");
    let begun = Instant::now();
    let mut muted = 0_u32;
    for host in (0..NOTICES).zip(hosts.iter().cycle()).map(|(_, host)| host) {
        let about = About {
            host: Some(host),
            service: Some(&service),
            site: Some("oslo"),
            severity: Severity::Critical,
            event: ToldEvent::Stopped,
            labels: [&[], &[]],
        };
        muted += u32::from(black_box(mutes.find(&about)).is_some());
    }
    let each = begun.elapsed().as_secs_f64() / f64::from(NOTICES);
    assert!(muted > NOTICES / 8, "only {muted} notices were muted");
    table.promised(
        PART,
        format!("a notice with {SILENCES} silences, a quarter of them patterns"),
        each,
        (Promise::AtMost, PROMISED),
        seconds,
    );
}

/// Most name a host; one in four is a pattern for some hosts with one service.
fn silence(number: usize, now: Wall) -> SilenceRow {
    let pattern = number.is_multiple_of(4);
    let (host, service) = if pattern {
        (format!("srv-{number:05}*"), vec![Glob::new("W3SVC")])
    } else {
        (format!("srv-{number:05}"), Vec::new())
    };
    SilenceRow {
        id: SilenceId(Arc::from(format!("{number:016x}"))),
        matcher: Matcher {
            host: vec![Glob::new(&host)],
            service,
            ..Matcher::default()
        },
        author: "ann".to_owned(),
        comment: "work".to_owned(),
        from: now,
        until: now + Span::hours(1),
        ended_at: None,
        ended_by: None,
    }
}
