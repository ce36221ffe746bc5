//! The file of `web.config_file`: who may ask svcwatch, and how it is encrypted, in the form that Prometheus and its
//! exporters share (exporter-toolkit, docs/web-configuration.md). What of that form would not be carried out is
//! refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::problem::{ConfigErrors, Position, Problems};
use super::shape::{Key, Kind, Shape};
use super::text::Form;
use super::tree::Node;
use super::{check, parse, read, unreadable};
use crate::secret::Secret;

/// Users that the file may name, at most.
const USERS_MAX: usize = 1_000;

/// The greatest cost of a hash: with it a check takes more than two seconds, and each further step doubles that.
const COST_MAX: u32 = 15;

/// Characters of a hash by bcrypt: prefix, cost, salt and hash.
const HASH_LENGTH: usize = 60;

/// The headers that the form knows.
const HEADERS: [&str; 5] = [
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
    "Content-Security-Policy",
];

/// What stands before every path.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WebConfig {
    /// How it is encrypted; nothing where it is not.
    pub tls: Option<WebTls>,
    /// Who may log on, each with the hash of a password. Where there are none, nobody has to.
    pub users: BTreeMap<String, Secret>,
    /// Headers of every answer.
    pub headers: BTreeMap<String, String>,
}

/// How what is served is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebTls {
    /// The certificates, in PEM form.
    pub certificate: PathBuf,
    /// The key of the first of them.
    pub key: PathBuf,
    /// Whether clients need certificates of their own.
    pub clients: ClientCertificates,
    /// The oldest version that is spoken.
    pub oldest: TlsVersion,
    /// The newest version that is spoken.
    pub newest: TlsVersion,
}

/// Whether clients need certificates of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked for any.
    None,
    /// One that is shown must be signed by these authorities.
    IfGiven(PathBuf),
    /// One must be shown that is signed by these authorities.
    Required(PathBuf),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

impl WebConfig {
    /// Whether somebody who is not named in it is kept out.
    pub fn guards(&self) -> bool {
        let clients = self.tls.as_ref().map(|tls| &tls.clients);
        !self.users.is_empty() || matches!(clients, Some(ClientCertificates::Required(_)))
    }

    /// The files beside it that it names.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        if let Some(tls) = &self.tls {
            files.extend([tls.certificate.clone(), tls.key.clone()]);
            match &tls.clients {
                ClientCertificates::None => {}
                ClientCertificates::IfGiven(path) | ClientCertificates::Required(path) => {
                    files.push(path.clone());
                }
            }
        }
        files
    }
}

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        required: false,
        default: "",
        doc,
        since: "0.1.0",
    }
}

const PATH: Kind = Kind::Text(Form::Path);

const VERSION: Kind = Kind::Choice(&["TLS12", "TLS13"]);

static WEB_CONFIG: Shape = Shape {
    name: "web_config",
    doc: "Who may ask, and how it is encrypted.",
    keys: &[&[
        key(
            "tls_server_config",
            Kind::Map(&TLS),
            "How what is served is encrypted.",
        ),
        key(
            "http_server_config",
            Kind::Map(&HTTP),
            "Headers of every answer.",
        ),
        key(
            "basic_auth_users",
            Kind::Named {
                names: Form::Line(128),
                of: &Kind::Text(Form::Secret),
                most: USERS_MAX,
            },
            "Users, each with the hash of a password by bcrypt.",
        ),
    ]],
    one_of: &[],
};

static TLS: Shape = Shape {
    name: "web_config_tls",
    doc: "How what is served is encrypted.",
    keys: &[&[
        Key {
            required: true,
            ..key("cert_file", PATH, "The certificates.")
        },
        Key {
            required: true,
            ..key("key_file", PATH, "The key.")
        },
        key(
            "client_auth_type",
            Kind::Choice(&[
                "NoClientCert",
                "VerifyClientCertIfGiven",
                "RequireAndVerifyClientCert",
            ]),
            "Whether clients need certificates.",
        ),
        key(
            "client_ca_file",
            PATH,
            "The authorities of clients' certificates.",
        ),
        key("min_version", VERSION, "The oldest version."),
        key("max_version", VERSION, "The newest version."),
    ]],
    one_of: &[],
};

static HTTP: Shape = Shape {
    name: "web_config_http",
    doc: "Headers of every answer.",
    keys: &[&[
        key("http2", Kind::Switch, "Whether HTTP/2 is spoken."),
        key(
            "headers",
            Kind::Named {
                names: Form::Header,
                of: &Kind::Text(Form::Line(4_096)),
                most: HEADERS.len(),
            },
            "Headers of every answer.",
        ),
    ]],
    one_of: &[],
};

/// Reads such a file, or tells every problem of it. The files that it names are not looked at.
pub fn load_web_config(path: &Path) -> Result<WebConfig, ConfigErrors> {
    let mut problems = Problems::new(&[path.to_owned()]);
    let config = match read(path) {
        Ok(bytes) => from_bytes(&bytes, path, &mut problems),
        Err(error) => {
            let (what, _) = unreadable(&error);
            problems.error(Position::default(), "", what, "look at web.config_file");
            WebConfig::default()
        }
    };
    problems.finish().map(|_| config)
}

fn from_bytes(bytes: &[u8], path: &Path, problems: &mut Problems) -> WebConfig {
    // An empty file is one that asks for nothing.
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return WebConfig::default();
    }
    let Some(root) = parse::parse(bytes, 0, problems) else {
        return WebConfig::default();
    };
    check::walk(&root, &WEB_CONFIG, problems);
    if !problems.none() {
        return WebConfig::default();
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let http = root.get("http_server_config");
    WebConfig {
        tls: root
            .get("tls_server_config")
            .and_then(|node| tls(node, folder, problems)),
        users: users(root.get("basic_auth_users"), problems),
        headers: headers(http, problems),
    }
}

fn word<'tree>(node: &'tree Node, key: &str) -> Option<&'tree str> {
    let scalar = node.get(key)?.scalar()?;
    (!scalar.text.is_empty()).then_some(&*scalar.text)
}

fn tls(node: &Node, folder: &Path, problems: &mut Problems) -> Option<WebTls> {
    let file = |key| word(node, key).map(|text| folder.join(text));
    let version = |key, other| match word(node, key) {
        Some("TLS12") => TlsVersion::Tls12,
        Some("TLS13") => TlsVersion::Tls13,
        Some(_) | None => other,
    };
    let (oldest, newest) = (
        version("min_version", TlsVersion::Tls12),
        version("max_version", TlsVersion::Tls13),
    );
    if oldest > newest {
        problems.error(
            node.at,
            "tls_server_config",
            "min_version is above max_version, so no version is left",
            "leave max_version out",
        );
    }
    let authorities = file("client_ca_file");
    let clients = match (word(node, "client_auth_type"), authorities) {
        (Some("RequireAndVerifyClientCert"), Some(path)) => ClientCertificates::Required(path),
        (Some("VerifyClientCertIfGiven"), Some(path)) => ClientCertificates::IfGiven(path),
        (Some(kind @ ("RequireAndVerifyClientCert" | "VerifyClientCertIfGiven")), None) => {
            problems.error(
                node.at,
                "tls_server_config.client_auth_type",
                format!("{kind} needs to know whose certificates are good"),
                "name their authorities with client_ca_file",
            );
            ClientCertificates::None
        }
        (_, Some(_)) => {
            problems.error(
                node.at,
                "tls_server_config.client_ca_file",
                "clients are not asked for certificates, so their authorities say nothing",
                "add client_auth_type: RequireAndVerifyClientCert, or leave client_ca_file out",
            );
            ClientCertificates::None
        }
        (_, None) => ClientCertificates::None,
    };
    Some(WebTls {
        certificate: file("cert_file")?,
        key: file("key_file")?,
        clients,
        oldest,
        newest,
    })
}

fn users(node: Option<&Node>, problems: &mut Problems) -> BTreeMap<String, Secret> {
    let mut users = BTreeMap::new();
    for entry in node.and_then(Node::entries).unwrap_or_default() {
        let path = format!("basic_auth_users.{}", entry.key);
        if entry.key.contains(':') {
            let what = "a user with a colon in its name can never log on";
            problems.error(entry.key_at, &path, what, "leave the colon out");
        }
        let hash = entry.value.scalar().map_or("", |scalar| &*scalar.text);
        match cost(hash) {
            Some(cost) if cost <= COST_MAX => {
                users.insert(entry.key.to_string(), Secret::new(hash));
            }
            Some(cost) => problems.error(
                entry.value.at,
                &path,
                format!("a check of a hash of cost {cost} takes too long"),
                format!("make the hash with a cost of 10 to 12; {COST_MAX} is the most"),
            ),
            // What stands there may be the password itself, and is not repeated.
            None => problems.error(
                entry.value.at,
                &path,
                "this is no hash by bcrypt",
                "write what `htpasswd -nBC 10 USER` prints behind the colon; it begins with $2y$10$",
            ),
        }
    }
    users
}

/// The cost of a hash by bcrypt; none where it is no such hash.
pub(crate) fn cost(hash: &str) -> Option<u32> {
    let rest = ["$2a$", "$2b$", "$2x$", "$2y$"]
        .iter()
        .find_map(|prefix| hash.strip_prefix(prefix))?;
    let (cost, salted) = rest.split_once('$')?;
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    let whole = hash.len() == HASH_LENGTH && cost.len() == 2 && salted.bytes().all(alphabet);
    let cost = cost.parse().ok()?;
    (whole && (4..=31).contains(&cost)).then_some(cost)
}

fn headers(http: Option<&Node>, problems: &mut Problems) -> BTreeMap<String, String> {
    let Some(http) = http else {
        return BTreeMap::new();
    };
    if let Some(node) = http.get("http2")
        && node.scalar().and_then(super::shape::as_switch) == Some(true)
    {
        problems.error(
            node.at,
            "http_server_config.http2",
            "svcwatch speaks HTTP/1.1 alone",
            "write false, or leave it out",
        );
    }
    let mut headers = BTreeMap::new();
    let written = http.get("headers").and_then(Node::entries);
    for entry in written.unwrap_or_default() {
        let known = HEADERS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(&entry.key));
        let value = entry.value.scalar().map_or("", |scalar| &*scalar.text);
        match known {
            Some(name) if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                headers.insert((*name).to_owned(), value.to_owned());
            }
            Some(name) => problems.error(
                entry.value.at,
                &format!("http_server_config.headers.{name}"),
                "the value of a header holds printable ASCII alone",
                "leave the other characters out",
            ),
            None => problems.error(
                entry.key_at,
                "http_server_config.headers",
                format!("the header {} cannot be set here", entry.key),
                format!("known: {}", HEADERS.join(", ")),
            ),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

    fn load(text: &str) -> Result<WebConfig, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yaml");
        std::fs::write(&path, text).unwrap();
        let at = folder.path().display().to_string();
        load_web_config(&path).map_err(|errors| errors.to_string().replace(&at, "AT"))
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = load(&format!(
            "tls_server_config:\n  cert_file: server.crt\n  key_file: /keys/server.key\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.crt\n  min_version: TLS13\nhttp_server_config:\n  headers:\n    strict-transport-security: max-age=31536000\nbasic_auth_users:\n  alice: {HASH}\n"
        ))
        .unwrap();
        let tls = config.tls.as_ref().unwrap();
        assert_eq!(tls.key, Path::new("/keys/server.key"));
        assert!(tls.certificate.ends_with("server.crt") && tls.certificate.is_absolute());
        assert_eq!(
            (tls.oldest, tls.newest),
            (TlsVersion::Tls13, TlsVersion::Tls13)
        );
        assert!(
            matches!(&tls.clients, ClientCertificates::Required(path) if path.ends_with("clients.crt"))
        );
        assert_eq!(config.users.keys().collect::<Vec<_>>(), ["alice"]);
        assert_eq!(
            config.headers["Strict-Transport-Security"],
            "max-age=31536000"
        );
        assert!(config.guards() && config.files().len() == 3);
        assert!(!format!("{config:?}").contains(HASH));
    }

    #[test]
    fn an_empty_file_guards_nothing() {
        assert_eq!(load("\n").unwrap(), WebConfig::default());
        assert!(!load("{}").unwrap().guards());
        let tls = "tls_server_config: { cert_file: a, key_file: b }\n";
        assert!(
            !load(tls).unwrap().guards(),
            "encryption alone asks nobody who they are"
        );
        let given = "tls_server_config: { cert_file: a, key_file: b, client_auth_type: VerifyClientCertIfGiven, client_ca_file: c }\n";
        assert!(!load(given).unwrap().guards());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let tls =
            |more: &str| format!("tls_server_config: {{ cert_file: a, key_file: b, {more} }}\n");
        for (text, words) in [
            (
                "basic_auth_users:\n  alice: hunter2\n".to_owned(),
                &["AT/web.yaml:2:", "alice", "htpasswd"][..],
            ),
            (
                format!(
                    "basic_auth_users: {{ a: '{}' }}\n",
                    HASH.replace("$10$", "$20$")
                ),
                &["cost 20", "10 to 12"],
            ),
            (
                format!("basic_auth_users: {{ 'a:b': '{HASH}' }}\n"),
                &["colon"],
            ),
            ("basic_auth_user: {}\n".to_owned(), &["basic_auth_users"]),
            (
                "tls_server_config: { cert_file: a }\n".to_owned(),
                &["key_file"],
            ),
            (tls("min_version: TLS10"), &["min_version", "TLS12"]),
            (
                tls("min_version: TLS13, max_version: TLS12"),
                &["no version is left"],
            ),
            (
                tls("client_auth_type: RequireAndVerifyClientCert"),
                &["client_ca_file"],
            ),
            (
                tls("client_auth_type: RequireAnyClientCert"),
                &["client_auth_type", "RequireAndVerifyClientCert"],
            ),
            (
                tls("client_ca_file: c"),
                &["say nothing", "client_auth_type"],
            ),
            (tls("cipher_suites: [A]"), &["cipher_suites"]),
            (
                "http_server_config: { http2: true }\n".to_owned(),
                &["HTTP/1.1"],
            ),
            (
                "http_server_config: { headers: { X-Evil: a } }\n".to_owned(),
                &["X-Evil", "known:"],
            ),
            (
                "http_server_config: { headers: { X-Frame-Options: \"\u{e9}\" } }\n".to_owned(),
                &["ASCII"],
            ),
            ("[1, 2]\n".to_owned(), &["web.yaml:1:"]),
            ("a: [\n".to_owned(), &["web.yaml:"]),
        ] {
            let error = load(&text).unwrap_err();
            for word in words {
                assert!(error.contains(word), "{text}: {error}");
            }
            assert!(!error.contains("hunter2"), "{error}");
        }
        let gone = load_web_config(Path::new("/nowhere/web.yaml")).unwrap_err();
        assert!(gone.to_string().contains("web.config_file"), "{gone}");
    }
}
