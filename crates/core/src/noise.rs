//! Services that are known to stop and to change by themselves although they start with the machine: what is said of
//! them would be noise. Only services that their start type selected are taken for noise; who names a service means it.

use crate::{glob::Glob, id::Name};
use alloc::{sync::Arc, vec::Vec};
use core::fmt;

/// Known noisy services, each with the reason why it is one.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Noise {
    /// Whole key names, sorted.
    names: Vec<(Name, Arc<str>)>,
    /// Patterns.
    patterns: Vec<(Glob, Arc<str>)>,
}

impl fmt::Debug for Noise {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (names, patterns) = (self.names.len(), self.patterns.len());
        write!(formatter, "Noise({names} names, {patterns} patterns)")
    }
}

impl Noise {
    /// These names and patterns, each with its reason. Of one that stands twice the first reason counts.
    pub fn new(entries: impl IntoIterator<Item = (Glob, Arc<str>)>) -> Self {
        let mut noise = Self::default();
        for (glob, reason) in entries {
            if Glob::is_pattern(glob.as_str()) {
                noise.patterns.push((glob, reason));
            } else {
                noise.names.push((Name::new(glob.as_str()), reason));
            }
        }
        noise.names.sort_by(|one, other| one.0.cmp(&other.0));
        noise.names.dedup_by(|next, first| next.0 == first.0);
        noise
    }

    /// Whether nothing is noise.
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty() && self.patterns.is_empty()
    }

    /// Why what is said of a service would be noise; nothing where it would not.
    pub fn reason(&self, service: &Name) -> Option<&Arc<str>> {
        let named = self
            .names
            .binary_search_by(|(name, _)| name.cmp(service))
            .ok()
            .and_then(|at| self.names.get(at));
        named.map(|(_, reason)| reason).or_else(|| {
            let mut patterns = self.patterns.iter();
            patterns
                .find(|(glob, _)| glob.matches(service.as_str()))
                .map(|(_, reason)| reason)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_without_case_and_patterns_too() {
        let noise = Noise::new([
            (Glob::new("sppsvc"), Arc::from("licences")),
            (Glob::new("BITS"), Arc::from("transfers")),
            (Glob::new("GoogleUpdater*"), Arc::from("updates")),
        ]);
        let reason = |name| noise.reason(&Name::new(name)).map(|reason| &**reason);
        assert_eq!(reason("SPPSVC"), Some("licences"));
        assert_eq!(reason("bits"), Some("transfers"));
        assert_eq!(reason("GoogleUpdaterService130"), Some("updates"));
        assert_eq!(reason("Spooler"), None);
        assert!(!noise.is_empty() && Noise::default().is_empty());
    }
}
