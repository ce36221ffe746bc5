//! `noise`: services that are known to stop and to change by themselves.

use std::sync::{Arc, LazyLock};

use svcwatch_core::glob::Glob;
use svcwatch_core::id::Name;
use svcwatch_core::noise::Noise;

use super::fields::one_or_many;
use crate::config::tree::Node;

/// The services that are known, a line each: its name or pattern, the reason, and what the reason is based on.
const KNOWN: &str = include_str!("../noise.csv");
/// The word for them in the config.
const DEFAULT: &str = "default";
/// The reason where the config itself names a service.
const BY_CONFIG: &str = "the config names it under `noise`";

static BUILT_IN: LazyLock<Arc<Noise>> = LazyLock::new(|| Arc::new(Noise::new(known())));

/// The known services, each with its reason.
fn known() -> impl Iterator<Item = (Glob, Arc<str>)> {
    KNOWN.lines().skip(1).filter_map(|line| {
        let mut parts = line.split(';');
        Some((Glob::new(parts.next()?), Arc::from(parts.next()?)))
    })
}

/// Why a service is known to come and go; nothing where it is not.
pub(crate) fn known_noise(service: &str) -> Option<String> {
    let reason = BUILT_IN.reason(&Name::new(service))?;
    Some(reason.to_string())
}

/// What is taken for noise: the known services, unless the config has a list of its own, in which `default` stands for
/// them.
pub(super) fn read(root: &Node) -> Arc<Noise> {
    let Some(node) = root.get("noise") else {
        return Arc::clone(&BUILT_IN);
    };
    let named: Vec<&str> = one_or_many(node).map(|(_, text)| text).collect();
    if named == [DEFAULT] {
        return Arc::clone(&BUILT_IN);
    }
    let reason: Arc<str> = Arc::from(BY_CONFIG);
    let own = named
        .iter()
        .filter(|name| !name.eq_ignore_ascii_case(DEFAULT))
        .map(|name| (Glob::new(name), Arc::clone(&reason)));
    let with_known = named.iter().any(|name| name.eq_ignore_ascii_case(DEFAULT));
    let all = own.chain(known().filter(|_| with_known));
    Arc::new(Noise::new(all.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_service_has_a_reason_and_a_source_and_stands_once() {
        let mut names: Vec<String> = Vec::new();
        for line in KNOWN.lines().skip(1) {
            let parts: Vec<&str> = line.split(';').collect();
            assert_eq!(parts.len(), 3, "{line}");
            assert!(parts.iter().all(|part| part.trim().len() > 3), "{line}");
            names.push(parts[0].to_lowercase());
        }
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(all, names.len());
        assert!(all >= 20, "only {all}");
        assert!(BUILT_IN.reason(&Name::new("GUPDATE")).is_some());
        assert!(BUILT_IN.reason(&Name::new("Spooler")).is_none());
    }
}
