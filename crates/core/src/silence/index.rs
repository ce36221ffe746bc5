//! Finds what silences something among very many silences: by the host that they name, by how the pattern of their
//! host begins, or by the service that they name. Only those that name neither are looked at one by one.

use super::Mute;
use crate::{glob::Glob, id::Name};
use alloc::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

/// Mutes under the texts that they are found by.
type Shelf = BTreeMap<String, Vec<Arc<Mute>>>;

/// The mutes that hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// By the name of the host.
    hosts: Shelf,
    /// By the beginning of the pattern of the host, up to its first special character.
    beginnings: Shelf,
    /// How many there are of each length of a beginning, in bytes.
    lengths: BTreeMap<usize, usize>,
    /// By the name of the service, where they name no host.
    services: Shelf,
    /// All others.
    others: Vec<Arc<Mute>>,
}

/// Where a mute stands.
enum Place {
    Host(String),
    Beginning(String),
    Service(String),
    Other,
}

impl Index {
    /// Adds a mute.
    pub(super) fn add(&mut self, mute: &Arc<Mute>) {
        for place in places(mute) {
            match place {
                Place::Host(key) => shelve(&mut self.hosts, key, mute),
                Place::Beginning(key) => {
                    let count = self.lengths.entry(key.len()).or_default();
                    *count = count.saturating_add(1);
                    shelve(&mut self.beginnings, key, mute);
                }
                Place::Service(key) => shelve(&mut self.services, key, mute),
                Place::Other => self.others.push(Arc::clone(mute)),
            }
        }
    }

    /// Takes a mute away.
    pub(super) fn remove(&mut self, mute: &Arc<Mute>) {
        for place in places(mute) {
            match place {
                Place::Host(key) => unshelve(&mut self.hosts, &key, mute),
                Place::Beginning(key) => {
                    if let Some(count) = self.lengths.get_mut(&key.len()) {
                        *count = count.saturating_sub(1);
                        if *count == 0 {
                            self.lengths.remove(&key.len());
                        }
                    }
                    unshelve(&mut self.beginnings, &key, mute);
                }
                Place::Service(key) => unshelve(&mut self.services, &key, mute),
                Place::Other => self.others.retain(|one| one.by != mute.by),
            }
        }
    }

    /// The first that means what stands on this host and service, silences before windows.
    pub(super) fn find(
        &self,
        host: Option<&Name>,
        service: Option<&Name>,
        means: impl Fn(&Mute) -> bool,
    ) -> Option<&Arc<Mute>> {
        let of_host = host.and_then(|host| self.hosts.get(host.key()));
        let of_service = service.and_then(|service| self.services.get(service.key()));
        let beginnings = self.lengths.keys().filter_map(|length| {
            let begins = host?.key().get(..*length)?;
            self.beginnings.get(begins)
        });
        let shelves = of_host.into_iter().chain(beginnings).chain(of_service);
        shelves
            .flatten()
            .chain(&self.others)
            .filter(|mute| means(mute))
            .min_by(|one, other| one.by.cmp(&other.by))
    }
}

fn shelve(shelf: &mut Shelf, key: String, mute: &Arc<Mute>) {
    shelf.entry(key).or_default().push(Arc::clone(mute));
}

fn unshelve(shelf: &mut Shelf, key: &str, mute: &Arc<Mute>) {
    if let Some(found) = shelf.get_mut(key) {
        found.retain(|one| one.by != mute.by);
        if found.is_empty() {
            shelf.remove(key);
        }
    }
}

/// Where a mute is found: each place once.
fn places(mute: &Mute) -> Vec<Place> {
    let matcher = &mute.matcher;
    let literal = |glob: &Glob| !Glob::is_pattern(glob.as_str());
    if !matcher.host.is_empty() {
        let (names, patterns): (Vec<&Glob>, Vec<&Glob>) =
            matcher.host.iter().partition(|glob| literal(glob));
        let names = each(names.into_iter().map(|glob| glob.as_str().to_lowercase()));
        let patterns = each(patterns.into_iter().map(beginning));
        return names
            .into_iter()
            .map(Place::Host)
            .chain(patterns.into_iter().map(Place::Beginning))
            .collect();
    }
    if !matcher.service.is_empty() && matcher.service.iter().all(literal) {
        let names = matcher
            .service
            .iter()
            .map(|glob| glob.as_str().to_lowercase());
        return each(names).into_iter().map(Place::Service).collect();
    }
    alloc::vec![Place::Other]
}

/// A pattern up to its first special character.
fn beginning(glob: &Glob) -> String {
    let shown = glob.as_str();
    let literal = shown.split(['*', '?']).next().unwrap_or_default();
    literal.to_lowercase()
}

fn each(keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut keys: Vec<String> = keys.collect();
    keys.sort();
    keys.dedup();
    keys
}
