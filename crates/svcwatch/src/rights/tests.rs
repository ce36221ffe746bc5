use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;

const GROUP: &str = "S-1-5-21-1004336348-1177238915-682003330-1604";

fn group() -> Group {
    Group::read(GROUP).unwrap()
}

/// The rows of the vectors that the script of docs/rights.md is held against too.
fn vectors() -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rights/vectors.csv");
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("name,for,group,old,new,undo,refused"));
    lines.map(cells).collect()
}

/// A line of a CSV, in which a cell in quotes may hold commas and doubled quotes (RFC 4180).
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        let last = cells.last_mut().unwrap();
        match character {
            '"' if quoted && rest.peek() == Some(&'"') => last.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => last.push(other),
        }
    }
    cells
}

#[test]
fn the_vectors_hold() {
    let rows = vectors();
    assert!(rows.len() >= 30, "{}", rows.len());
    let mut refusals = 0;
    for row in rows {
        let [name, object, sid, old, new, undo, refused] = row.as_slice() else {
            panic!("{row:?} has not seven cells");
        };
        let object = match object.as_str() {
            "manager" => Object::Manager,
            "service" => Object::Service,
            other => panic!("{name}: {other}"),
        };
        let granted = Group::read(sid).and_then(|group| grant(old, &group, object));
        if !refused.is_empty() {
            refusals += 1;
            let error = granted.unwrap_err().to_string();
            assert!(error.contains(refused.as_str()), "{name}: {error}");
            continue;
        }
        let granted = granted.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (&granted.new, granted.old.as_str()),
            (new, old.trim()),
            "{name}"
        );
        let group = Group::read(sid).unwrap();
        assert_eq!(
            grant(new, &group, object).unwrap().new,
            *new,
            "{name}: twice"
        );
        assert_eq!(
            revoke(new, &group, object).unwrap().new,
            *undo,
            "{name}: undo"
        );
    }
    assert!(refusals >= 10, "{refusals}");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let said = |text: &str| {
        grant(text, &group(), Object::Service)
            .unwrap_err()
            .to_string()
    };
    for (text, expected) in [
        ("", "there is no descriptor"),
        (
            "D:(A;;CC;;;SY",
            "an entry begins here whose parenthesis is not closed (character 3)",
        ),
        (
            "D:(A;;CC;;;SY)(A;;QQ;;;BA)",
            "`QQ` is no right (character 19)",
        ),
        ("D:(A;;CCL;;;SY)", "`L` is no right (character 9)"),
        (
            "D:(A;XX;CC;;;SY)",
            "`XX` is no flag of an entry (character 6)",
        ),
        ("D:(Q;;CC;;;SY)", "`Q` is no kind of entry"),
        ("D:(AU;FA;KA;;;WD)", "belongs into the list behind `S:`"),
        (
            "D:(A;;CC;;;QZ)",
            "`QZ` is neither a SID nor two letters that stand for one (character 12)",
        ),
        ("D:(A;;CC;;;S-1-5-x)", "`S-1-5-x` is neither a SID"),
        ("D:(A;;CC;;SY)", "an entry has six parts"),
        ("D:(A;;CC;;;SY;)", "this is a seventh"),
        (
            "D:(A;;CC;x;;SY)",
            "`x` stands where only an entry of kind OA",
        ),
        ("D:(A;;0x1ffffffff;;;SY)", "no number of 32 bits"),
        ("D:(A;;08;;;SY)", "no number of 32 bits"),
        (
            "D:(A;;CC;;;SY)D:",
            "`D:` stands here for the second time (character 15)",
        ),
        (
            "D:PP(A;;CC;;;SY)",
            "the flag `P` stands here for the second time (character 4)",
        ),
        ("D:(A;;CC;;;SY) (A;;CC;;;BA)", "white space inside"),
        ("D:(A;;CC;\r\n;;SY)", "white space inside an entry"),
        (
            "D:(XA;;CC;;;SY)",
            "an entry with a condition has seven parts",
        ),
        (
            "[SC] OpenService FAILED 5:",
            "`[SC] OpenService FAILED …` is not understood",
        ),
        ("O:QQD:(A;;CC;;;SY)", "`QQD:(A;;CC;;;SY)` is neither a SID"),
        ("S:(AU;FA;KA;;;WD)", "no list behind `D:`"),
        ("D:NO_ACCESS_CONTROL", "no list behind `D:`"),
        ("D:é", "is not understood"),
        ("D:(A;;CC;;;é)", "`é` is neither a SID"),
        ("D:(A;;é;;;SY)", "`é` is no right (character 7)"),
    ] {
        let error = said(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let deep = format!("D:(XA;;CC;;;SY;{}{})", "(".repeat(70), ")".repeat(70));
    assert!(said(&deep).contains("deeper than 64"));
    let many = format!("D:{}", "(A;;CC;;;SY)".repeat(2_001));
    assert!(said(&many).contains("more than 2,000 entries"));
    assert!(said(&"D:".repeat(200_000)).contains("longer than 256 KiB"));
}

#[test]
fn rights_are_not_given_to_many() {
    for (text, why) in [
        ("WD", "is no SID"),
        ("CORP\\monitors", "is no SID"),
        ("S-1-1-0", "more than the members of one group"),
        ("S-1-5-11", "more than the members of one group"),
        ("S-1-5-2", "more than the members of one group"),
        ("S-1-3-0", "more than the members of one group"),
        ("S-1-5-32-544", "every Windows has"),
        ("S-1-5-32-545", "every Windows has"),
        ("S-1-5-21-1-2-3-513", "every domain has"),
        ("S-1-5-21-1-2-3-999", "every domain has"),
        ("S-1-5-21-1-2-3", "every domain has"),
        ("S-1-5-21-1-2-3-4294967296", "is no SID"),
        ("S-1-5-21-+1-2-3-1604", "is no SID"),
        ("S-1-", "is no SID"),
        ("S-", "is no SID"),
    ] {
        let error = Group::read(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    for text in ["S-1-12-1-1-2-3-4", "s-1-5-32-558", " S-1-5-21-1-2-3-1000 "] {
        assert!(Group::read(text).is_ok(), "{text}");
    }
}

#[test]
fn the_letters_are_the_bits() {
    for object in [Object::Manager, Object::Service] {
        let text = format!("D:(A;;{};;;SY)", object.letters());
        let read = Descriptor::read(&text).unwrap();
        assert_eq!(read.entries[0].rights, object.rights(), "{text}");
        // Never create (DC of the manager, change of a service), start, stop, or any way to widen.
        assert_eq!(read.entries[0].rights & !0x2_0015, 0, "{text}");
    }
    assert_eq!(
        Object::Service.rights() & 0x10,
        0,
        "RP would start a service"
    );
}

#[test]
fn what_takes_the_effect_away_is_noted() {
    let noted = |text: &str| {
        grant(text, &group(), Object::Service)
            .unwrap()
            .notes
            .join("\n")
    };
    assert!(
        noted("D:(D;;CCLC;;;NU)(A;;KA;;;BA)")
            .contains("denies this to all who have logged on over the network")
    );
    assert!(noted("D:(A;;KA;;;BA)(D;;GA;;;WD)").contains("everyone"));
    assert!(noted("D:(A;;KA;;;BA)(D;;WP;;;SY)").contains("usual order"));
    let more = noted(&format!("D:(A;;CCLCRPRC;;;{GROUP})"));
    assert!(
        more.contains("other rights here too") && more.contains("already"),
        "{more}"
    );
    assert_eq!(noted("D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)"), "");
}

/// One entry, of any kind.
fn entry() -> impl Strategy<Value = String> {
    let kind =
        proptest::sample::select(vec!["A", "A", "A", "D", "OA", "OD", "XA", "ZA", "XD", "a"]);
    let flags = proptest::sample::select(vec!["", "", "", "CI", "OICI", "ID", "CIIOID", "NP"]);
    let rights = proptest::sample::select(vec![
        "",
        "CC",
        "CCLCRC",
        "CCLCSWRPWPDTLOCRRC",
        "0x20005",
        "131077",
        "020",
        "KA",
        "GA",
        "GR",
        "SDRCWDWO",
        "cclc",
    ]);
    let who = proptest::sample::select(vec![
        "SY",
        "BA",
        "AU",
        "IU",
        "DA",
        "wd",
        "MU",
        GROUP,
        "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
        "S-1-15-3-1024-1-2-3-4-5-6-7-8",
    ]);
    let guid = proptest::sample::select(vec!["", "bf967aba-0de6-11d0-a285-00aa003049e2"]);
    let condition = proptest::sample::select(vec![
        "(Member_of {SID(BA)})",
        "(@User.Title==\"PM;)(\" && (@User.Division==\"Fin å\" || Not_Exists @User.X))",
    ]);
    (kind, flags, rights, who, guid, condition).prop_map(
        |(kind, flags, rights, who, guid, condition)| {
            let guid = if matches!(kind, "OA" | "OD" | "ZA") {
                guid
            } else {
                ""
            };
            let tail = if matches!(kind, "XA" | "ZA" | "XD") {
                format!(";{condition}")
            } else {
                String::new()
            };
            format!("({kind};{flags};{rights};{guid};;{who}{tail})")
        },
    )
}

/// A whole descriptor.
fn descriptor() -> impl Strategy<Value = String> {
    let owner =
        proptest::sample::select(vec!["", "O:SY", "O:BAG:SY", "G:S-1-5-21-1-2-3-513", "o:sy"]);
    let flags = proptest::sample::select(vec!["", "P", "AI", "PAI", "ARAI"]);
    let audit = proptest::sample::select(vec![
        "",
        "S:",
        "S:(AU;FA;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)",
        "S:AI(AU;OIIOFA;GA;;;WD)(RA;;;;;WD;(\"Project\",TS,0,\"Win;dows)\",\"SQL\"))(ML;;NW;;;LW)",
    ]);
    let entries = proptest::collection::vec(entry(), 0..8);
    (owner, flags, entries, audit).prop_map(|(owner, flags, entries, audit)| {
        format!("{owner}D:{flags}{}{audit}", entries.concat())
    })
}

proptest! {
    #[test]
    fn what_is_read_is_printed_as_it_was(text in descriptor()) {
        let read = Descriptor::read(&text).unwrap();
        prop_assert_eq!(read.to_string(), text.clone());
        prop_assert_eq!(Descriptor::read(&read.to_string()).unwrap(), read);
    }

    #[test]
    fn one_entry_comes_in_and_nothing_else_changes(text in descriptor(), manager in any::<bool>()) {
        let object = if manager { Object::Manager } else { Object::Service };
        let Ok(change) = grant(&text, &group(), object) else { return Ok(()) };
        let (before, after) = (Descriptor::read(&text).unwrap(), Descriptor::read(&change.new).unwrap());
        if !change.is_needed() {
            prop_assert_eq!(&change.new, &text);
            return Ok(());
        }
        prop_assert_eq!(change.new.replacen(&change.entry, "", 1).len(), text.len());
        prop_assert_eq!(after.entries.len(), before.entries.len() + 1);
        let place = after.entries.iter().position(|entry| entry.text == change.entry && !entry.inherited).unwrap();
        // Nothing that denies and is the object's own stands behind it, unless it came from above or the order was odd.
        prop_assert!(before.entries[..place].iter().all(|entry| !entry.inherited));
        prop_assert!(before.entries.get(place).is_none_or(|entry| entry.inherited));
        if before.is_in_usual_order() {
            prop_assert!(after.is_in_usual_order());
        }
        // Twice is once, and the undo is the original.
        prop_assert_eq!(&grant(&change.new, &group(), object).unwrap().new, &change.new);
        let had = before.entries.iter().any(|entry| {
            entry.who == *group().sid() && entry.kind == Kind::Allow && !entry.flagged && entry.rights == object.rights()
        });
        prop_assert!(!had);
        prop_assert_eq!(revoke(&change.new, &group(), object).unwrap().new, text);
    }

    #[test]
    fn rubbish_is_refused_and_breaks_nothing(text in "[ODGS:();A-Z0-9a-z \"é-]{0,60}") {
        if let Ok(read) = Descriptor::read(&text) {
            prop_assert_eq!(read.to_string(), text.trim());
        }
    }

    #[test]
    fn cut_texts_break_nothing(text in descriptor(), at in any::<prop::sample::Index>()) {
        let cut: String = text.chars().take(at.index(text.chars().count())).collect();
        drop(grant(&cut, &group(), Object::Service));
        drop(revoke(&cut, &group(), Object::Manager));
    }
}

/// The script of docs/rights.md.
fn script() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/rights/Grant-SvcwatchRights.ps1")
}

#[test]
fn the_script_knows_the_same_letters() {
    let text = fs::read_to_string(script()).unwrap();
    assert!(
        text.is_ascii(),
        "older PowerShells read it in the code page of the country"
    );
    assert!(text.contains("tests/data/rights/vectors.csv"));
    for (letters, bits) in entry::LETTERS {
        let line = format!("\n    {letters} = {bits}\n");
        assert!(text.contains(&line), "{line:?} is not in the script");
    }
    for (letters, sid) in sid::FIXED {
        let line = format!("\n    {letters} = '{sid}'\n");
        assert!(text.contains(&line), "{line:?} is not in the script");
    }
    for letters in sid::OF_A_DOMAIN.iter().chain(&entry::FLAGS) {
        assert!(
            text.contains(&format!("'{letters}'")),
            "{letters} is not in the script"
        );
    }
    let rights = format!(
        "$RightsOf = @{{ manager = [int64] {}; service = [int64] {} }}",
        Object::Manager.rights(),
        Object::Service.rights()
    );
    let letters = format!(
        "$LettersOf = @{{ manager = '{}'; service = '{}' }}",
        Object::Manager.letters(),
        Object::Service.letters()
    );
    assert!(text.contains(&rights) && text.contains(&letters));
    // A name that differs only in case is the same variable, and functions see those of their callers.
    for name in ["$Bits", "$Flags"] {
        assert!(
            !text
                .to_lowercase()
                .contains(&format!("{} ", name.to_lowercase())),
            "{name}"
        );
    }
}

/// The script computes the vectors itself where a PowerShell is installed; else it is said that it did not.
#[test]
fn the_script_computes_the_vectors_where_there_is_a_powershell() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rights/vectors.csv");
    let run = std::process::Command::new("pwsh")
        .args(["-NoProfile", "-NonInteractive", "-File"])
        .arg(script())
        .arg("-SelfTest")
        .arg(vectors)
        .output();
    match run {
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stdout).into_owned();
            let complained = String::from_utf8_lossy(&done.stderr).into_owned();
            println!("pwsh: {said}");
            assert!(done.status.success(), "{said}\n{complained}");
            assert!(said.contains(" rows, 0 differ"), "{said}");
        }
        Err(error) => println!(
            "NOT RUN: Grant-SvcwatchRights.ps1 -SelfTest, for there is no pwsh here ({error}); only its tables were compared"
        ),
    }
}
