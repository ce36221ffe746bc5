//! From the checked tree to a [`Config`]; tells what needs more than one place to be seen.

mod chat;
mod clusters;
mod credentials;
mod destinations;
mod feeds;
mod fields;
mod groups;
mod guests;
mod hosts;
mod maintenance;
mod noise;
mod remedies;
mod routes;
mod services;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use svcwatch_core::evidence::{EvidencePlan, Late, LogUse};
use svcwatch_core::id::Name;
use svcwatch_core::later::Occurrences;
use svcwatch_core::noise::Noise;
use svcwatch_core::plan::{NoticePlan, Plan, StuckAfter};
use svcwatch_core::rhythm::Rhythm;
use svcwatch_core::time::Span;

pub(super) use self::credentials::auth;
use self::fields::Fields;
pub(crate) use self::noise::known_noise;
use self::remedies::Remedies;
use super::LoadOptions;
use super::duration::duration_text;
use super::exec::Program;
use super::later::{self, Note};
use super::near::nearest;
use super::problem::{Notes, Position, Problems, quoted};
use super::scalar::Plain;
use super::settings::Config;
use super::source::SecretSource;
use super::tables::{CONFIG, EVIDENCE, NOTICES, SECRET, STORE, STUCK_AFTER, WEB};
use super::text::{self, Form};
use super::tree::{Node, Value};
use crate::clock;
use crate::secret::Secret;
use crate::template::Link;
use crate::web::Access;

/// How many names are looked through for the nearest one.
const NEAR_NAMES: usize = 10_000;

/// What all parts of the build share.
pub(super) struct Build<'run> {
    root: &'run Node,
    problems: &'run mut Problems,
    /// Whether files and environment variables that the config names are looked at.
    look: bool,
    /// Whether each host must have an account.
    need_accounts: bool,
    /// The accounts by their names in lower case.
    accounts: BTreeMap<String, Name>,
    /// Those that act and read nothing, likewise.
    acting_accounts: BTreeMap<String, Name>,
    texts: HashMap<String, Arc<str>>,
    /// The links that messages offer.
    links: Arc<[Link]>,
    /// What is taken for noise.
    noise: Arc<Noise>,
    /// Plans for starting services again.
    remedies: Remedies,
    /// The schedules by their texts: many hosts share one.
    schedules: HashMap<String, Arc<Occurrences>>,
}

impl<'run> Build<'run> {
    /// Over this text, of which only what stands for itself was read.
    fn new(root: &'run Node, problems: &'run mut Problems, options: LoadOptions) -> Self {
        Self {
            root,
            problems,
            look: options.look,
            need_accounts: options.accounts,
            accounts: BTreeMap::new(),
            acting_accounts: BTreeMap::new(),
            texts: HashMap::new(),
            links: chat::links(root),
            schedules: HashMap::new(),
            noise: noise::read(root),
            remedies: Remedies::read(root),
        }
    }
}

impl Build<'_> {
    /// Whether hosts may tell of changes by themselves.
    fn may_tell(&self) -> bool {
        Fields::new(Some(self.root), &CONFIG).switch("instant")
    }

    fn error(
        &mut self,
        at: Position,
        path: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.problems.error(at, path, what, instead);
    }

    fn warn(
        &mut self,
        at: Position,
        path: &str,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.problems.warn(at, path, what, instead);
    }

    /// Tells that a name means nothing, with the nearest that does.
    fn unknown(&mut self, at: Position, path: &str, what: &str, name: &str, known: &[&str]) {
        let instead = match nearest(name, known.iter().copied().take(NEAR_NAMES)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("no {what} is configured; write one"),
            None if known.len() <= 8 => format!("known: {}", known.join(", ")),
            None => format!("write the name of one of the {} {what}s", known.len()),
        };
        self.error(
            at,
            path,
            format!("no {what} is called {}", quoted(name)),
            instead,
        );
    }

    /// One copy of a text that many hosts share.
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(text);
        self.texts.insert(text.to_owned(), Arc::clone(&new));
        new
    }

    /// When something happens again: after a length of time, or as a schedule says. What is odd in a schedule is told
    /// once.
    fn rhythm(&mut self, fields: &Fields<'_>, key: &str, path: &str) -> Rhythm {
        let written = fields
            .get(key)
            .and_then(|node| Some((node.at, node.scalar()?)));
        let Some((at, scalar)) = written.filter(|(_, scalar)| !later::is_length(&scalar.text))
        else {
            return Rhythm::Interval(fields.duration(key));
        };
        if let Some(known) = self.schedules.get(&*scalar.text) {
            return Rhythm::Occurrences(Arc::clone(known));
        }
        let Ok(schedule) = later::parse(&scalar.text) else {
            return Rhythm::Interval(Span::ZERO);
        };
        for Note { column, text } in schedule.notes {
            let what = format!("{text} (column {column} of the text)");
            self.warn(at, path, what, "`svcwatch schedule` shows when it runs");
        }
        let occurrences = Arc::new(schedule.occurrences);
        if occurrences.next(clock::wall()).is_none() {
            let what = format!("{} does not run any more", quoted(&scalar.text));
            self.warn(at, path, what, "write a schedule that goes on");
        }
        self.schedules
            .insert(scalar.text.to_string(), Arc::clone(&occurrences));
        Rhythm::Occurrences(occurrences)
    }

    /// A path, relative to the file that names it.
    fn path(&self, node: &Node) -> Option<PathBuf> {
        let text = &*node
            .scalar()
            .filter(|scalar| scalar.plain != Plain::Null)?
            .text;
        let folder = self
            .problems
            .file(node.at)
            .parent()
            .unwrap_or(Path::new(""));
        Some(folder.join(text))
    }

    /// Where a secret comes from; told at once if it cannot be read, or if it stands open in the file.
    fn secret(&mut self, node: &Node, path: &str, delicate: bool) -> Option<SecretSource> {
        let source = match &node.value {
            Value::List(_) => return None,
            Value::Scalar(scalar) => {
                if delicate {
                    self.warn(
                        node.at,
                        path,
                        "a secret stands readable in this file",
                        "write { file: PATH }, { env: NAME }, { systemd: NAME } or { exec: [PROGRAM, …] }",
                    );
                }
                return Some(SecretSource::Text(Secret::new(&*scalar.text)));
            }
            Value::Map(_) => {
                let fields = Fields::new(Some(node), &SECRET);
                match (
                    fields.get("file"),
                    fields.text("env"),
                    fields.text("systemd"),
                    fields.get("exec"),
                ) {
                    (Some(file), None, None, None) => SecretSource::File(self.path(file)?),
                    (None, Some(name), None, None) => SecretSource::Env(name.to_owned()),
                    (None, None, Some(name), None) => {
                        SecretSource::Systemd(self.credential_name(node, name, path)?)
                    }
                    (None, None, None, Some(words)) => {
                        SecretSource::Exec(self.program(words, path)?)
                    }
                    _ => return None,
                }
            }
        };
        // A name that the walk has refused needs no second complaint.
        let sound =
            !matches!(&source, SecretSource::Env(name) if Form::Variable.check(name).is_err());
        if self.look
            && sound
            && let Err(error) = source.read()
        {
            self.error(node.at, path, error.what, error.instead);
        }
        Some(source)
    }

    /// A program with its arguments. A path is relative to the file that names it, a bare name is looked for in $PATH.
    fn program(&mut self, node: &Node, path: &str) -> Option<Program> {
        let mut words = node.items()?.iter();
        let Some(first) = words.next() else {
            self.error(
                node.at,
                &format!("{path}.exec"),
                "no program is written here",
                "write it and its arguments, each as an item: [/usr/local/bin/secret, monitor]",
            );
            return None;
        };
        let name = &*first.scalar()?.text;
        let path = if name.contains(['/', '\\']) {
            self.path(first)?
        } else {
            PathBuf::from(name)
        };
        let arguments = words
            .map(|word| Some(Secret::new(&*word.scalar()?.text)))
            .collect::<Option<_>>()?;
        Some(Program { path, arguments })
    }

    /// The name of a credential of systemd is the name of a file, not a path.
    fn credential_name(&mut self, node: &Node, name: &str, path: &str) -> Option<String> {
        if name.contains(['/', '\\']) || name.starts_with('.') {
            self.error(
                node.at,
                path,
                "the name of a credential is no path",
                "write only its name; for a path write { file: PATH }",
            );
            return None;
        }
        Some(name.to_owned())
    }
}

/// The folder of the user's own runbooks, which must be there.
fn runbooks(build: &mut Build<'_>, node: &Node) -> Option<PathBuf> {
    let folder = build.path(node)?;
    if build.look && !folder.is_dir() {
        build.error(
            node.at,
            "runbooks",
            format!("there is no folder {}", folder.display()),
            "make it, or leave the key out: the built-in runbooks need none",
        );
    }
    Some(folder)
}

fn stuck_after_of(root: &Node) -> StuckAfter {
    let fields = Fields::new(root.get("stuck_after"), &STUCK_AFTER);
    StuckAfter {
        start: fields.duration("start"),
        stop: fields.duration("stop"),
        boot: fields.duration("boot"),
    }
}

/// The file that guards what is served, and whether it asks for encryption; every problem of it is told with its own
/// place.
fn web_config(build: &mut Build<'_>, node: &Node) -> Option<(PathBuf, bool)> {
    // What is no path was told by the walk.
    node.scalar().filter(|scalar| !scalar.text.is_empty())?;
    let path = build.path(node)?;
    if !build.look {
        return Some((path, false));
    }
    let encrypted = match Access::load(&path) {
        Ok(access) => access.scheme() == "https",
        Err(error) => {
            for sentence in error.sentences() {
                build.error(node.at, "web.config_file", sentence, "");
            }
            false
        }
    };
    Some((path, encrypted))
}

/// What holds for all notices.
fn notices_of(root: &Node) -> NoticePlan {
    let notices = Fields::new(root.get("notices"), &NOTICES);
    NoticePlan {
        summary_above: notices.whole_or_off("summary_above").unwrap_or(5),
        reminder: notices.duration_or_off("reminder"),
        expiry: notices.duration("expiry"),
    }
}

/// How evidence is gathered. What is written and cannot be is a warning.
fn evidence_of(build: &mut Build<'_>) -> Option<EvidencePlan> {
    let written = build.root.get("evidence");
    let evidence = Fields::new(written, &EVIDENCE);
    let gathered = evidence.switch("gather");
    let plan = EvidencePlan {
        wait: evidence.duration("wait"),
        deadline: evidence.duration("deadline"),
        hosts_at_once: evidence.whole("hosts_at_once").unwrap_or(16),
        log: LogUse::parse(evidence.word("event_log")).unwrap_or(LogUse::Off),
        late: Late::parse(evidence.word("late")).unwrap_or(Late::Store),
    };
    let at = |key| written.and_then(|node| node.get(key).or(Some(node)));
    if let Some(node) = at("event_log").filter(|_| !gathered && plan.log != LogUse::Off) {
        build.warn(
            node.at,
            "evidence.event_log",
            "no host is asked for its event log, because `gather` is off",
            "write `gather: true`, or remove `event_log`",
        );
    }
    if let Some(node) = at("wait").filter(|_| gathered && plan.wait > plan.deadline) {
        let (wait, deadline) = (duration_text(plan.wait), duration_text(plan.deadline));
        build.warn(
            node.at,
            "evidence.wait",
            format!(
                "the first notice may wait {wait} for what is found out, and that is given up after {deadline}"
            ),
            "write no longer time than that of `deadline`",
        );
    }
    gathered.then_some(plan)
}

/// Builds the config; it may be used only where no problem was found.
pub(super) fn config(root: &Node, problems: &mut Problems, options: LoadOptions) -> Config {
    let mut build = Build::new(root, problems, options);
    let (credentials, choices) = credentials::read(&mut build);
    let (hosts, connections, groups) = hosts::read(&mut build, (&credentials, choices));
    let (destination_plans, destinations) = destinations::read(&mut build);
    let routes = routes::read(
        &mut build,
        &destination_plans,
        &feeds::only_feeds(&destinations),
    );
    let (maintenance, calendar) = maintenance::read(&mut build);
    let evidence = evidence_of(&mut build);
    let modules = guests::modules(&mut build);
    let guests = guests::settings(&mut build, &modules, &connections);
    let top = Fields::new(Some(root), &CONFIG);
    let store = Fields::new(root.get("store"), &STORE);
    let web = Fields::new(root.get("web"), &WEB);
    let data = top.get("data").and_then(|node| build.path(node));
    let (web_config, web_tls) = web
        .get("config_file")
        .and_then(|node| web_config(&mut build, node))
        .unzip();
    let runbooks = top
        .get("runbooks")
        .and_then(|node| runbooks(&mut build, node));
    Config {
        core: Plan {
            hosts: hosts.into_iter().map(Arc::new).collect(),
            accounts: build.accounts.into_values().collect(),
            destinations: destination_plans,
            routes,
            notices: notices_of(root),
            maintenance,
            instant_off: !top.switch("instant"),
            evidence,
            groups,
            guests: guests::plan(&guests, &modules),
            stuck_after: stuck_after_of(root),
        },
        calendar,
        connections,
        credentials,
        destinations,
        links: Arc::clone(&build.links),
        listen: text::listen(top.word("listen"))
            .unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 7467))),
        data,
        runbooks,
        web_url: web
            .text("url")
            .map(|url| url.trim_end_matches('/').to_owned()),
        web_config,
        web_tls: web_tls.unwrap_or_default(),
        modules,
        guests,
        retention: store.duration("retention"),
        warnings: Vec::new(),
        lists: Vec::new(),
        notes: Notes::default(),
        files: Vec::new(),
    }
}
