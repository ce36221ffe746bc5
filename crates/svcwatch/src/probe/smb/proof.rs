//! The two tokens by which a user proves himself with NTLM, to SMB and to services of RPC alike.

use smb2::auth::ntlm::{NtlmAuthenticator, NtlmCredentials};

use super::ntlm;
use crate::secret::Secret;

/// Who proves himself by NTLM, and to what.
pub(in crate::probe) struct Who<'a> {
    /// `DOMAIN\user`, `.\user`, `user@domain` or `user`.
    pub(in crate::probe) user: &'a str,
    /// The user's password.
    pub(in crate::probe) password: &'a Secret,
    /// Our own computer's name.
    pub(in crate::probe) workstation: &'a str,
    /// The name of the service that is meant, as `cifs/srv01`.
    pub(in crate::probe) service: &'a str,
}

/// The NTLM NEGOTIATE.
pub(in crate::probe) fn first_token() -> Vec<u8> {
    authenticator("", "", "").negotiate()
}

/// The NTLM AUTHENTICATE for a CHALLENGE, and the exported session key; nothing where the challenge is of no use.
pub(in crate::probe) fn last_token(challenge: &[u8], who: &Who<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    proof(challenge, who, &ntlm::computer_names(challenge))
}

/// The same, where the names by which the host calls itself were read already.
pub(super) fn proof(
    challenge: &[u8],
    who: &Who<'_>,
    names: &ntlm::ComputerNames,
) -> Option<(Vec<u8>, Vec<u8>)> {
    let (domain, user) = split_user(who.user, names.netbios.as_deref());
    let mut authenticator = authenticator(domain, user, who.password.reveal());
    let negotiate = authenticator.negotiate();
    let named = ntlm::with_target_name(challenge, who.service);
    let token = authenticator.authenticate(&named).ok()?;
    let key = authenticator.session_key()?.to_vec();
    let exchange = ntlm::Exchange {
        negotiate: &negotiate,
        challenge,
        key: &key,
    };
    let token = ntlm::finish(&token, who.workstation, &exchange)?;
    Some((token, key))
}

fn authenticator(domain: &str, user: &str, password: &str) -> NtlmAuthenticator {
    NtlmAuthenticator::new(NtlmCredentials {
        username: user.to_owned(),
        password: password.to_owned(),
        domain: domain.to_owned(),
    })
}

/// Splits `DOMAIN\user`; `.\user` is a user of the computer itself, and `user@domain` stays whole.
fn split_user<'a>(user: &'a str, computer: Option<&'a str>) -> (&'a str, &'a str) {
    match user.split_once('\\') {
        Some((".", user)) => (computer.unwrap_or("."), user),
        Some((domain, user)) => (domain, user),
        None => ("", user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_split_as_windows_splits_them() {
        assert_eq!(split_user(r"CORP\watcher", None), ("CORP", "watcher"));
        assert_eq!(
            split_user(r".\watcher", Some("SRV01")),
            ("SRV01", "watcher")
        );
        assert_eq!(split_user(r".\watcher", None), (".", "watcher"));
        assert_eq!(
            split_user("watcher@corp.example", Some("SRV01")),
            ("", "watcher@corp.example")
        );
        assert_eq!(split_user("watcher", Some("SRV01")), ("", "watcher"));
    }
}
