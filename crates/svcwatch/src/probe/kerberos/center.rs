//! Where the key distribution centers of a realm are, and the talk with one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::KerberosError;

/// The port of Kerberos.
const PORT: u16 = 88;
/// The longest answer that is read, in bytes; a ticket with the groups of its user has up to 64 KiB.
const ANSWER_MAX: u32 = 256 * 1024;
/// The longest krb5.conf that is read, in bytes.
const CONFIG_MAX: u64 = 1024 * 1024;
/// How many centers are tried.
const CENTERS_MAX: usize = 4;
/// How long it may take to connect to one, where others are left.
const CONNECT: Duration = Duration::from_secs(3);

/// The centers of a realm: those of the configuration, else those of krb5.conf, else what the realm's own name leads to,
/// which in a domain of Windows are its domain controllers.
pub(super) async fn centers(realm: &str, configured: &[String]) -> Vec<String> {
    if !configured.is_empty() {
        return configured.to_vec();
    }
    for path in config_files() {
        let found = match text(&path).await {
            Some(text) => in_config(&text, realm),
            None => Vec::new(),
        };
        if !found.is_empty() {
            return found;
        }
    }
    vec![realm.to_lowercase()]
}

fn config_files() -> Vec<PathBuf> {
    match std::env::var_os("KRB5_CONFIG") {
        Some(paths) => std::env::split_paths(&paths).collect(),
        None => vec![PathBuf::from("/etc/krb5.conf")],
    }
}

async fn text(path: &Path) -> Option<String> {
    let file = tokio::fs::File::open(path).await.ok()?;
    let mut text = String::new();
    file.take(CONFIG_MAX).read_to_string(&mut text).await.ok()?;
    Some(text)
}

/// The lines `kdc = …` of a realm in the section `[realms]`.
fn in_config(text: &str, realm: &str) -> Vec<String> {
    let mut section = "";
    let mut current: Option<String> = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').trim();
            current = None;
        } else if line.starts_with('}') {
            current = None;
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim(), value.trim().trim_end_matches('*').trim());
            if value.starts_with('{') {
                current = Some(key.to_owned());
            } else if section == "realms"
                && key == "kdc"
                && current
                    .as_deref()
                    .is_some_and(|name| name.eq_ignore_ascii_case(realm))
            {
                found.push(value.to_owned());
            }
        }
    }
    found
}

/// Asks one center after the other until one answers. What proves a password is sent to one alone, for a wrong one
/// would count at each.
pub(super) async fn ask(
    (realm, configured): (&str, &[String]),
    message: &[u8],
    proves: bool,
    deadline: Instant,
) -> Result<Vec<u8>, KerberosError> {
    let centers = centers(realm, configured).await;
    let mut last = "no address".to_owned();
    for center in centers.iter().take(CENTERS_MAX) {
        match connect(center, deadline).await {
            Ok(stream) => {
                last = match timeout_at(deadline, talk(stream, message)).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "no answer in time".to_owned(),
                };
                if proves {
                    return Err(no_answer(realm, center, &last));
                }
            }
            Err(reason) => last = reason,
        }
    }
    Err(no_answer(realm, &centers.join(", "), &last))
}

fn no_answer(realm: &str, at: &str, reason: &str) -> KerberosError {
    KerberosError::NoCenter {
        realm: realm.to_owned(),
        at: at.to_owned(),
        reason: reason.to_owned(),
    }
}

async fn connect(center: &str, deadline: Instant) -> Result<TcpStream, String> {
    let (host, port) = split(center);
    let until = deadline.min(Instant::now() + CONNECT);
    match timeout_at(until, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no connection in time".to_owned()),
    }
}

/// Name and port; an address of IPv6 with a port stands in brackets.
fn split(center: &str) -> (&str, u16) {
    if let Some((host, rest)) = center
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
        return (host, port.unwrap_or(PORT));
    }
    match center.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().unwrap_or(PORT)),
        _ => (center, PORT),
    }
}

/// One request and one answer, each behind its length (RFC 4120 section 7.2.2).
async fn talk(mut stream: TcpStream, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u32::try_from(message.len()).map_err(std::io::Error::other)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    stream.write_all(&bytes).await?;
    let length = stream.read_u32().await?;
    if length > ANSWER_MAX {
        return Err(std::io::Error::other(format!(
            "it announced an answer of {length} bytes"
        )));
    }
    let mut answer = Vec::new();
    let wanted = u64::from(length);
    (&mut stream).take(wanted).read_to_end(&mut answer).await?;
    if u64::try_from(answer.len()).ok() != Some(wanted) {
        return Err(std::io::Error::other("its answer was cut short"));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centers_are_found_in_a_configuration_of_kerberos() {
        let text = "[libdefaults]\n kdc = no\n[realms]\n # kdc = no\n OTHER.EXAMPLE = {\n kdc = other\n }\n CORP.EXAMPLE = {\n  admin_server = x\n  kdc = dc1.corp.example:8800\n  kdc = dc2.corp.example\n }\n kdc = no\n[domain_realm]\n .corp.example = CORP.EXAMPLE\n";
        assert_eq!(
            in_config(text, "corp.example"),
            ["dc1.corp.example:8800", "dc2.corp.example"]
        );
        assert!(in_config(text, "NONE").is_empty());
    }

    #[test]
    fn names_and_ports_are_told_apart() {
        for (center, wanted) in [
            ("dc1", ("dc1", 88)),
            ("dc1:8800", ("dc1", 8_800)),
            ("192.0.2.1:99", ("192.0.2.1", 99)),
            ("2001:db8::1", ("2001:db8::1", 88)),
            ("[2001:db8::1]:99", ("2001:db8::1", 99)),
            ("[2001:db8::1]", ("2001:db8::1", 88)),
        ] {
            assert_eq!(split(center), wanted);
        }
    }
}
