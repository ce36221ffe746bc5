//! Lists of hosts while the program runs: hosts that join and leave, lists that lose many, and services that lie.

use crate::cli_support::{arg, command, svcwatch};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::Child,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_mins(1);

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{what} did not come");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A folder with a configuration and its lists.
struct House(tempfile::TempDir);

impl House {
    fn new(hosts_from: &str) -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        fs::create_dir(house.path("hosts.d")).unwrap();
        let config = format!(
            "listen: 127.0.0.1:0\n\
             data: data\n\
             credentials: {{ ops: {{ user: watcher, password: {{ env: PATH }} }} }}\n\
             defaults: {{ every: 1h, timeout: 1s, host_for: 1h, credentials: ops }}\n\
             destinations: {{ out: {{ type: log, path: told.jsonl }} }}\n\
             hosts: [{{ name: own, address: 127.0.0.1, port: 1, services: [Spooler] }}]\n\
             groups: [{{ name: all, hosts: '*', services: [Spooler] }}]\n\
             hosts_from: {hosts_from}\n"
        );
        fs::write(house.path("svcwatch.yaml"), config).unwrap();
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a list of so many hosts, where nobody listens.
    fn list(&self, count: usize) {
        let rows: Vec<String> = (1..=count)
            .map(|number| format!("srv{number},127.0.0.1,1\n"))
            .collect();
        let text = format!("name,address,port\n{}", rows.concat());
        fs::write(self.path("hosts.d/a.csv"), text).unwrap();
    }

    fn run(&self, more: &[&str]) -> Running {
        let path = self.path("svcwatch.yaml");
        let arguments = [&["run", "-c", arg(&path)], more].concat();
        Running::start(command(&arguments).spawn().unwrap())
    }

    /// What was told, as event and host, without the summaries' lines.
    fn told(&self) -> Vec<(String, String, String)> {
        let text = fs::read_to_string(self.path("told.jsonl")).unwrap_or_default();
        let word =
            |body: &serde_json::Value, key: &str| body[key].as_str().unwrap_or("-").to_owned();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .map(|body: serde_json::Value| {
                (
                    word(&body, "kind"),
                    word(&body, "event"),
                    word(&body, "host"),
                )
            })
            .collect()
    }
}

/// A program that runs.
struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
    address: SocketAddr,
}

impl Running {
    fn start(mut child: Child) -> Self {
        let said = Arc::new(Mutex::new(String::new()));
        let (lines, heard) = (
            BufReader::new(child.stderr.take().unwrap()),
            Arc::clone(&said),
        );
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let address = eventually("the address", || {
            let said = said.lock().unwrap();
            let place = said.split_once("listens http://")?.1.split_once('\n')?.0;
            place.parse().ok()
        });
        Self {
            child,
            said,
            address,
        }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    fn says(&self, what: &str) {
        let said = || self.said();
        let begun = Instant::now();
        while !said().contains(what) {
            assert!(
                begun.elapsed() < DEADLINE,
                "{what:?} was not said:\n{}",
                said()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// The hosts that are watched.
    fn hosts(&self) -> Vec<String> {
        let list: serde_json::Value =
            serde_json::from_str(&self.get("/api/v1/hosts?limit=1000")).unwrap();
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|host| host["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn watches(&self, count: usize) {
        let begun = Instant::now();
        while self.hosts().len() != count {
            assert!(
                begun.elapsed() < DEADLINE,
                "{:?} are watched, not {count}:\n{}",
                self.hosts(),
                self.said()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn metric(&self, name: &str) -> String {
        let metrics = self.get("/metrics");
        let line = metrics.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit_once(' '))
            .map_or_else(|| format!("none of {name}"), |(_, value)| value.to_owned())
    }

    fn kill(self) -> String {
        let said = Arc::clone(&self.said);
        drop(self);
        said.lock().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn unwatched(host: &str) -> (String, String, String) {
    ("info".to_owned(), "unwatched".to_owned(), host.to_owned())
}

#[test]
fn hosts_of_a_file_join_and_leave_and_a_list_that_lost_many_stays() {
    let house = House::new("[{ file: 'hosts.d/*.csv' }]");
    house.list(6);
    let running = house.run(&[]);
    running.watches(7);
    house.list(7);
    running.watches(8);
    house.list(6);
    running.watches(7);
    eventually("the notice", || {
        house.told().contains(&unwatched("srv7")).then_some(())
    });
    assert_eq!(
        house.told(),
        [unwatched("srv7")],
        "one that vanished is told once"
    );

    house.list(3);
    running.says("a list of hosts was not taken");
    running.says("svcwatch run --accept");
    assert_eq!(running.hosts().len(), 7);
    eventually("the metric", || {
        (running.metric("svcwatch_host_list_current{") == "0").then_some(())
    });
    assert_eq!(running.metric("svcwatch_host_list_hosts{"), "6");
    let metrics = running.get("/metrics");
    assert!(
        metrics
            .lines()
            .any(|line| line.contains("result=\"refused\"") && line.ends_with(" 1")),
        "{metrics}"
    );
    running.kill();

    // A restart forgets neither the list nor that it was refused.
    let running = house.run(&[]);
    running.watches(7);
    running.says("a list of hosts was not taken");
    let path = house.path("svcwatch.yaml");
    let explained = svcwatch(&["explain", "-c", arg(&path), "srv5"]);
    assert!(explained.out.contains("a.csv:6 names it"), "{explained:?}");
    let checked = svcwatch(&["check", "-c", arg(&path)]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(
        checked.out.contains("3 hosts from ") && checked.out.contains("(1 file)"),
        "{checked:?}"
    );
    assert!(
        checked.err.contains("lacks 3 of the 6 hosts"),
        "{checked:?}"
    );
    running.kill();

    accepted(&house);
}

/// What lost many is taken by a start that says so, and is the measure from then on.
fn accepted(house: &House) {
    let running = house.run(&["--accept"]);
    running.watches(4);
    eventually("the notices", || (house.told().len() == 4).then_some(()));
    let mut told = house.told();
    told.sort();
    assert_eq!(
        told,
        ["srv4", "srv5", "srv6", "srv7"].map(unwatched),
        "each is told once"
    );
    // What was accepted is the measure from now on.
    house.list(0);
    running.says("names no host any more");
    assert_eq!(running.hosts().len(), 4);
    house.list(3);
    running.says("a list of hosts is taken again");
    running.kill();
}

#[test]
fn a_list_that_is_wrong_at_the_first_start_is_refused_with_its_place() {
    let house = House::new("[{ file: hosts.csv }]");
    let path = house.path("svcwatch.yaml");
    let done = svcwatch(&["run", "-c", arg(&path)]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(
        done.err.contains("hosts.csv: the file cannot be read"),
        "{done:?}"
    );
    fs::write(house.path("hosts.csv"), "name,port\nsrv01,=1+1\n").unwrap();
    let done = svcwatch(&["run", "-c", arg(&path)]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(
        done.err
            .contains("hosts.csv:2:7: port: `=1+1` begins as a formula"),
        "{done:?}"
    );
}

/// How the service of a list answers.
#[derive(Debug, Clone, PartialEq)]
enum Says {
    /// These hosts, with a tag.
    Hosts(Vec<String>),
    Body(&'static str),
    Status(u16),
    Huge,
    Nothing,
}

/// A service that names hosts, or something else.
struct Service {
    address: SocketAddr,
    says: Arc<Mutex<Says>>,
    /// How often it answered that nothing changed.
    same: Arc<Mutex<usize>>,
}

impl Service {
    fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Self {
            address: listener.local_addr().unwrap(),
            says: Arc::new(Mutex::new(says)),
            same: Arc::default(),
        };
        let (says, same) = (Arc::clone(&service.says), Arc::clone(&service.same));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (says, same) = (Arc::clone(&says), Arc::clone(&same));
                thread::spawn(move || answer(stream, &says, &same));
            }
        });
        service
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }
}

fn answer(mut stream: TcpStream, says: &Mutex<Says>, same: &Mutex<usize>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let says = says.lock().unwrap().clone();
        let (status, body) = match says {
            Says::Hosts(hosts) => {
                let tag = format!("\"{}\"", hosts.join("-"));
                if head
                    .to_lowercase()
                    .contains(&format!("if-none-match: {tag}"))
                {
                    *same.lock().unwrap() += 1;
                    stream
                        .write_all(b"HTTP/1.1 304 Not Modified\r\n\r\n")
                        .ok()?;
                    continue;
                }
                let groups = hosts.iter().map(|host| {
                    serde_json::json!({ "targets": ["127.0.0.1:1"], "labels": { "__meta_svcwatch_name": host, "team": "db" } })
                });
                let body = groups.collect::<serde_json::Value>().to_string();
                write!(stream, "HTTP/1.1 200 OK\r\netag: {tag}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok()?;
                continue;
            }
            Says::Nothing => {
                thread::sleep(DEADLINE);
                return None;
            }
            Says::Huge => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
                loop {
                    stream.write_all(&vec![b' '; 65_536]).ok()?;
                }
            }
            Says::Body(body) => (200, body),
            Says::Status(status) => (status, "no"),
        };
        write!(
            stream,
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
    }
}

fn hosts(count: usize) -> Says {
    Says::Hosts((1..=count).map(|number| format!("srv{number}")).collect())
}

#[test]
fn a_service_that_lies_hangs_or_breaks_changes_nothing() {
    let service = Service::start(hosts(5));
    let house = House::new(&format!(
        "[{{ http_sd: 'http://{}/sd?token=x', every: 1s }}]",
        service.address
    ));
    let running = house.run(&[]);
    running.watches(6);
    eventually("an answer that nothing changed", || {
        (*service.same.lock().unwrap() > 1).then_some(())
    });
    assert_eq!(running.metric("svcwatch_host_list_current{"), "1");
    for (says, said) in [
        (Says::Status(500), "it answers with HTTP 500"),
        (Says::Status(302), "leads elsewhere"),
        (Says::Body("<html>log on</html>"), "the answer is no JSON"),
        (Says::Body("{\"targets\": []}"), "the answer is no list"),
        (
            Says::Body("[{\"targets\": \"srv1\"}]"),
            "this is no group with a list of `targets`",
        ),
        (
            Says::Body("[{\"targets\": [\"srv1:445\", \"=x\"]}]"),
            "`=x` is neither a host name nor an IP address",
        ),
        (Says::Body("[]"), "names no host any more"),
        (hosts(3), "lacks 2 of the 5 hosts"),
        (Says::Huge, "larger than 32 MiB"),
        (Says::Nothing, "10 s"),
    ] {
        service.say(says);
        running.says(said);
        assert_eq!(running.hosts().len(), 6, "{said}");
    }
    eventually("the metric", || {
        (running.metric("svcwatch_host_list_current{") == "0").then_some(())
    });
    assert_eq!(house.told(), []);
    let said = running.kill();
    assert!(!said.contains("token=x"), "{said}");

    // It starts with what was there, although nobody answers.
    let running = house.run(&[]);
    running.watches(6);
    let path = house.path("svcwatch.yaml");
    let checked = svcwatch(&["check", "-c", arg(&path)]);
    assert!(
        checked.out.contains("5 hosts from http://")
            && checked.out.contains("as it was taken last"),
        "{checked:?}"
    );
    service.say(hosts(6));
    running.watches(7);
    let labels = running.get("/api/v1/hosts?name=srv6");
    assert!(labels.contains("\"team\":\"db\""), "{labels}");
    service.say(hosts(5));
    running.watches(6);
    eventually("the notice", || {
        (house.told() == [unwatched("srv6")]).then_some(())
    });
    running.kill();
}

#[test]
fn a_list_of_a_service_that_shrank_is_taken_by_a_start_with_accept() {
    let service = Service::start(hosts(5));
    let house = House::new(&format!(
        "[{{ http_sd: 'http://{}/sd', every: 1s }}]",
        service.address
    ));
    let running = house.run(&[]);
    running.watches(6);
    running.kill();
    service.say(hosts(2));
    let running = house.run(&[]);
    running.says("lacks 3 of the 5 hosts");
    assert_eq!(running.hosts().len(), 6);
    running.kill();
    let running = house.run(&["--accept"]);
    running.watches(3);
    // It was accepted once, and not for ever.
    service.say(hosts(0));
    running.says("names no host any more");
    assert_eq!(running.hosts().len(), 3);
    running.kill();
}
