//! Addresses of mails as people write them.

use lettre::{Address, message::Mailbox};

/// An address as people write it, or what is wrong with it. The name before an address may hold what the syntax of
/// mails takes for a comment, as in `Monitor (no-reply) <monitor@b.example>`.
pub fn mailbox(text: &str) -> Result<Mailbox, String> {
    if text.chars().any(char::is_control) {
        return Err("holds a line end or control character; write a@b.example".to_owned());
    }
    let wrong = || format!("{text:?} is no mail address; write a@b.example or Name <a@b.example>");
    let mailbox = match text
        .trim()
        .strip_suffix('>')
        .and_then(|rest| rest.rsplit_once('<'))
    {
        Some((name, address)) => {
            let name = name.trim();
            let bare = name
                .strip_prefix('"')
                .and_then(|name| name.strip_suffix('"'));
            let name = bare.unwrap_or(name);
            let name = (!name.is_empty()).then(|| name.replace(['"', '\\'], ""));
            Mailbox::new(
                name,
                address.trim().parse::<Address>().map_err(|_| wrong())?,
            )
        }
        None => Mailbox::new(None, text.trim().parse::<Address>().map_err(|_| wrong())?),
    };
    if mailbox.email.to_string().is_ascii() {
        Ok(mailbox)
    } else {
        Err(format!(
            "{text:?} has letters beyond ASCII, which many servers refuse; write its domain in the xn-- form"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<String, String> {
        mailbox(text).map(|mailbox| mailbox.to_string())
    }

    #[test]
    fn a_name_may_hold_what_looks_like_a_comment() {
        let cases = [
            ("a@b.example", "a@b.example"),
            ("<a@b.example>", "a@b.example"),
            ("Monitor <a@b.example>", "Monitor <a@b.example>"),
            (
                "Monitor (no-reply) <a@b.example>",
                "\"Monitor (no-reply)\" <a@b.example>",
            ),
            ("\"Ops, Oslo\" <a@b.example>", "\"Ops, Oslo\" <a@b.example>"),
        ];
        for (text, shown) in cases {
            assert_eq!(written(text).as_deref(), Ok(shown), "{text}");
        }
        for bad in ["", "a", "a@b\r\nBcc: c@d", "Name <a>", "å@b.example"] {
            assert!(written(bad).is_err(), "{bad:?}");
        }
    }
}
