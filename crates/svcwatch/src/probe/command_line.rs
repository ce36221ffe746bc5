//! What a service runs (lpBinaryPathName, MS-SCMR 2.2.15): its executable alone, and the whole line with what looks
//! like a secret masked. Nothing says which argument is one, so names and shapes decide, rather once too often.

pub use svcwatch_core::command_line::executable;

use svcwatch_core::command_line::split;
use svcwatch_core::id::stable_hash;

/// What stands in place of a secret.
const MASK: &str = "********";
/// Parts of a name that announce a secret, the name in lower case and without separators.
const TELLING: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "accountkey",
    "authkey",
    "sharedkey",
    "credential",
    "connectionstring",
];
/// Whole names that announce one.
const TELLING_WHOLE: [&str; 6] = ["pass", "pw", "auth", "authorization", "bearer", "sas"];
/// Ends of names that say that the value only leads to the secret.
const LEADING: [&str; 5] = ["file", "path", "dir", "directory", "env"];
/// Beginnings of texts that are tokens wherever they stand: JSON web tokens and the keys of some well-known services.
const TOKEN_PREFIXES: [&str; 8] = [
    "eyJ",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "xox",
    "AKIA",
    "sk-",
];
/// A bare word of letters and digits this long is taken for a key.
const KEY_LENGTH: usize = 32;
/// A known prefix is only believed on a word this long.
const TOKEN_LENGTH: usize = 16;
/// Bits of the hash of arguments that are kept: a change goes unseen once in a million, and of a million guesses at a
/// weak password one fits by chance, so that a hash that falls into wrong hands confirms none.
const HASH_BITS: u64 = (1 << 20) - 1;

/// A short hash of the arguments of a line, which tells that they changed and nothing of what they are.
pub fn arguments_hash(line: &str) -> u64 {
    stable_hash(split(line).1.trim(), 0) & HASH_BITS
}

/// The line with every argument masked that looks like a secret; the executable stays as it is.
pub fn masked(line: &str) -> String {
    let (run, arguments) = split(line);
    format!("{run}{}", masked_text(arguments))
}

/// Any text with every word masked that looks like a secret.
pub fn masked_text(text: &str) -> String {
    let mut clean = String::new();
    let mut announced = false;
    for word in words(text) {
        if word.trim().is_empty() {
            clean.push_str(word);
            continue;
        }
        let is_option = word.trim_start_matches('"').starts_with(['-', '/']);
        if announced && !is_option {
            clean.push_str(MASK);
        } else {
            clean.push_str(&masked_word(word, is_option));
        }
        // The value of an option may be the next word, and `Bearer` stands between a header and its value.
        let bare = word.trim_end_matches([':', '=']).trim_matches('"');
        let has_value = bare.contains(['=', ':']);
        let bearer = bare.to_ascii_lowercase().ends_with("bearer");
        announced =
            bearer || (is_option && !has_value && announces(bare)) || word.ends_with("ization:");
    }
    clean
}

/// The line in words and the white space between them; a word goes on through white space in quotes.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut begin, mut quoted, mut before) = (0, false, ' ');
    let mut space = line.starts_with(char::is_whitespace);
    for (at, character) in line.char_indices() {
        if character == '"' && before != '\\' {
            quoted = !quoted;
        }
        let is_space = character.is_whitespace() && !quoted;
        if is_space != space {
            words.extend(line.get(begin..at));
            begin = at;
            space = is_space;
        }
        before = character;
    }
    words.extend(line.get(begin..));
    words
}

/// Whether a name says that its value is a secret.
fn announces(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let leads = LEADING.iter().any(|ending| plain.ends_with(ending));
    !leads
        && (TELLING.iter().any(|part| plain.contains(part))
            || TELLING_WHOLE.contains(&plain.as_str())
            || plain.ends_with("pass"))
}

/// A word with the values in it masked that look like secrets.
fn masked_word(word: &str, is_option: bool) -> String {
    let inner = word.trim_matches('"');
    let separator = inner.find('=').or_else(|| {
        inner
            .find(':')
            .filter(|_| is_option || announces(inner.split(':').next().unwrap_or_default()))
    });
    if let Some(at) = separator
        && let (Some(name), Some(value)) = (inner.get(..at), inner.get(at.saturating_add(1)..))
        && announces(name)
        && !name.contains([';', '&', '?'])
        && !value.is_empty()
    {
        let sign = inner
            .get(at..)
            .and_then(|rest| rest.chars().next())
            .unwrap_or('=');
        return format!("{name}{sign}{MASK}");
    }
    let mut clean = String::with_capacity(word.len());
    for part in word.split_inclusive([';', '&', '?', ',']) {
        let text = part.trim_end_matches([';', '&', '?', ',', '"']);
        let rest = part.get(text.len()..).unwrap_or_default();
        match text.split_once('=') {
            Some((name, value)) if announces(name) && !value.is_empty() => {
                clean.push_str(name);
                clean.push('=');
                clean.push_str(MASK);
            }
            Some((name, value)) if looks_like_a_key(value) => {
                clean.push_str(name);
                clean.push('=');
                clean.push_str(MASK);
            }
            _ if looks_like_a_key(text) => clean.push_str(MASK),
            _ => clean.push_str(&without_password(text)),
        }
        clean.push_str(rest);
    }
    clean
}

/// A text without the password of a URL in it (RFC 3986 3.2.1).
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let Some((logon, _)) = authority.rsplit_once('@') else {
        return text.to_owned();
    };
    let user = logon.split(':').next().unwrap_or_default();
    let after = rest.get(logon.len()..).unwrap_or_default();
    if logon.contains(':') {
        format!("{scheme}://{user}:{MASK}{after}")
    } else {
        format!("{scheme}://{MASK}{after}")
    }
}

/// Whether a bare word has the shape of a key: long, of letters and digits mixed, and no path, name or GUID.
fn looks_like_a_key(text: &str) -> bool {
    let text = text.trim_matches('"');
    if text.len() >= TOKEN_LENGTH && TOKEN_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
        return true;
    }
    let shape = |character: char| character.is_ascii_alphanumeric() || "+/=_-".contains(character);
    let is_guid = text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    text.len() >= KEY_LENGTH
        && text.chars().all(shape)
        && text.contains(|character: char| character.is_ascii_digit())
        && text.contains(|character: char| character.is_ascii_alphabetic())
        && !text.starts_with(['-', '/'])
        && !is_guid
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_executable_is_found_with_and_without_quotes() {
        for (line, wanted) in [
            (
                r"C:\Windows\System32\spoolsv.exe",
                r"C:\Windows\System32\spoolsv.exe",
            ),
            (
                r"C:\Windows\system32\svchost.exe -k LocalService -p",
                r"C:\Windows\system32\svchost.exe",
            ),
            (
                r#""C:\Program Files\pg\pg_ctl.exe" runservice -N "pg-12""#,
                r"C:\Program Files\pg\pg_ctl.exe",
            ),
            (
                r"C:\Program Files\My Service\run.EXE --secret x",
                r"C:\Program Files\My Service\run.EXE",
            ),
            (r"C:\app.exec\run.exe x", r"C:\app.exec\run.exe"),
            (
                r"\SystemRoot\System32\drivers\x.sys",
                r"\SystemRoot\System32\drivers\x.sys",
            ),
            ("java -jar x.jar", "java"),
            (r#""unclosed"#, "unclosed"),
            ("", ""),
        ] {
            assert_eq!(executable(line), wanted, "{line}");
        }
    }

    #[test]
    fn lines_without_secrets_stay_as_they_are() {
        for line in [
            r"C:\Windows\System32\spoolsv.exe",
            r"C:\Windows\system32\svchost.exe -k LocalServiceNetworkRestricted -p -s EventLog",
            r#""C:\Program Files\PostgreSQL\12\bin\pg_ctl.exe" runservice -N "postgresql-x64-12" -D "D:\data" -w"#,
            r#""C:\KeePass\Password Safe\safe.exe" /service /port:8443 --config=C:\a.yaml"#,
            r"C:\a.exe --password-file C:\secret.txt --pid 4 --guid 6F9619FF-8B86-D011-B42D-00C04FC964FF",
            "C:\\a.exe \t two  spaces ",
            "",
            " ",
        ] {
            assert_eq!(masked(line), line);
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_masked() {
        for (line, wanted) in [
            (
                "a.exe --password hunter2 --port 1",
                "a.exe --password ******** --port 1",
            ),
            (
                "a.exe --password=hunter2;x&y z",
                "a.exe --password=******** z",
            ),
            ("a.exe /Pwd:hunter2", "a.exe /Pwd:********"),
            (r#"a.exe "/pwd:hunter 2""#, "a.exe /pwd:********"),
            (
                r#"a.exe --api-key "hunter 2" x"#,
                "a.exe --api-key ******** x",
            ),
            (
                "a.exe -Djavax.net.ssl.keyStorePassword=hunter2",
                "a.exe -Djavax.net.ssl.keyStorePassword=********",
            ),
            (
                r#"a.exe -c "Server=db;User Id=sa;Password=hunter2;Encrypt=true""#,
                r#"a.exe -c "Server=db;User Id=sa;Password=********;Encrypt=true""#,
            ),
            (
                "a.exe https://me:hunter2@host/x",
                "a.exe https://me:********@host/x",
            ),
            (
                "a.exe https://host/x?id=1&token=hunter2&b=2",
                "a.exe https://host/x?id=1&token=********&b=2",
            ),
            (
                "a.exe -H Authorization: Bearer hunter2",
                "a.exe -H Authorization: ******** ********",
            ),
            ("a.exe -s eyJhbGciOiJIUzI1NiJ9.e30.x", "a.exe -s ********"),
            (
                "a.exe -s 0123456789abcdef0123456789abcdef",
                "a.exe -s ********",
            ),
            ("a.exe --secret", "a.exe --secret"),
        ] {
            assert_eq!(masked(line), wanted, "{line}");
        }
    }

    #[test]
    fn the_hash_is_of_the_arguments_alone_and_too_short_to_confirm_a_guess() {
        let one = arguments_hash(r"C:\a.exe --password one");
        assert_eq!(
            one,
            arguments_hash("\"D:\\other folder\\b.exe\"  --password one ")
        );
        assert_ne!(one, arguments_hash(r"C:\a.exe --password two"));
        assert_ne!(one, arguments_hash(r"C:\a.exe"));
        assert!((0..1_000).all(|guess| arguments_hash(&format!("a.exe {guess}")) < 1 << 20));
    }

    proptest! {
        #[test]
        fn any_line_is_taken(line in "\\PC{0,80}|[-/a-z\"=:;& \\\\]{0,60}") {
            let clean = masked(&line);
            prop_assert!(clean.starts_with(executable(&line)) || clean.contains(executable(&line)));
        }

        /// Whatever the name's case, its sign and its separator: the value does not come back.
        #[test]
        fn the_value_of_a_telling_name_never_shows(
            name in proptest::sample::select(vec!["password", "Client-Secret", "API_KEY", "sqlPwd", "x.auth.token"]),
            sign in proptest::sample::select(vec!["--", "-", "/"]),
            separator in proptest::sample::select(vec!["=", ":", " "]),
            value in "[A-Z][A-Za-z0-9!#$%()*+.<>@^_{|}~]{7,20}",
        ) {
            let clean = masked(&format!("C:\\x.exe run {sign}{name}{separator}{value} -v"));
            prop_assert!(!clean.contains(&value), "{}", clean);
            prop_assert!(clean.ends_with(" -v"), "{}", clean);
        }
    }
}
