//! The processes that the services of a host run as: where all of them are others at once, the host was booted.

use crate::{
    boot::Processes,
    host::Host,
    id::Name,
    observe::{Asked, HostReading},
};
use alloc::collections::{BTreeMap, BTreeSet};

impl Host {
    /// How the processes of a reading stand against those that its services ran as last.
    pub fn compare_processes(&self, reading: &HostReading) -> Processes {
        let mut same = false;
        let mut gone: BTreeSet<u32> = BTreeSet::new();
        let mut any = false;
        let mut compare = |was: u32, is: Option<u32>| {
            same |= is == Some(was);
            any |= is.is_some_and(|is| is != was);
            if is != Some(was) {
                gone.insert(was);
            }
        };
        if self.same_list(&reading.services) {
            let lines = self.lines.iter().zip(&reading.services);
            for (line, service) in lines.filter(|(line, _)| line.process != 0) {
                compare(line.process, service.reading.pid);
            }
        } else {
            let processes: BTreeMap<Name, Option<u32>> = (reading.services.iter())
                .map(|service| (Name::new(&service.name), service.reading.pid))
                .collect();
            // What the list lacks may run all the same: only an answer about it says how it is.
            let is = |name: &Name| match (processes.get(name), Self::answer(reading, name)) {
                (Some(pid), _) => Some(*pid),
                (None, Some(Asked::Read(reading))) => Some(reading.pid),
                (None, Some(Asked::Missing)) => Some(None),
                (None, Some(Asked::Hidden) | None) => None,
            };
            if self.lines.is_empty() {
                // The first list since a start: what the store knows of the targets is all there is.
                for row in self.targets.iter().map(|target| &target.row) {
                    if let (Some(was), Some(is)) = (row.pid, is(&row.service)) {
                        compare(was, is);
                    }
                }
            } else {
                for line in self.lines.iter().filter(|line| line.process != 0) {
                    if let Some(is) = is(&Name::new(&line.name)) {
                        compare(line.process, is);
                    }
                }
            }
        }
        match (any, same) {
            (false, _) => Processes::Same,
            (true, true) => Processes::Some,
            (true, false) => Processes::All(gone.len()),
        }
    }

    /// Keeps the processes of the list that was just taken in. A service that stopped keeps the one that it ran as, unless
    /// the host was booted since.
    pub fn keep_processes(&mut self, reading: &HostReading, booted: bool) {
        for (line, service) in self.lines.iter_mut().zip(&reading.services) {
            let stored = || {
                let target = line.target.and_then(|place| self.targets.get(place));
                target.and_then(|target| target.row.pid).unwrap_or(0)
            };
            let kept = match line.process {
                _ if booted => 0,
                0 => stored(),
                known => known,
            };
            line.process = service.reading.pid.unwrap_or(kept);
        }
    }
}
