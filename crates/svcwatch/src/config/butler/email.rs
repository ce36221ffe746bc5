//! `emailNotification`.

use std::collections::BTreeSet;

use super::chat::{both, missing};
use super::destinations::{Destinations, Kinds, limit, same_or};
use super::differences as differ;
use super::made::{self, Hint, Made};
use super::monitor::Gates;
use super::reader::{Reader, Section};
use crate::config::text::Form;

/// Recipients of one destination, at most.
const RECIPIENTS: usize = 100;

/// What one of the two sections says.
struct Letter {
    from: Option<Made>,
    subject: Option<Made>,
    priority: Option<Made>,
    template: Option<Made>,
    /// Recipients in the order of the file, each with its address in lower case.
    to: Vec<(String, Made)>,
}

/// The section.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    gates: Gates,
    all: &mut Destinations,
) {
    let Some(section) = reader.section(root, "emailNotification") else {
        return;
    };
    let on = reader.is_on(&section, "enable") && gates.email;
    let smtp = reader.section(&section, "smtp");
    let (stopped, started) = both(reader, &section);
    reader.finish(&section);
    let server = smtp.map(|smtp| server(reader, &smtp, on));
    let (Some(stopped), Some(started)) = (stopped, started) else {
        missing(reader, &section, on);
        return;
    };
    let limit = limit(reader, &stopped, Some(&started));
    let first = letter(reader, &stopped, on);
    let second = letter(reader, &started, on);
    reader.finish(&stopped);
    reader.finish(&started);
    if !on {
        return;
    }
    let Some(server) = server else {
        reader.problems.error(
            section.node.at,
            &section.path_of("smtp"),
            "the section `smtp` is missing",
            "write the mail server there, or `enable: false`",
        );
        return;
    };
    if first.to.is_empty() && second.to.is_empty() {
        reader.problems.warn(
            stopped.at("recipients"),
            &stopped.path_of("recipients"),
            "no recipient stands here, so no mail is sent",
            "write mail addresses",
        );
    }
    let base = |to: Vec<Made>| {
        let mut made = made::map(
            section.node.at,
            [("type", made::text(section.node.at, "email"))],
        );
        made.put("smtp", server.clone());
        made.put("to", made::list(stopped.at("recipients"), to));
        made
    };
    add(&first, &second, limit.as_ref(), base, all);
    for difference in [
        &differ::ESCAPE_PLAIN,
        &differ::FALLBACK,
        &differ::MAIL_PARTS,
    ] {
        reader.everywhere(root, "emailNotification", difference);
    }
}

/// Recipients may differ between stopped and started: those of both are one destination, the others one each.
fn add(
    first: &Letter,
    second: &Letter,
    limit: Option<&Made>,
    base: impl Fn(Vec<Made>) -> Made,
    all: &mut Destinations,
) {
    let in_second: BTreeSet<&str> = second.to.iter().map(|(key, _)| key.as_str()).collect();
    let in_first: BTreeSet<&str> = first.to.iter().map(|(key, _)| key.as_str()).collect();
    let pick = |letter: &Letter, wanted: &dyn Fn(&str) -> bool| -> Vec<Made> {
        let found = letter.to.iter().filter(|(key, _)| wanted(key));
        found.map(|(_, made)| made.clone()).collect()
    };
    let of_both = pick(first, &|key| in_second.contains(key));
    let only_first = pick(first, &|key| !in_second.contains(key));
    let only_second = pick(second, &|key| !in_first.contains(key));
    let finish =
        |mut made: Made, main: &Letter, parts: &[(&str, &Letter)], ends: Option<&Letter>| {
            made.put_some("from", main.from.clone());
            made.put_some("priority", main.priority.clone());
            let mut subjects = made::map(made.at, []);
            let mut templates = made::map(made.at, []);
            for (event, letter) in parts {
                subjects.put_some(event, letter.subject.clone());
                templates.put_some(event, letter.template.clone());
            }
            made.put_some("subject", Some(subjects).filter(|made| !made.is_empty()));
            made.put_some("template", Some(templates).filter(|made| !made.is_empty()));
            made.put_some("limit", limit.cloned());
            if let Some(ends) = ends {
                let mut resolved = made::map(made.at, []);
                resolved.put_some("from", same_or(ends.from.clone(), main.from.as_ref()));
                resolved.put_some(
                    "priority",
                    same_or(ends.priority.clone(), main.priority.as_ref()),
                );
                made.put_some("resolved", Some(resolved).filter(|made| !made.is_empty()));
            }
            made
        };
    for to in of_both.chunks(RECIPIENTS) {
        let parts = [("stopped", first), ("started", second)];
        let made = finish(base(to.to_vec()), first, &parts, Some(second));
        all.add("email", made);
    }
    for to in only_first.chunks(RECIPIENTS) {
        let made = finish(base(to.to_vec()), first, &[("stopped", first)], None);
        all.add_for("email_stopped", made, Kinds::NotEnds);
    }
    for to in only_second.chunks(RECIPIENTS) {
        let made = finish(base(to.to_vec()), second, &[("started", second)], None);
        all.add_for("email_started", made, Kinds::Ends);
    }
}

fn letter(reader: &mut Reader<'_>, section: &Section<'_>, on: bool) -> Letter {
    let from = reader.needed(section, "fromAddress", on);
    let subject = reader.text(section, "subject");
    let priority = priority(reader, section);
    let folder = reader
        .text(section, "bodyFileDirectory")
        .unwrap_or_default();
    let file = reader
        .text(section, "htmlTemplateFile")
        .filter(|file| !file.is_empty());
    let path = file.map(|file| {
        let folder = folder.trim_end_matches(['/', '\\']);
        let name = format!("{file}.handlebars");
        let path = if folder.is_empty() {
            name
        } else {
            format!("{folder}/{name}")
        };
        made::text(section.at("htmlTemplateFile"), reader.file(&path))
    });
    let subject = subject.filter(|subject| !subject.is_empty());
    Letter {
        from: from.map(|from| made::text(section.at("fromAddress"), mailbox(from))),
        subject: subject.map(|subject| made::text(section.at("subject"), subject)),
        priority,
        template: path,
        to: recipients(reader, section, on),
    }
}

fn priority(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Made> {
    let text = reader.text(section, "priority")?;
    let plain = text.trim().to_lowercase();
    let (at, path) = (section.at("priority"), section.path_of("priority"));
    if !matches!(plain.as_str(), "low" | "normal" | "high") {
        let what = "this is no priority";
        reader
            .problems
            .error(at, &path, what, "write low, normal or high");
        return None;
    }
    if plain != text {
        reader.differs(at, &path, &differ::SPELLING);
    }
    Some(made::text(at, plain))
}

/// An address whose name stands without the quotes that it needs (RFC 5322 3.2.3) gets them.
fn mailbox(text: &str) -> String {
    let text = text.trim();
    if Form::Mail.check(text).is_ok() {
        return text.to_owned();
    }
    let named = text
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'));
    let Some((name, address)) = named else {
        return text.to_owned();
    };
    let name: String = name
        .trim()
        .trim_matches('"')
        .chars()
        .filter(|character| !matches!(character, '"' | '\\') && !character.is_control())
        .collect();
    let quoted = format!("\"{name}\" <{address}>");
    if Form::Mail.check(&quoted).is_ok() {
        quoted
    } else {
        text.to_owned()
    }
}

fn recipients(reader: &mut Reader<'_>, section: &Section<'_>, on: bool) -> Vec<(String, Made)> {
    let mut seen = BTreeSet::new();
    let mut to = Vec::new();
    for (node, text, path) in reader.texts(section, "recipients") {
        let address = mailbox(text);
        if Form::Mail.check(&address).is_err() {
            if on {
                reader.problems.warn(
                    node.at,
                    &path,
                    "this is no mail address, so it is left out, as Butler does",
                    "write one such as `ops@corp.example`",
                );
            }
            continue;
        }
        let plain = address
            .rsplit_once('@')
            .is_some_and(|(_, host)| host.contains('.') && !host.ends_with('>'));
        if on && !plain {
            reader.differs(node.at, &path, &differ::MAIL_RECIPIENTS);
        }
        if seen.insert(address.to_lowercase()) {
            to.push((address.to_lowercase(), made::text(node.at, address)));
        }
    }
    to
}

fn server(reader: &mut Reader<'_>, smtp: &Section<'_>, on: bool) -> Made {
    let mut made = made::map(smtp.node.at, []);
    let host = reader.needed(smtp, "host", on);
    made.put_some("host", host.map(|host| made::text(smtp.at("host"), host)));
    let port = reader.whole(smtp, "port");
    let port = port.map_or_else(
        || made::whole(smtp.node.at, 25),
        |port| made::whole(smtp.at("port"), port),
    );
    made.put("port", port);
    let secure = reader.is_on(smtp, "secure");
    let tls = reader.section(smtp, "tls");
    let (mut never, mut always, mut verify) = (false, false, None);
    let mut name = None;
    if let Some(tls) = &tls {
        never = reader.is_on(tls, "ignoreTLS");
        always = reader.is_on(tls, "requireTLS");
        verify = reader.switch(tls, "rejectUnauthorized");
        let text = reader.text_or_nothing(tls, "serverName");
        name = text.map(|text| made::text(tls.at("serverName"), text));
        reader.finish(tls);
    }
    let word = match (secure, always, never) {
        (true, _, _) => "implicit",
        (false, true, _) => "starttls",
        (false, false, true) => "off",
        (false, false, false) => "preferred",
    };
    let at = tls.as_ref().map_or(smtp.node.at, |tls| tls.node.at);
    made.put("tls", made::text(at, word));
    if on && !secure {
        let path = smtp.path_of("tls");
        reader.differs(at, &path, &differ::MAIL_TLS);
    }
    made.put_some("server_name", name);
    if verify == Some(false) && word != "off" {
        made.put("verify", made::switch(at, false));
    }
    if let Some(auth) = reader.section(smtp, "auth") {
        let needed = reader.is_on(&auth, "enable");
        let user = reader.needed(&auth, "user", needed && on);
        let password = reader.needed(&auth, "password", needed && on);
        if needed {
            made.put_some("user", user.map(|user| made::text(auth.at("user"), user)));
            let password = password.map(|text| {
                let made = made::text(auth.at("password"), text);
                made.hidden(Hint::File("email.password".into()))
            });
            made.put_some("password", password);
        }
        reader.finish(&auth);
    }
    reader.finish(smtp);
    made
}
