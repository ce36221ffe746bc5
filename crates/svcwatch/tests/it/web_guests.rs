//! `/probe` of guests: hosts that are not in the config. Each test stands a gate before the simulated host, which counts who
//! comes: a connection is a logon.

use crate::run_support::{Host, House, Receiver, eventually, get, items, shown};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use svcwatch::app::App;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

/// What a password would look like that got out.
const CANARY: &str = "hunter2-canary";
/// STATUS_LOGON_FAILURE (MS-ERREF 2.3.1).
const LOGON_FAILURE: u32 = 0xC000_006D;

/// What stands before a host, at every address of loopback: each is a guest of its own.
#[derive(Debug)]
struct Gate {
    port: u16,
    came: AtomicUsize,
    inside: AtomicUsize,
}

impl Gate {
    async fn before(host: &Host) -> Arc<Self> {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let gate = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            came: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
        });
        let (serving, behind) = (Arc::clone(&gate), host.address);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let gate = Arc::clone(&serving);
                gate.came.fetch_add(1, Ordering::AcqRel);
                gate.inside.fetch_add(1, Ordering::AcqRel);
                tokio::spawn(async move {
                    if let Ok(mut host) = TcpStream::connect(behind).await {
                        drop(copy_bidirectional(&mut stream, &mut host).await);
                    }
                    gate.inside.fetch_sub(1, Ordering::AcqRel);
                });
            }
        });
        gate
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::Acquire)
    }
}

/// A watched host, guests behind a gate, and the app between.
struct Scene {
    guests: Arc<Host>,
    gate: Arc<Gate>,
    watched: Arc<Host>,
    receiver: Arc<Receiver>,
    house: House,
}

impl Scene {
    async fn of(probe: &str) -> Self {
        let guests = Host::start(&["Spooler", "W3SVC"]).await;
        let watched = Host::start(&["Spooler"]).await;
        let (gate, receiver) = (Gate::before(&guests).await, Receiver::start().await);
        let house = House::empty();
        house.write_secret("password", CANARY);
        let scene = Self {
            guests,
            gate,
            watched,
            receiver,
            house,
        };
        scene.write(probe);
        scene
    }

    /// Writes the config with this under `probe`.
    fn write(&self, probe: &str) {
        let head = House::head(&self.receiver)
            .replace("{ env: PATH }", "{ file: password }")
            .replace("every: 1s", &format!("every: 1d, port: {}", self.gate.port));
        self.house.write(&format!(
            "{head}hosts: [{{ name: lab, address: 127.0.0.1, port: {}, services: [Spooler] }}]\nprobe: {probe}\n",
            self.watched.address.port()
        ));
    }

    async fn start(&self) -> App {
        let app = self.house.start().await;
        shown(&app, "Spooler", "running").await;
        // The watched host has let the account in.
        eventually("the watched host", async || {
            let (status, text) = probe(&app, "lab").await;
            (status == 200 && text.contains("probe_success 1")).then_some(())
        })
        .await;
        app
    }
}

/// What a probe of a target answers.
async fn probe(app: &App, target: &str) -> (u16, String) {
    let (status, body) = get(app, &format!("/probe?target={target}")).await;
    assert!(!body.contains(CANARY), "{target}: {body}");
    (status, body)
}

/// The word for why a guest was not read.
async fn fault(app: &App, target: &str) -> String {
    let (status, body) = probe(app, target).await;
    assert_eq!(status, 200, "{target}: {body}");
    let word = body.split("svcwatch_host_fault{fault=\"").nth(1);
    let word = word.and_then(|rest| rest.split('"').next());
    word.unwrap_or("none").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_read_over_one_session_and_shown_nowhere_else() {
    let scene = Scene::of("{ allow: '127.0.0.*', modules: { web: { services: ['W3*'] } } }").await;
    let app = scene.start().await;
    let (status, text) = probe(&app, "127.0.0.2").await;
    assert_eq!(status, 200, "{text}");
    for line in [
        "probe_success 1",
        "windows_service_state{name=\"w3svc\",state=\"running\"} 1",
        "svcwatch_service_process_id{name=\"spooler\"} 4711",
        "windows_service_info{name=\"spooler\",display_name=\"The Spooler service\",path_name=\"\",run_as=\"\"} 1",
    ] {
        assert!(
            text.lines().any(|other| other == line),
            "no {line} in\n{text}"
        );
    }
    // What only a watched service has.
    for word in [
        "windows_service_status{",
        "windows_service_start_mode{",
        "host=",
    ] {
        assert!(!text.contains(word), "{word} in\n{text}");
    }
    let (_, text) = probe(&app, "127.0.0.2&module=web").await;
    assert!(!text.contains("spooler"), "{text}");
    scene.guests.set("W3SVC", false);
    let (_, text) = probe(&app, "127.0.0.2").await;
    let line = "windows_service_state{name=\"w3svc\",state=\"stopped\"} 1";
    assert!(text.contains(line), "{text}");
    // Many at once share one reading, and the session is the same all the time.
    let app = Arc::new(app);
    let probes: Vec<_> = (0..20)
        .map(|_| {
            let app = Arc::clone(&app);
            tokio::spawn(async move { probe(&app, "127.0.0.2").await })
        })
        .collect();
    for one in probes {
        let (status, text) = one.await.unwrap();
        assert!(status == 200 && text.contains("probe_success 1"), "{text}");
    }
    assert_eq!(scene.gate.came(), 1, "one logon for all of them");
    for path in [
        "/metrics",
        "/api/v1/hosts",
        "/api/v1/services",
        "/api/v1/sd",
        "/api/v1/incidents",
        "/api/v1/history",
    ] {
        let (_, body) = get(&app, path).await;
        assert!(!body.contains("127.0.0.2"), "{path}: {body}");
    }
    assert_eq!(items(&app, "/api/v1/hosts").await.len(), 1);
    assert_eq!(scene.receiver.told(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_and_a_restart_tries_it_no_sooner() {
    let scene = Scene::of("{ allow: '127.0.0.*' }").await;
    scene.guests.refuse(LOGON_FAILURE);
    let app = scene.start().await;
    for _ in 0..10 {
        assert_eq!(fault(&app, "127.0.0.2").await, "logon_refused");
    }
    assert_eq!(scene.gate.came(), 1);
    app.stop().await.unwrap();
    // The watched host lets the account in at each start, so that its own count of refusals begins anew.
    let app = scene.start().await;
    for _ in 0..10 {
        assert_eq!(fault(&app, "127.0.0.2").await, "logon_refused");
    }
    assert_eq!(scene.gate.came(), 1, "the refusal is remembered");
    // Three that refuse it pause the account, and no further one is tried.
    for (guest, word) in [
        ("127.0.0.3", "logon_refused"),
        ("127.0.0.4", "logon_refused"),
        ("127.0.0.5", "logon_refused"),
        ("127.0.0.6", "account_paused"),
        ("127.0.0.2", "account_paused"),
    ] {
        assert_eq!(fault(&app, guest).await, word, "{guest}");
    }
    assert_eq!(scene.gate.came(), 4);
    assert_eq!(scene.receiver.wait_for(1).await[0].1, "account_paused");
    // With another password all may be tried at once.
    scene.guests.refuse(0);
    scene
        .house
        .write_secret("password", &format!("{CANARY}-again"));
    scene.watched.refuse(0);
    eventually("the other password", async || {
        (fault(&app, "127.0.0.2").await == "none").then_some(())
    })
    .await;
    let bodies = scene.receiver.bodies();
    assert!(
        bodies.iter().all(|body| !body.to_string().contains(CANARY)),
        "{bodies:?}"
    );
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_connected_to_who_is_not_let_in() {
    let scene = Scene::of("{ allow: ['127.0.0.2', '*.corp.example', 'fe80*'] }").await;
    let app = scene.start().await;
    for target in [
        "",
        "127.0.0.3",
        "127.0.0.20",
        "127.0.0.2:445",
        "127.0.0.2%3a445",
        "127.0.0.2%00",
        "127.0.0.2%0a",
        "127.0.0.2%20",
        "127.0.0.2/x",
        "127.0.0.2%2f..%2fx",
        "%5c%5c127.0.0.2%5cpipe",
        "user@127.0.0.2",
        "[127.0.0.2]",
        "::1",
        "[::1]",
        "fe80::1",
        "fe80::1%25lo",
        "::ffff:127.0.0.3",
        "127.2",
        "127.0.2",
        "2130706434",
        "0x7f000002",
        "0x7f.0.0.2",
        "0177.0.0.2",
        "127.0.0.02",
        "localhost",
        "corp.example",
        "a.corp.example.evil.example",
        "a_corp.example",
        "a%e3%80%82corp.example",
        "evil.example%23.corp.example",
        "evil.example%2f.corp.example",
        "evil.example:445%00.corp.example",
        "%c4%b0.corp.example",
        "127.0.0.2%252",
        "*",
    ] {
        let (status, body) = probe(&app, target).await;
        assert_eq!(status, 403, "{target}: {body}");
        assert!(body.contains("not logged on to"), "{target}: {body}");
        assert!(
            !body.contains('\u{0}') && body.lines().count() == 1,
            "{body}"
        );
    }
    assert_eq!(scene.gate.came(), 0);
    // However it is written, it is one guest, and has one session.
    for target in [
        "127.0.0.2",
        "127.0.0.%32",
        "::ffff:127.0.0.2",
        "::FFFF:7f00:2",
        "0:0:0:0:0:ffff:127.0.0.2",
    ] {
        assert_eq!(fault(&app, target).await, "none", "{target}");
    }
    assert_eq!(scene.gate.came(), 1);
    // A host of the config is read as that.
    for target in ["lab", "LAB", "lab."] {
        let (status, body) = probe(&app, target).await;
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("windows_service_status{"), "{target}: {body}");
    }
    assert_eq!(scene.gate.came(), 1);
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_config_holds_at_once() {
    let scene = Scene::of("{ allow: '127.0.0.*' }").await;
    let app = scene.start().await;
    for guest in ["127.0.0.2", "127.0.0.3"] {
        assert_eq!(fault(&app, guest).await, "none");
    }
    let inside = || scene.gate.inside.load(Ordering::Acquire);
    assert_eq!(inside(), 2);
    scene.write("{ allow: ['127.0.0.3'], modules: { none: { credentials: ops } } }");
    app.reload().await.unwrap();
    assert_eq!(probe(&app, "127.0.0.2").await.0, 403);
    eventually("the end of the session", async || {
        (inside() == 1).then_some(())
    })
    .await;
    scene.write("{ modules: { web: { services: [W3SVC] } } }");
    app.reload().await.unwrap();
    assert_eq!(probe(&app, "127.0.0.3").await.0, 403);
    eventually("the end of the other session", async || {
        (inside() == 0).then_some(())
    })
    .await;
    assert_eq!(scene.gate.came(), 2);
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_stalls_is_given_up_and_holds_up_no_host() {
    let scene = Scene::of("{ allow: '127.0.0.*' }").await;
    let app = scene.start().await;
    assert_eq!(fault(&app, "127.0.0.2").await, "none");
    scene.guests.hold(true);
    let app = Arc::new(app);
    let probes: Vec<_> = (2..60)
        .map(|guest| {
            let app = Arc::clone(&app);
            tokio::spawn(async move { (guest, probe(&app, &format!("127.0.0.{guest}")).await) })
        })
        .collect();
    eventually("the guests", async || scene.guests.is_asked().then_some(())).await;
    let (status, text) = probe(&app, "lab").await;
    assert!(status == 200 && text.contains("probe_success 1"), "{text}");
    let (mut given_up, mut turned_away) = (Vec::new(), 0);
    for one in probes {
        let (guest, (status, text)) = one.await.unwrap();
        match status {
            200 => {
                assert!(text.contains("probe_success 0"), "{text}");
                assert!(text.contains("fault=\"timeout\""), "{text}");
                given_up.push(guest);
            }
            503 => turned_away += 1,
            other => panic!("{other}: {text}"),
        }
    }
    assert!(turned_away > 0, "{given_up:?}");
    assert!(scene.gate.came() <= 33, "{}", scene.gate.came());
    scene.guests.hold(false);
    // One that did not answer is left alone for a while. The others only waited for it, or had a session.
    let mut left_alone = 0;
    for guest in given_up {
        let came = scene.gate.came();
        if fault(&app, &format!("127.0.0.{guest}")).await == "timeout" {
            assert_eq!(scene.gate.came(), came);
            left_alone += 1;
        }
    }
    assert!(left_alone > 0);
    eventually("another guest", async || {
        let (status, text) = probe(&app, "127.0.0.70").await;
        (status == 200 && text.contains("probe_success 1")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_has_no_guest_read() {
    let scene = Scene::of("{ allow: '127.0.0.*' }").await;
    let app = scene.start().await;
    for header in [
        "Origin: http://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        let (status, body) = get_with(&app, "/probe?target=127.0.0.2", header).await;
        assert_eq!(status, 403, "{header}: {body}");
        // What is read all the time anyway may be asked for.
        let (status, _) = get_with(&app, "/probe?target=lab", header).await;
        assert_eq!(status, 200, "{header}");
    }
    assert_eq!(scene.gate.came(), 0);
    let typed = "Sec-Fetch-Site: none";
    let (status, body) = get_with(&app, "/probe?target=127.0.0.2", typed).await;
    assert!(status == 200 && body.contains("probe_success 1"), "{body}");
    app.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_the_config_is_no_guest_by_its_address() {
    let scene = Scene::of("{ allow: '127.0.0.*' }").await;
    let app = scene.start().await;
    for target in ["127.0.0.1", "::ffff:127.0.0.1"] {
        let (status, body) = probe(&app, target).await;
        assert_eq!(status, 403, "{target}: {body}");
        assert!(
            body.contains("is the host") && body.contains("lab"),
            "{body}"
        );
    }
    assert_eq!(scene.gate.came(), 0);
    app.stop().await.unwrap();
}

/// What a GET with one header more answers.
async fn get_with(app: &App, path: &str, header: &str) -> (u16, String) {
    let address = app.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n{header}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.unwrap_or(0), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_without_an_account_reads_no_guest_and_says_so() {
    let scene =
        Scene::of("{ allow: ['127.0.0.2'], modules: { with: { credentials: ops } } }").await;
    let text = std::fs::read_to_string(scene.house.config()).unwrap();
    let without = text
        .replace(", credentials: ops }\n", " }\n")
        .replace("name: lab,", "name: lab, credentials: ops,");
    assert_ne!(text, without);
    scene.house.write(&without);
    let app = scene.start().await;
    let (status, body) = probe(&app, "127.0.0.2").await;
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("names no account"), "{body}");
    let (status, body) = probe(&app, "127.0.0.2&module=with").await;
    assert!(status == 200 && body.contains("probe_success 1"), "{body}");
    app.stop().await.unwrap();
}
