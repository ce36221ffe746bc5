//! Templates: what they give, and what they are kept from.

use super::*;
use crate::dest::{self, Context};
use serde_json::json;
use std::time::{Duration, Instant};
use svcwatch_core::id::DeliveryKey;

fn text(text: &str, target: Target) -> Template {
    Template::read(Origin::Text(text.to_owned()), target)
}

fn render(source: &str, target: Target, variables: &Value) -> Result<String, Failure> {
    text(source, target).render(variables)
}

fn links() -> Vec<Link> {
    vec![Link {
        id: "runbook".to_owned(),
        text: "What to do".to_owned(),
        comment: String::new(),
        url: "https://wiki.example/run?book=1&page=2".to_owned(),
    }]
}

fn of_sample() -> Value {
    let notice = sample(Word::Any);
    let key = DeliveryKey::new(&"duty".into(), "", "x", "opened", 7);
    let context = Context {
        base_url: Some(Arc::from("http://127.0.0.1:7467")),
        now: notice.at,
    };
    variables(&key, &notice, &context, &links())
}

fn line(source: &str) -> String {
    render(source, Target::Line, &of_sample())
        .unwrap_or_else(|failure| panic!("{source}: {failure}"))
}

#[test]
fn the_variables_of_butler_and_our_own_are_there() {
    assert_eq!(
        line(
            "{{host}}~{{serviceStatus}}~{{servicePrevStatus}}~{{serviceName}}~{{serviceDisplayName}}~{{serviceFriendlyName}}~{{serviceStartType}}~{{serviceExePath}}~{{genericUrls.0.url}}"
        ),
        "srv01~STOPPED~RUNNING~MSSQL$PROD~SQL Server \"PROD\" <main> & co~Ola's database~Automatic~\"C:\\Program Files\\SQL\\sqlservr.exe\" -sPROD~https://wiki.example/run?book=1&page=2"
    );
    assert_eq!(
        line(
            "{{event}} {{kind}} {{severity}} {{since}} {{exit_code}} {{dependencies.0}} {{links.[0].text}} {{incident.id}} {{urgency}}"
        ),
        "stopped opened critical 2024-03-13T12:05:00.042Z 1067 RPCSS What to do 0123456789abcdef-7 CRITICAL"
    );
    assert_eq!(line("{{title}}"), "Ola's database on srv01 stopped");
    assert_eq!(line("[{{nothing}}{{site}}{{nothing.at.all}}]"), "[oslo]");
}

#[test]
fn the_language_is_that_of_handlebars() {
    let cases = [
        (
            "{{#if (eq serviceStatus \"STOPPED\")}}down{{else}}up{{/if}}",
            "down",
        ),
        (
            "{{eq serviceStatus \"STOPPED\"}} {{eq exit_code \"1067\"}} {{eq exit_code 1067}}",
            "true false true",
        ),
        (
            "{{#unless (eq host 'x')}}a{{/unless}}{{#if labels}}b{{else if merged}}c{{else}}d{{/if}}",
            "ad",
        ),
        (
            "{{#each genericUrls}}{{@index}}{{@first}}{{#if (eq id \"runbook\")}}{{linkText}} on {{../host}} of {{@root.host}}{{/if}}{{/each}}",
            "0trueWhat to do on srv01 of srv01",
        ),
        (
            "{{#each genericUrls as |one place|}}{{place}}{{one.id}}{{/each}}",
            "0runbook",
        ),
        (
            "{{#genericUrls}}{{this.id}}{{/genericUrls}}{{#host}}h{{/host}}{{#incident}}{{id}}{{/incident}}",
            "runbookh0123456789abcdef-7",
        ),
        (
            "{{#with incident}}{{./id}}{{/with}} {{lookup genericUrls.0 'id'}} {{log host}}x",
            "0123456789abcdef-7 runbook x",
        ),
        ("a {{~host~}} b{{!-- c --}}{{! d }}", "asrv01b"),
        (
            "{{#*inline \"who\"}}{{host}}!{{name}}{{/inline}}{{> who name=\"x\"}} {{> who}}",
            "srv01!x srv01!",
        ),
        ("{{#each nothing}}a{{else}}none{{/each}}", "none"),
        ("{{this.host}} \\{{host}}", "srv01 {{host}}"),
    ];
    for (source, given) in cases {
        assert_eq!(line(source), given, "{source}");
    }
}

#[test]
fn values_are_escaped_for_what_the_template_gives() {
    let hostile = json!({ "name": "a\"b\\c\r\nd<e>&'f'\u{1}", "exe": r"C:\new\table" });
    assert_eq!(
        render("{{name}} {{{name}}}", Target::Html, &hostile)
            .ok()
            .as_deref(),
        Some("a&quot;b\\c\r\nd&lt;e&gt;&amp;&#x27;f&#x27;\u{FFFD} a\"b\\c\r\nd<e>&'f'\u{1}")
    );
    assert_eq!(
        render("{{name}} {{{name}}}", Target::Line, &hostile)
            .ok()
            .as_deref(),
        Some("a\"b\\c d<e>&'f'\u{FFFD} a\"b\\c d<e>&'f'\u{FFFD}")
    );
    let given = render(
        "{\"a\":\"{{name}}\",\"b\":\"{{{name}}}\",\"c\":\"{{&exe}}\",\"d\":\"{{lookup this 'exe'}}\"}",
        Target::Json,
        &hostile,
    );
    let given: Value = serde_json::from_str(&given.expect("JSON")).expect("JSON");
    assert_eq!(given["a"], hostile["name"]);
    assert_eq!(given["b"], hostile["name"]);
    assert_eq!(given["c"], hostile["exe"]);
    assert_eq!(given["d"], hostile["exe"]);
}

#[test]
fn what_is_no_json_object_is_a_failure_that_says_so() {
    for source in ["{\"a\":1,}", "[1]", "\"x\"", "{{host}}", "{\"a\":}"] {
        let failure = render(source, Target::Json, &of_sample());
        assert!(
            matches!(failure, Err(Failure::Json(_))),
            "{source}: {failure:?}"
        );
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(render(&deep, Target::Json, &of_sample()).is_err());
}

#[test]
fn what_is_no_template_is_told_with_its_line() {
    let cases = [
        ("a\n{{#if host}}b", "line 2"),
        ("a\n\n{{/if}}", "line 3"),
        ("{{host", "line 1"),
        ("{{#if host}}a{{/each}}", "line 1"),
        ("{{> header}}", "there is no partial header"),
        ("{{> (lookup this 'host')}}", "cannot be computed"),
        ("{{#> layout}}a{{/layout}}", "is not carried out"),
        (
            "{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}",
            "includes itself",
        ),
        (
            "{{#*inline \"a\"}}{{> b}}{{/inline}}{{#*inline \"b\"}}{{> a}}{{/inline}}{{> a}}",
            "includes itself",
        ),
        ("{{shout host}}", "line 1"),
        ("{{nothing}}", "gives nothing"),
    ];
    for (source, says) in cases {
        let failure = render(source, Target::Line, &of_sample());
        let said = failure.expect_err(source).to_string();
        assert!(said.contains(says), "{source}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
}

#[test]
fn a_template_that_would_never_end_ends_soon_and_is_not_tried_again() {
    let items: Vec<Value> = (0..100).map(|number| json!({ "host": number })).collect();
    let variables = json!({ "items": items });
    let loops = format!(
        "{}{}",
        "{{#each @root.items}}".repeat(8),
        "{{/each}}".repeat(8)
    );
    let partials: Vec<String> = (1..=20)
        .map(|number| {
            let call = format!("{{{{> p{}}}}}", number - 1);
            format!("{{{{#*inline \"p{number}\"}}}}{call}{call}{{{{/inline}}}}")
        })
        .collect();
    let partials = format!(
        "{{{{#*inline \"p0\"}}}}{{{{/inline}}}}{}{{{{> p20}}}}",
        partials.concat()
    );
    for source in [loops, partials] {
        let template = text(&source, Target::Line);
        let began = Instant::now();
        let ended = template.render(&variables);
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{:?}",
            began.elapsed()
        );
        // On a machine that is busy with other things the time may be used up before the steps are.
        if matches!(&ended, Err(Failure::Run(why)) if why.contains("too long")) {
            eprintln!("ended after {:?} by the clock", began.elapsed());
            continue;
        }
        assert_eq!(ended, Err(Failure::Steps));
        let began = Instant::now();
        assert_eq!(template.render(&variables), Err(Failure::Steps));
        assert!(began.elapsed() < Duration::from_millis(100));
    }
}

#[test]
fn the_deepest_that_is_allowed_runs_on_the_stack_of_a_thread() {
    let nested = |inside: &str| {
        format!(
            "{}{inside}{}",
            "{{#if host}}".repeat(8),
            "{{/if}}".repeat(8)
        )
    };
    let chain = "{{#if nothing}}a{{else if nothing}}b".to_owned()
        + &"{{else if nothing}}c".repeat(15)
        + "{{else}}end{{/if}}";
    let partials = format!(
        "{{{{#*inline \"c\"}}}}{}{{{{/inline}}}}{{{{#*inline \"b\"}}}}{}{{{{/inline}}}}{}",
        "{{host}}",
        nested("{{> c}}")
            .replacen("{{#if host}}", "", 1)
            .replacen("{{/if}}", "", 1),
        nested("{{> b}}")
            .replacen("{{#if host}}", "", 1)
            .replacen("{{/if}}", "", 1),
    );
    // Threads of tokio have 2 MiB.
    let thread = std::thread::Builder::new().stack_size(2 * 1_048_576);
    let ran = thread.spawn(move || (line(&nested("{{host}}")), line(&chain), line(&partials)));
    assert_eq!(
        ran.expect("a thread").join().expect("no overflow"),
        ("srv01".to_owned(), "end".to_owned(), "srv01".to_owned())
    );
}

#[test]
fn what_is_too_long_or_gives_too_much_is_refused() {
    let long = "x".repeat(SOURCE_BYTES_MAX + 1);
    assert_eq!(
        render(&long, Target::Line, &json!({})),
        Err(Failure::TooLong)
    );
    let much = "{{text}}".repeat(300);
    let variables = json!({ "text": "x".repeat(1_000) });
    assert_eq!(
        render(&much, Target::Html, &variables),
        Err(Failure::Output)
    );
}

#[test]
fn a_file_is_read_within_its_limits() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.handlebars");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("a file");
        Template::read(Origin::File(path.clone()), Target::Line).render(&of_sample())
    };
    assert_eq!(read(b"\xEF\xBB\xBF{{host}}\r\n"), Ok("srv01".to_owned()));
    assert_eq!(read(b"\xff"), Err(Failure::NotText));
    assert_eq!(read(&vec![b'x'; 10 * 1_048_576]), Err(Failure::TooLong));
    let folder = Template::read(Origin::File(folder.path().to_owned()), Target::Line);
    assert!(matches!(
        folder.render(&of_sample()),
        Err(Failure::Unreadable { .. })
    ));
    let gone = Template::read(Origin::File("/nowhere/at/all".into()), Target::Line);
    assert!(matches!(
        gone.render(&of_sample()),
        Err(Failure::Unreadable { .. })
    ));
}

#[test]
fn the_template_of_the_event_wins_over_that_of_the_kind() {
    let word = |word: &str| Word::parse(word).expect("a word");
    let templates = Templates::new(vec![
        (word("opened"), text("kind", Target::Line)),
        (word("stopped"), text("event", Target::Line)),
    ]);
    let of = |notice: &Notice| {
        templates
            .of(notice)
            .map(|template| template.render(&json!({})))
    };
    assert_eq!(of(&sample(word("stopped"))), Some(Ok("event".to_owned())));
    assert_eq!(of(&sample(word("paused"))), Some(Ok("kind".to_owned())));
    assert_eq!(of(&sample(word("resolved"))), None);
    assert_eq!(of(&dest::test_notice(svcwatch_core::time::Wall(0))), None);
}

#[test]
fn no_text_breaks_the_engine() {
    let pieces = [
        "{{", "}}", "{{{", "}}}", "{{#", "{{/", "if", " ", "each", "else", "^", "~", "host", "(",
        ")", "[", "]", "\"", "'", "\\", "{{!--", "--}}", "{{>", "*inline", "as |a b|", "=", ".",
        "..", "/", "@", "1", "null", "\n", "{{{{", "}}}}", "ü", "&",
    ];
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below).unwrap_or(1)).unwrap_or(0)
    };
    let variables = of_sample();
    for _ in 0..3_000 {
        let source: String = (0..random(14))
            .map(|_| pieces[random(pieces.len())])
            .collect();
        for target in [Target::Html, Target::Json, Target::Line] {
            drop(render(&source, target, &variables));
        }
    }
}

#[test]
fn the_worst_that_the_parser_can_be_given_is_refused_soon() {
    let big = |piece: &str| piece.repeat(SOURCE_BYTES_MAX / piece.len());
    for source in [
        big("{{"),
        big("{{{"),
        big("{{#if a}}{{/if"),
        big("{{#if a}}x{{/if}}"),
        big("{{a "),
        big("\\{{"),
        format!(
            "{}{}",
            "{{#if a}}".repeat(8),
            big("{{b}} ").get(..200_000).unwrap_or("")
        ),
        format!("{{{{a {}}}}}", big("b=c ").get(..200_000).unwrap_or("")),
        format!("{{{{a \"{}", big("x").get(..200_000).unwrap_or("")),
        big("{{{{a}}}}"),
        big("{{^}}"),
        format!(
            "{}{}",
            "{{a}}{{#if b}}c{{/if}}".repeat(160),
            big("x").get(..250_000).unwrap_or("")
        ),
        format!(
            "{}{}",
            big("x").get(..250_000).unwrap_or(""),
            "{{#if b}}{{eq a b}}{{/if}}".repeat(160)
        ),
    ] {
        let began = Instant::now();
        drop(render(&source, Target::Line, &of_sample()));
        let took = began.elapsed();
        assert!(took < Duration::from_mins(1), "{}: {took:?}", &source[..20]);
        println!("{}: {took:?}", &source[..20]);
    }
}
