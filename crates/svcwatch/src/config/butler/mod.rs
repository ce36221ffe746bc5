//! A Butler file, read as a native one: it is translated into the native tree, each value with the place where it stood,
//! and goes the way of every other file from there.

mod chat;
mod destinations;
mod differences;
mod email;
mod feeds;
mod made;
mod merge_keys;
mod monitor;
mod newrelic;
mod print;
mod reader;
#[cfg(test)]
mod tests;
mod webhook;

pub use self::differences::{DIFFERENCES, Difference};
pub(super) use self::merge_keys::{leave_out, resolve};

use std::path::Path;

use self::destinations::Destinations;
use self::differences as differ;
use self::made::Made;
use self::reader::{Reader, Section};
use super::problem::{Notes, Position, Problems};
use super::tree::Node;

/// The key at the root of a Butler file.
pub(super) const ROOT: &str = "Butler";

/// A Butler file as a native one.
#[derive(Debug, Clone)]
pub(super) struct Translated {
    made: Made,
}

impl Translated {
    /// As a tree that goes the way of every other one.
    pub(super) fn node(&self) -> Node {
        self.made.node()
    }

    /// As a native file with comments.
    pub(super) fn text(&self, file: &Path, notes: &Notes, with_secrets: bool) -> String {
        print::print(&self.made, file, notes, with_secrets)
    }
}

/// Translates a file; what is wrong with it is among the problems.
pub(super) fn translate(root: &Node, problems: &mut Problems, look: bool) -> Translated {
    let at = root.entry(ROOT).map_or(root.at, |entry| entry.value.at);
    let folder = problems.file(at).parent().unwrap_or(Path::new(""));
    let folder = folder.to_owned();
    let mut reader = Reader {
        problems,
        look,
        folder,
        said: Vec::new(),
    };
    for entry in root.entries().unwrap_or_default() {
        if &*entry.key != ROOT {
            reader.problems.warn(
                entry.key_at,
                &entry.key,
                "nothing beside `Butler:` is read in a Butler file",
                "write native keys into a second file, and name both with -c",
            );
        }
    }
    let made = match root.get(ROOT).and_then(|node| reader.root(node)) {
        Some(section) => whole(&mut reader, &section),
        None => made::map(at, [("hosts", made::list(at, Vec::new()))]),
    };
    Translated { made }
}

fn whole(reader: &mut Reader<'_>, root: &Section<'_>) -> Made {
    let system = if root.node.get("systemInfo").is_some() {
        "systemInfo"
    } else {
        "serviceMonitor"
    };
    reader.everywhere(root, system, &differ::PLATFORM);
    let monitor = monitor::read(reader, root);
    let mut all = Destinations::default();
    let gates = monitor.gates;
    chat::slack(reader, root, gates, &mut all);
    chat::teams(reader, root, gates, &mut all);
    email::read(reader, root, gates, &mut all);
    webhook::read(reader, root, gates, &mut all);
    feeds::mqtt(reader, root, gates, &mut all);
    feeds::influxdb(reader, root, gates, &mut all);
    newrelic::read(reader, root, gates, &mut all);
    let links = links(reader, root);
    reader.finish(root);
    reader.everywhere(root, "", &differ::SECTIONS);
    let at = monitor.at;
    let mut defaults = made::map(at, []);
    defaults.put_some("every", monitor.every);
    defaults.put("settle", made::text(at, "0s"));
    defaults.put("boot_grace", made::text(at, "0s"));
    let mut made = made::map(
        at,
        [(
            "notices",
            made::map(
                at,
                [
                    ("summary_above", made::text(at, "off")),
                    ("reminder", made::text(at, "off")),
                ],
            ),
        )],
    );
    made.put("defaults", defaults);
    made.put("hosts", made::list(at, monitor.hosts));
    made.put_some("links", Some(links).filter(|links| !links.is_empty()));
    let (destinations, routes) = all.made(at);
    made.put_some("destinations", destinations);
    made.put_some("routes", routes);
    made
}

/// `genericUrls`: links that templates may show.
fn links(reader: &mut Reader<'_>, root: &Section<'_>) -> Made {
    let mut links = Vec::new();
    for one in reader.sections(root, "genericUrls") {
        let mut link = made::map(one.node.at, []);
        for (key, ours, needed) in [
            ("id", "id", true),
            ("linkText", "text", false),
            ("comment", "comment", false),
            ("url", "url", true),
        ] {
            let text = if needed {
                reader.needed(&one, key, true)
            } else {
                reader.text(&one, key).filter(|text| !text.is_empty())
            };
            let shown = match text {
                // A link that shows nothing shows what it is called.
                None if ours == "text" => one
                    .node
                    .get("id")
                    .and_then(Node::scalar)
                    .map(|id| &*id.text),
                text => text,
            };
            link.put_some(ours, shown.map(|text| made::text(one.at(key), text)));
        }
        reader.finish(&one);
        links.push(link);
    }
    made::list(root.at("genericUrls"), links)
}

/// Where hosts of a Butler file stand that no account is named for, and what to write.
pub(super) fn account_wanted(problems: &Problems, at: Position) -> Option<String> {
    let file = problems.butler_file(at)?;
    Some(format!(
        "Butler uses its own Windows account, which svcwatch does not have; write this into a second file:\n\
         \x20   credentials:\n\
         \x20     butler: {{ user: 'DOMAIN\\user', password: {{ file: /etc/svcwatch/butler.password }} }}\n\
         \x20   defaults: {{ credentials: butler }}\n\
         \x20   # only where they are not the host's name, 445 and required:\n\
         \x20   # hosts: [{{ name: HOST, address: 10.0.0.7, port: 445, encryption: preferred }}]\n\
         and name both: -c {} -c svcwatch.yaml",
        file.display()
    ))
}
