//! Who may ask: what the file of `web.config_file` says, read again when it or a file that it names has changed. A
//! file that has become wrong changes nothing: what held before goes on to hold, and the log says what is wrong.

mod tls;
mod users;

use self::users::{Logon, Users};
use super::problem::Problem;
use crate::{
    config::{ConfigErrors, load_web_config},
    os::{self, Stamp},
};
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::ServerConfig;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long changed files must stay as they are until they are read: certificate and key are two files.
const STEADY_FOR: Duration = Duration::from_millis(200);

/// What is wrong with the file, or with a file that it names.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] ConfigErrors),
    /// A certificate or a key.
    #[error("{file}: {why}")]
    Tls {
        /// The file that names it.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// Other machines could reach what it does not guard.
    #[error(
        "{file} asks nobody who they are, and other machines reach the listen address; add basic_auth_users, or client_auth_type: RequireAndVerifyClientCert"
    )]
    Open {
        /// The file.
        file: String,
    },
}

impl AccessError {
    /// Each problem as a sentence.
    pub fn sentences(&self) -> Vec<String> {
        match self {
            Self::File(errors) => errors.problems.iter().map(ToString::to_string).collect(),
            Self::Tls { .. } | Self::Open { .. } => vec![self.to_string()],
        }
    }
}

/// What holds now.
#[derive(Debug, Default)]
struct Loaded {
    tls: Option<Arc<ServerConfig>>,
    users: Option<Arc<Users>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    guards: bool,
    /// The files that it was made of, the one of `web.config_file` first.
    files: Vec<PathBuf>,
}

/// Files, each as it was seen.
type Stamps = Vec<Option<Stamp>>;

/// Who may ask, and how it is encrypted.
#[derive(Debug, Default)]
pub struct Access {
    file: Option<PathBuf>,
    current: RwLock<Arc<Loaded>>,
    /// The files as they were when they were read.
    stamps: Stamps,
}

impl Access {
    /// Everybody, and nothing is encrypted.
    pub fn open() -> Self {
        Self::default()
    }

    /// As this file says; reads it and the files that it names.
    pub fn load(file: &Path) -> Result<Self, AccessError> {
        let loaded = Loaded::read(file)?;
        Ok(Self {
            file: Some(file.to_owned()),
            stamps: stamps(&loaded.files),
            current: RwLock::new(Arc::new(loaded)),
        })
    }

    /// As this file says, or everybody where there is none.
    pub fn of(file: Option<&Path>) -> Result<Self, AccessError> {
        file.map_or_else(|| Ok(Self::open()), Self::load)
    }

    /// Whether somebody who is not named is kept out.
    pub fn guards(&self) -> bool {
        self.current().guards
    }

    /// Whether a login is asked for over connections that are not encrypted.
    pub fn tells_passwords(&self) -> bool {
        let current = self.current();
        current.users.is_some() && current.tls.is_none()
    }

    /// How a connection that begins now is encrypted.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.current().tls.clone()
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.current().tls.is_some() {
            "https"
        } else {
            "http"
        }
    }

    /// Lets a request through, or answers it.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<(), Response> {
        let Some(users) = self.current().users.clone() else {
            return Ok(());
        };
        let Some((user, password)) = login(headers) else {
            return Err(unknown("This svcwatch asks for a user and a password."));
        };
        match users.check(&user, password).await {
            Logon::Accepted => Ok(()),
            Logon::Refused => Err(unknown("The user or the password is wrong.")),
            Logon::Busy => Err(Problem::unavailable(
                "Too many logins are being checked. Try again in a moment.",
            )
            .into_response()),
        }
    }

    /// Sets the headers that the file names.
    pub(super) fn set_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.current().headers {
            headers.insert(name, value.clone());
        }
    }

    /// Looks at the files again and again, and goes by what they say; `exposed` where other machines could reach what
    /// they leave open. Ends only where it is broken off, or at once where there is no file.
    pub async fn watch(self: Arc<Self>, exposed: bool) {
        let Some(file) = self.file.clone() else {
            return;
        };
        let mut known = self.stamps.clone();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let seen = self.look().await;
            if seen == known {
                continue;
            }
            sleep(STEADY_FOR).await;
            if self.look().await != seen {
                continue;
            }
            let of = file.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || Loaded::read(&of)).await else {
                continue;
            };
            match read.and_then(|loaded| loaded.unless_open(exposed, &file)) {
                Ok(loaded) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) =
                        Arc::new(loaded);
                    tracing::info!(file = %file.display(), "web.config_file was read again and holds from now on");
                    known = self.look().await;
                }
                Err(error) => {
                    for sentence in error.sentences() {
                        tracing::error!(error = %sentence, "web.config_file was not taken over, and what held before stays");
                    }
                    known = seen;
                }
            }
        }
    }

    async fn look(&self) -> Stamps {
        let current = self.current();
        let looked = tokio::task::spawn_blocking(move || stamps(&current.files)).await;
        looked.unwrap_or_default()
    }

    fn current(&self) -> Arc<Loaded> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

impl Loaded {
    fn read(file: &Path) -> Result<Self, AccessError> {
        let config = load_web_config(file)?;
        let tls = config.tls.as_ref().map(tls::server).transpose();
        let tls = tls.map_err(|error| AccessError::Tls {
            file: file.display().to_string(),
            why: error.to_string(),
        })?;
        let headers = config.headers.iter().filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        });
        let mut files = vec![file.to_owned()];
        files.extend(config.files());
        Ok(Self {
            tls,
            headers: headers.collect(),
            guards: config.guards(),
            users: (!config.users.is_empty()).then(|| Arc::new(Users::new(config.users))),
            files,
        })
    }

    fn unless_open(self, exposed: bool, file: &Path) -> Result<Self, AccessError> {
        if exposed && !self.guards {
            return Err(AccessError::Open {
                file: file.display().to_string(),
            });
        }
        Ok(self)
    }
}

fn stamps(files: &[PathBuf]) -> Stamps {
    files.iter().map(|path| os::stamp(path)).collect()
}

/// The user and the password of a request (RFC 7617).
fn login(headers: &HeaderMap) -> Option<(String, String)> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return None;
    };
    let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn unknown(sentence: &str) -> Response {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, sentence).into_response();
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"svcwatch\", charset=\"UTF-8\""),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn only_one_whole_login_counts() {
        let encoded = STANDARD.encode("alice:pass:word");
        let good = headers(&[&format!("bAsIc {encoded}")]);
        assert_eq!(
            login(&good),
            Some(("alice".to_owned(), "pass:word".to_owned()))
        );
        for bad in [
            vec![],
            vec!["Basic"],
            vec!["Basic ***"],
            vec!["Bearer YTpi"],
            vec!["Basic YWxpY2U="],
            vec!["Basic /w=="],
            vec!["Basic YTpi", "Basic YTpi"],
        ] {
            assert_eq!(login(&headers(&bad)), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_becomes_wrong_or_open_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.yaml");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        let users = |name: &str| {
            let hash = bcrypt::hash_with_salt("secret", 4, [7; 16]).unwrap();
            format!("basic_auth_users: {{ {name}: '{hash}' }}\n")
        };
        write(&users("alice"));
        let access = Arc::new(Access::load(&file).unwrap());
        assert!(access.guards() && access.tells_passwords());
        let watching = tokio::spawn(Arc::clone(&access).watch(true));
        let basic = |user: &str| {
            headers(&[&format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:secret"))
            )])
        };
        assert!(access.admit(&basic("alice")).await.is_ok());
        assert!(access.admit(&basic("bob")).await.is_err());
        assert!(access.admit(&HeaderMap::new()).await.is_err());
        for bad in [
            "basic_auth_users: [",
            "{}",
            "basic_auth_users: { alice: plain }",
        ] {
            write(bad);
            sleep(LOOK_EVERY + STEADY_FOR * 3).await;
            assert!(access.admit(&basic("alice")).await.is_ok(), "{bad}");
            assert!(access.admit(&HeaderMap::new()).await.is_err(), "{bad}");
        }
        write(&users("bob"));
        let begun = tokio::time::Instant::now();
        while access.admit(&basic("bob")).await.is_err() {
            assert!(begun.elapsed() < Duration::from_mins(1), "bob is not known");
            sleep(Duration::from_millis(100)).await;
        }
        assert!(
            access.admit(&basic("alice")).await.is_err(),
            "it holds no more"
        );
        watching.abort();
    }
}
