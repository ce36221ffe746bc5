//! The configuration: files of YAML to a checked [`Config`], or every problem of them at once.
//!
//! The way is `parse` (YAML to a tree with places), `butler` (a Butler file as a native tree), `merge` (several files
//! as one), `check` (the walk that the `tables` drive) and `build` (names that must exist, and the plan of the core). All of it is pure but
//! for reading the files themselves and looking at the files and variables that they name.

mod account;
mod budget;
mod build;
mod butler;
mod chat;
mod check;
mod duration;
mod exec;
mod guests;
mod later;
mod lists;
mod merge;
mod near;
mod parse;
mod problem;
mod scalar;
mod schema;
mod settings;
mod shape;
mod source;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod unbuilt;
mod web_config;
mod wire;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub(crate) use self::build::known_noise;
pub(crate) use self::duration::duration;
pub(crate) use self::lists::LIST_BYTES;
pub(crate) use self::near::{meant_word, nearest};

pub use self::butler::{DIFFERENCES, Difference as ButlerDifference};
pub use self::chat::{
    NewRelicAccount, NewRelicSettings, SlackEnvelope, SlackFormat, SlackSettings, TeamsEnvelope,
    TeamsFormat, TeamsSettings, TemplateSettings, WordingSettings,
};
pub use self::exec::Program;
pub use self::later::{Note, Refusal, ScheduleText, parse as parse_schedule};
pub use self::lists::{
    Accept, HostList, ListOptions, ListSource, ListState, ListedHost, keep_lists, parse_any_list,
    read_list,
};
pub use self::problem::{ConfigErrors, Difference, Notes, Problem, Warning};
pub use self::schema::schema;
pub use self::settings::{
    Acting, Auth, Body, Config, Connection, Credential, DestinationSettings, EmailSettings,
    Encryption, GuestSettings, InfluxdbSettings, LogSettings, MODULE_USUAL, Method, Module,
    Modules, MqttSettings, MqttTls, Priority, ResolvedMail, RetentionSettings, SmtpSettings,
    SmtpTls, TicketFile, TopicSettings, Transport, WebhookSettings, usual_modules,
};
pub use self::source::{SecretError, SecretSource};
pub(crate) use self::web_config::cost as hash_cost;
pub use self::web_config::{ClientCertificates, TlsVersion, WebConfig, WebTls, load_web_config};

use self::lists::{Reading, Refused};
use self::problem::{Position, Problems};
use self::tree::{Node, Value};

/// How many files one config may have.
const FILES: usize = 256;

/// How a config is read.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Whether the files and environment variables that the config names are looked at: secrets, certificates,
    /// the folders of log files. Off where a config is only explained.
    pub look: bool,
    /// Whether each host must have an account to be read with. Off where no host is read.
    pub accounts: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            look: true,
            accounts: true,
        }
    }
}

/// Reads a config from its files, later ones over earlier ones. Nothing is half loaded: it is all good, or every
/// problem of it is told.
pub fn load(files: &[PathBuf], options: LoadOptions) -> Result<Config, ConfigErrors> {
    load_with(files, options, &ListOptions::default())
}

/// Reads a config from its files, and the lists of hosts that it names in this way. A list whose hosts do not fit the
/// rest of the config is refused as one that is wrong in itself, where there is one from before.
pub fn load_with(
    files: &[PathBuf],
    options: LoadOptions,
    lists: &ListOptions,
) -> Result<Config, ConfigErrors> {
    let mut refused = Refused::new();
    loop {
        let reading = Reading {
            options: lists,
            refused: &refused,
        };
        let (problems, config) = load_once(files, options, &reading);
        let blamed = lists::blamed(&config.lists, &problems);
        if blamed.is_empty() || lists.strict || !refused.is_empty() {
            return finish(problems, config, files);
        }
        refused = blamed;
    }
}

fn load_once(files: &[PathBuf], options: LoadOptions, reading: &Reading<'_>) -> (Problems, Config) {
    let mut problems = Problems::new(files);
    let mut texts = Vec::with_capacity(files.len());
    if files.is_empty() || files.len() > FILES {
        let what = format!("{} config files are named", files.len());
        problems.error(
            Position::default(),
            "",
            what,
            format!("name from one to {FILES} with -c"),
        );
    } else {
        for (index, path) in files.iter().enumerate() {
            let file = u16::try_from(index).unwrap_or(u16::MAX);
            match read(path) {
                Ok(bytes) => texts.push((file, bytes)),
                Err(error) => {
                    let (what, instead) = unreadable(&error);
                    problems.error(
                        Position {
                            file,
                            line: 0,
                            column: 0,
                        },
                        "",
                        what,
                        instead,
                    );
                }
            }
        }
    }
    let config = from_texts(&texts, &mut problems, options, reading);
    (problems, config)
}

/// Reads a config from one text, as if it stood in a file of that name.
pub fn load_text(text: &[u8], name: &Path, options: LoadOptions) -> Result<Config, ConfigErrors> {
    let files = [name.to_owned()];
    let mut problems = Problems::new(&files);
    let reading = Reading {
        options: &ListOptions::default(),
        refused: &BTreeMap::new(),
    };
    let config = from_texts(&[(0, text)], &mut problems, options, &reading);
    finish(problems, config, &[])
}

fn finish(
    mut problems: Problems,
    config: Config,
    files: &[PathBuf],
) -> Result<Config, ConfigErrors> {
    let notes = problems.take_notes();
    match problems.finish() {
        Ok(warnings) => Ok(Config {
            warnings,
            notes,
            files: files.to_vec(),
            ..config
        }),
        Err(errors) => Err(ConfigErrors { notes, ..errors }),
    }
}

/// A Butler file in native form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The native file, with comments.
    pub text: String,
    /// What works and yet is probably not meant.
    pub warnings: Vec<Warning>,
    /// What is ignored, and what svcwatch does otherwise.
    pub notes: Notes,
}

/// Writes a Butler file in native form. Secrets are carried over where they are asked for; else the text says where
/// each of them has to be written.
pub fn import(file: &Path, with_secrets: bool) -> Result<Imported, ConfigErrors> {
    let mut problems = Problems::new(&[file.to_owned()]);
    let at = Position::default();
    let root = match read(file) {
        Ok(bytes) => parse::parse(&bytes, 0, &mut problems),
        Err(error) => {
            let (what, instead) = unreadable(&error);
            problems.error(at, "", what, instead);
            None
        }
    };
    let root = root.unwrap_or(Node {
        at,
        value: Value::Map(Vec::new()),
    });
    if problems.none() && root.get(butler::ROOT).is_none() {
        let what = "this is no configuration of Butler: the key `Butler` is missing";
        problems.error(root.at, "", what, "name a file that begins with `Butler:`");
    }
    let translated = butler::translate(&root, &mut problems, true);
    let notes = problems.take_notes();
    let warnings = problems.finish()?;
    Ok(Imported {
        text: translated.text(file, &notes, with_secrets),
        warnings,
        notes,
    })
}

/// Whatever the bytes are, they are a config, or there is a problem with a place. Nothing outside the bytes is looked
/// at. It is what the tests with random bytes call.
///
/// # Panics
/// Where that does not hold, which is what those tests look for.
pub fn parse_any(bytes: &[u8]) {
    match load_text(
        bytes,
        Path::new("config.yaml"),
        LoadOptions {
            look: false,
            ..LoadOptions::default()
        },
    ) {
        Ok(config) => {
            assert_eq!(
                config.core.hosts.len(),
                config.connections.len(),
                "a host without a connection"
            );
            assert_eq!(
                config.core.destinations.len(),
                config
                    .destinations
                    .values()
                    .filter(|settings| settings.takes_notices())
                    .count(),
                "a destination without settings"
            );
        }
        Err(errors) => {
            assert!(!errors.problems.is_empty(), "refused without a reason");
            for problem in &errors.problems {
                assert!(
                    problem.line > 0 && problem.column > 0,
                    "no place: {problem}"
                );
                assert!(
                    !problem.what.is_empty() && !problem.instead.is_empty(),
                    "no advice: {problem}"
                );
            }
        }
    }
}

/// Whether a text can be the key name of a service in a config.
pub(crate) fn names_a_service(text: &str) -> bool {
    text::Form::ServiceName.check(text).is_ok()
}

/// Whether a text is a host name or an IP address; else what is wrong with it, and what to write instead.
pub(crate) fn is_address(text: &str) -> Result<(), (String, String)> {
    text::Form::Address.check(text)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // One byte more than allowed tells that it is too long, without reading it all.
    let most = u64::try_from(parse::FILE_BYTES + 1).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> (String, &'static str) {
    match error.kind() {
        io::ErrorKind::NotFound => (
            "the file does not exist".into(),
            "look at the path after -c",
        ),
        io::ErrorKind::IsADirectory => ("this is a folder".into(), "name each file in it with -c"),
        io::ErrorKind::PermissionDenied => (
            "the file may not be read".into(),
            "give the user that svcwatch runs as the right to read it",
        ),
        _ => (
            format!("the file cannot be read: {error}"),
            "look at the path after -c",
        ),
    }
}

fn from_texts(
    texts: &[(u16, impl AsRef<[u8]>)],
    problems: &mut Problems,
    options: LoadOptions,
    reading: &Reading<'_>,
) -> Config {
    let mut whole: Option<Node> = None;
    let mut beside: Vec<Node> = Vec::new();
    let mut torn = !problems.none();
    for (file, bytes) in texts {
        let Some(mut node) = parse::parse(bytes.as_ref(), *file, problems) else {
            torn = true;
            continue;
        };
        if node.get(butler::ROOT).is_some() {
            let before = problems.count();
            let translated = butler::translate(&node, problems, options.look);
            torn |= problems.count() > before;
            // What a Butler file says is laid under all native files, wherever it was named.
            lay_over(&mut whole, translated.node());
            continue;
        }
        if !is_ours(&mut node, problems) {
            torn = true;
            continue;
        }
        merge::tell_duplicates(&node, problems);
        beside.push(node);
    }
    for node in beside {
        lay_over(&mut whole, node);
    }
    let at = Position {
        file: 0,
        line: 1,
        column: 1,
    };
    let mut root = whole.unwrap_or(Node {
        at,
        value: Value::Map(Vec::new()),
    });
    // What one file lacks may stand in the one that could not be read, so a torn config is not judged as a whole.
    if torn {
        return build::config(
            &Node {
                at,
                value: Value::Map(Vec::new()),
            },
            &mut Problems::new(&[]),
            LoadOptions {
                look: false,
                accounts: false,
            },
        );
    }
    check::walk(&root, &tables::CONFIG, problems);
    let lists = if options.look {
        lists::take(&mut root, reading, problems)
    } else {
        Vec::new()
    };
    Config {
        lists,
        ..build::config(&root, problems, options)
    }
}

fn lay_over(base: &mut Option<Node>, node: Node) {
    match base {
        None => *base = Some(node),
        Some(base) => merge::lay_over(base, node),
    }
}

/// Whether a file's root is a mapping of this program, and not of another one.
fn is_ours(node: &mut Node, problems: &mut Problems) -> bool {
    if node
        .scalar()
        .is_some_and(|scalar| scalar.plain == scalar::Plain::Null)
    {
        node.value = Value::Map(Vec::new());
    }
    if node.entries().is_none() {
        problems.error(
            node.at,
            "",
            "a config is a mapping of keys such as `hosts` and `destinations`",
            "write `hosts:` and below it a list of hosts, each beginning with `- name:`",
        );
        return false;
    }
    true
}
