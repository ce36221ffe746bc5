//! Boots: the judge knows which machines were truly booted, what the monitor could know of it, and that what their
//! services come to is then told as one.

use crate::{
    oracle::{Oracle, Window},
    setup::{MINUTE, SECOND},
    store::Store,
    world::World,
};
use std::collections::BTreeMap;
use svcwatch_core::{
    id::{Name, Subject},
    limits,
    notice::{Kind, ToldEvent},
    observe::HostReading,
    record::{BootRow, DeliveryRow, HostRow},
    time::Wall,
};

/// What the judge knows of the boots of one host.
#[derive(Debug, Clone, Default)]
struct Known {
    /// When its machine was booted last, as of the last believed reading.
    booted: u64,
    /// Whether a reading with a process in it was believed.
    read: bool,
    /// The processes that the monitor can know.
    processes: BTreeMap<String, u32>,
    /// The uptime that was read last by this run of the monitor, and when.
    uptime: Option<(u64, u64)>,
    /// When a boot must have been known, and what the store said of the boot before.
    must_know: Option<(u64, Option<Wall>)>,
    /// Times at which its machine was seen to be booted, and not yet taken for that.
    seen: usize,
    /// When it first said that it shuts down, since it was read.
    said_so: Option<u64>,
    /// Whether all processes that were known may have changed without a boot.
    few: bool,
    /// What ran at that reading.
    running: BTreeMap<String, u32>,
    /// Whether the monitor died since, so that it knows the processes of targets only.
    died: bool,
}

/// What the judge knows of boots.
#[derive(Debug, Default)]
pub(crate) struct Boots {
    hosts: BTreeMap<Name, Known>,
    /// When a report of a boot was made last, for each recipient.
    reports: BTreeMap<(Name, String), u64>,
}

impl Oracle {
    /// A host was read, of which the machine was booted last at `booted`.
    pub(crate) fn sees_boot(
        &mut self,
        store: &Store,
        host: &Name,
        booted: u64,
        reading: &HostReading,
    ) {
        let now = self.now;
        let known = self.boots.hosts.entry(host.clone()).or_default();
        let processes: BTreeMap<String, u32> = reading
            .services
            .iter()
            .filter_map(|service| Some((service.name.clone(), service.reading.pid?)))
            .collect();
        let changed = processes
            .iter()
            .any(|(name, is)| known.processes.get(name).is_some_and(|was| was != is));
        let first = !known.read;
        known.read |= !processes.is_empty();
        let is_new = booted > known.booted;
        if is_new && !first {
            known.seen += 1;
            let told = known.uptime.zip(reading.uptime);
            let sure = changed && told.is_some_and(|(was, is)| !goes_on(was, is.0, now));
            let before = store.hosts.get(host).and_then(|row| row.boot.booted_at);
            known.must_know = sure.then_some((now, before));
        }
        let died = std::mem::take(&mut known.died);
        known.few = reading.services.len() < 12 || (died && reading.uptime.is_none());
        known.running.clone_from(&processes);
        known.booted = booted;
        if let Some(uptime) = reading.uptime {
            known.uptime = Some((uptime.0, now));
        }
        known.processes.extend(processes);
        // It is given time once: until it is not taken for shutting down any more, and can be read.
        let row = store.hosts.get(host).map(|row| row.boot);
        if row.is_none_or(|boot| boot.shutting_down_until.is_none()) {
            known.said_so = None;
        }
    }

    /// A host said that it shuts down.
    pub(crate) fn says_so(&mut self, host: &Name) {
        let now = self.now;
        let known = self.boots.hosts.entry(host.clone()).or_default();
        known.said_so.get_or_insert(now);
    }

    /// The monitor died: what it knew of uptimes it does not know, and of processes only those of services that it watches.
    pub(crate) fn forget_boots(&mut self, store: &Store) {
        for (host, known) in &mut self.boots.hosts {
            known.uptime = None;
            known.processes = known.running.clone();
            known.processes.retain(|service, _| {
                (store.targets.get(&(host.clone(), Name::new(service))))
                    .is_some_and(|row| !row.removed)
            });
            known.died = true;
            known.must_know = None;
            // Since when a host says that it shuts down is stored by the wall clock, which may have been set meanwhile:
            // of such a host nothing is asked until it is read again.
            known.said_so = known.said_so.map(|_| 0);
        }
        self.boots.reports.clear();
    }

    /// A host is taken for booted only where it was.
    pub(crate) fn judge_booted(&mut self, store: &Store, row: &HostRow) {
        let before = store.hosts.get(&row.host).map(|row| row.boot);
        let was = before.and_then(|boot| boot.booted_at);
        let grace = row.boot.grace_until.is_some()
            && before.is_some_and(|before| before.grace_until.is_none());
        let new = was.is_some() && row.boot.booted_at != was && row.boot.booted_at.is_some();
        // Where enough services left at once nobody had to say so, and its time runs from then on.
        let until = |boot: BootRow| boot.shutting_down_until;
        if until(row.boot).is_some() && before.and_then(until).is_none() {
            self.says_so(&row.host);
        }
        if !(new || grace) {
            return;
        }
        // Where little is seen of a host all of it may have changed, and a clock that was set makes any uptime wrong.
        let unsure = !self.crashes.is_empty() && !self.jumps.is_empty();
        let known = self.boots.hosts.entry(row.host.clone()).or_default();
        known.said_so = None;
        if known.seen == 0 && !known.few && !unsure {
            let sentence = format!("{} was taken for booted, but it was not", row.host);
            self.broken("boot", sentence);
        } else {
            known.seen = 0;
            known.must_know = None;
        }
    }

    /// A message that is made about a host that shuts down or was booted.
    pub(crate) fn judge_in_boot(&mut self, store: &Store, window: Window, row: &DeliveryRow) {
        let notice = &row.notice;
        let recipient = (row.destination.clone(), row.recipient.to_string());
        if notice.event == ToldEvent::AfterBoot && notice.kind == Kind::Summary {
            let now = self.now;
            let slack = window.until - window.from + SECOND;
            let last = self.boots.reports.insert(recipient, now);
            if last.is_some_and(|last| now + slack < last + limits::NIGHT_EVERY.0) {
                let sentence = "two reports of boots within five minutes".to_string();
                self.broken("boot", sentence);
            }
            return;
        }
        let news = matches!(notice.kind, Kind::Opened | Kind::Updated | Kind::Reminder);
        let about_service = matches!(notice.subject, Subject::Service { .. });
        let Some(host) = notice.subject.host().filter(|_| news) else {
            return;
        };
        let boot = store
            .hosts
            .get(host)
            .map(|row| row.boot)
            .unwrap_or_default();
        if about_service && boot.grace_until.is_some() {
            let sentence = format!(
                "{:?} is told ({}) in boot grace",
                notice.subject, notice.kind
            );
            self.broken("boot", sentence);
        }
        // What was silent before may be told: it did not go silent by shutting down.
        let since = self.grounds_of_id(notice.incident.as_ref().map(|incident| &incident.id));
        let said = self.boots.hosts.get(host).and_then(|known| known.said_so);
        let said = said.filter(|said| since.is_none_or(|since| since >= *said));
        let silent = matches!(notice.subject, Subject::Host(_))
            && notice.event == ToldEvent::HostUnreachable;
        if silent
            && notice.kind == Kind::Opened
            && let Some(said) = said
            && window.until + MINUTE < said + limits::SHUTTING_DOWN_MAX.0
        {
            let sentence = format!(
                "{host} said {} s ago that it shuts down, and is told as unreachable already",
                (window.until - said) / SECOND
            );
            self.broken("boot", sentence);
        }
    }
}

/// Whether an uptime is what it would be without a boot: where the count begins anew at the minute of a boot, nobody
/// can tell one from the other by it.
fn goes_on((was, at): (u64, u64), is: u64, now: u64) -> bool {
    let apart = ((was + now - at) % limits::UPTIME_WRAP).abs_diff(is);
    let apart = apart.min(limits::UPTIME_WRAP - apart);
    apart <= limits::UPTIME_SLACK.0 + (now - at) / limits::UPTIME_DRIFT_ONE_IN
}

impl World {
    /// A boot that could be known is known, and what did not come back is told some time.
    pub(crate) fn scan_boot(&mut self, host: &Name, steady: u64) {
        let row = self
            .store
            .hosts
            .get(host)
            .map(|row| row.boot)
            .unwrap_or_default();
        let known = self.oracle.boots.hosts.get(host);
        let must = known.and_then(|known| known.must_know);
        if let Some((since, before)) = must
            && since >= steady
            && self.now > since + MINUTE
            && row.booted_at == before
        {
            let sentence =
                format!("{host} was booted, which could be seen, and is not taken for that");
            self.oracle.broken("boot", sentence);
        }
    }
}
