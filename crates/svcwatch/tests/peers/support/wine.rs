//! Samba in front of Wine's service control manager: real service processes that start, run and stop.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::bridge::Bridge;
use super::control::Control;
use super::process::{Running, START_LIMIT, need, need_root, run};
use super::samba::{Samba, Settings};

/// Where prepared Wine prefixes and the relay are kept between runs.
const CACHE: &str = env!("CARGO_TARGET_TMPDIR");

/// Debian's Wine without its wrapper, which complains about missing 32-bit programs.
pub(super) const WINE: &str = "/usr/lib/wine/wine64";
const WINESERVER: &str = "/usr/lib/wine/wineserver64";

/// The compiler for Windows programs.
const COMPILER: &str = "x86_64-w64-mingw32-gcc";

/// A Windows host as far as its services go.
#[derive(Debug)]
pub(crate) struct WineHost {
    samba: Samba,
    bridge: Option<Bridge>,
    socket: PathBuf,
    prefix: Prefix,
    relay_port: u16,
}

/// A running Wine in a prefix of its own, kept alive by the relay.
#[derive(Debug)]
struct Prefix {
    relay: Option<Running>,
    folder: TempDir,
}

impl WineHost {
    /// Starts Wine and, in front of it, a Samba with encryption required.
    pub(crate) fn start() -> Self {
        Self::start_with(&Settings::default())
    }

    /// Starts Wine and a Samba as given in front of it.
    pub(crate) fn start_with(settings: &Settings) -> Self {
        need_root();
        need(WINE, "wine64");
        need(WINESERVER, "wine64");
        need(COMPILER, "gcc-mingw-w64-x86-64");
        let relay = build_relay();
        let mut socket = PathBuf::new();
        let mut prefix = Prefix {
            relay: None,
            folder: copy_prefix("wine-prefix", |_| ()),
        };
        // It stays when its last program ends, so that process numbers go on and do not begin anew.
        // It goes on in the background, so it gets none of our pipes.
        let started = prefix
            .server()
            .arg("--persistent")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(started.is_ok_and(|status| status.success()), "wineserver");
        let relay_port = prefix.start_relay(&relay);
        let mut bridge = None;
        let samba = Samba::start_with(settings, |pipes| {
            socket = pipes.join("svcctl");
            bridge = Some(Bridge::start(&socket, relay_port));
        });
        Self {
            samba,
            bridge: Some(bridge.expect("Samba's pipes were there")),
            socket,
            prefix,
            relay_port,
        }
    }

    /// A way to start and stop services on the host without a program that must be started first.
    pub(crate) fn control(&self) -> Control {
        Control::connect(self.relay_port)
    }

    /// How many pipes of the service control manager are open through Samba.
    pub(crate) fn pipes(&self) -> usize {
        self.bridge.as_ref().map_or(0, Bridge::pipes)
    }

    /// Ends the service control manager with all its services, as a shutdown does; nobody answers any more.
    pub(crate) fn shut_down(&mut self) {
        drop(self.bridge.take());
        drop(self.prefix.relay.take());
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let programs = programs(self.prefix.folder.path(), "");
            if programs.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "Wine's services do not end");
            // One that has ended meanwhile cannot be ended, which is as good.
            drop(Command::new("kill").arg("-KILL").args(programs).output());
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Starts the service control manager anew, with what starts by itself.
    pub(crate) fn boot(&mut self) {
        self.relay_port = self.prefix.start_relay(&build_relay());
        self.bridge = Some(Bridge::start(&self.socket, self.relay_port));
    }

    /// The port on loopback where the host speaks SMB.
    pub(crate) fn port(&self) -> u16 {
        self.samba.port()
    }

    /// The Samba in front.
    pub(crate) fn samba(&self) -> &Samba {
        &self.samba
    }

    /// Starts a service on the host itself, as `net start NAME` there does.
    pub(crate) fn start_service(&self, name: &str) {
        run(self.prefix.wine().args(["net", "start", name]));
    }

    /// Adds a service that has no program: its state is what it is said to be.
    pub(crate) fn add_service(&self, name: &str) {
        let sets = ["binPath=", "C:\\none.exe"];
        run(self.prefix.wine().args(["sc", "create", name]).args(sets));
    }

    /// Installs the service that does what it is told (`service.c`).
    pub(crate) fn install(&self, name: &str, how: &str, number: &str) {
        let program = built("service.c", "service.exe", &["-ladvapi32", "-lntdll"]);
        let to = self.prefix.folder.path().join("drive_c/service.exe");
        if !to.exists() {
            fs::copy(program, to).expect("the test service can be copied");
        }
        let words = [r"C:\service.exe", "install", name, how, number];
        run(self.prefix.wine().args(words));
    }

    /// How many threads the host's programs have, services and their manager included.
    pub(crate) fn threads(&self) -> usize {
        let programs = programs(self.prefix.folder.path(), "");
        let threads = programs.iter().map(|id| {
            // One that has ended meanwhile has none.
            fs::read_dir(format!("/proc/{id}/task")).map_or(0, Iterator::count)
        });
        threads.sum()
    }

    /// Stops a service on the host itself.
    pub(crate) fn stop_service(&self, name: &str) {
        run(self.prefix.wine().args(["net", "stop", name]));
    }

    /// Runs a Windows program on the host to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&run(self.prefix.wine().args(arguments)).stdout).into_owned()
    }
}

impl Prefix {
    fn wine(&self) -> Command {
        wine(self.folder.path())
    }

    fn server(&self) -> Command {
        server(self.folder.path())
    }

    /// Starts the relay; gives the port on which it listens.
    fn start_relay(&mut self, program: &Path) -> u16 {
        let mut relay = Running::start(self.wine().arg(program).stdout(Stdio::piped()));
        let output = relay.take_output().expect("the relay's output is a pipe");
        self.relay = Some(relay);
        let (sender, receiver) = mpsc::channel();
        // Reads on to the end, so that the relay never writes into a closed pipe.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let line = receiver
            .recv_timeout(START_LIMIT)
            .expect("the relay says where it listens");
        let port = line
            .trim()
            .strip_prefix("listening ")
            .and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("the relay said: {line}"))
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        end(self.folder.path());
        drop(self.relay.take());
    }
}

/// Ends every process of this prefix, and of no other, and waits for the last of them to be gone.
pub(super) fn end(prefix: &Path) {
    for option in ["--kill", "--wait"] {
        let ended = server(prefix).arg(option).status();
        if let Err(error) = ended {
            eprintln!("Wine could not be ended: {error}");
        }
    }
}

/// The processes of the programs of a prefix whose command lines name this, services too: those that are not its server.
pub(super) fn programs(prefix: &Path, name: &str) -> Vec<String> {
    let ours = format!("WINEPREFIX={}", prefix.display());
    let processes = fs::read_dir("/proc").expect("Linux lists its processes");
    let of_ours = processes.flatten().filter(|process| {
        let read = |what| fs::read(process.path().join(what)).unwrap_or_default();
        let holds = |text: &[u8], part: &str| String::from_utf8_lossy(text).contains(part);
        let line = read("cmdline");
        holds(&read("environ"), &ours) && !holds(&line, "wineserver") && holds(&line, name)
    });
    of_ours
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

/// The server of a prefix, to be told something.
fn server(prefix: &Path) -> Command {
    let mut command = Command::new(WINESERVER);
    command.env("WINEPREFIX", prefix);
    command
}

/// A program of Wine's, in a prefix.
pub(super) fn wine(prefix: &Path) -> Command {
    let mut command = Command::new(WINE);
    command
        .env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all")
        .env("WINESERVER", WINESERVER)
        // Neither the .NET nor the HTML engine is needed, and both would ask to be installed.
        .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
        .env_remove("DISPLAY");
    command
}

/// Builds the relay once per version of its source.
fn build_relay() -> PathBuf {
    built("relay.c", "relay.exe", &["-lws2_32"])
}

/// Builds a program for Windows once per version of its source.
pub(super) fn built(source: &str, program: &str, options: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers")
        .join(source);
    let lock = lock(program);
    let program = Path::new(CACHE).join(program);
    let modified = |path: &Path| {
        fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    if modified(&program)
        .is_none_or(|built| modified(&source).is_some_and(|written| written > built))
    {
        run(Command::new(COMPILER)
            .args(["-O2", "-Wall", "-o"])
            .arg(&program)
            .arg(&source)
            .args(options));
    }
    drop(lock);
    program
}

/// Copies a prepared prefix, which is made at the first time: that takes half a minute. `finish` does what else it needs.
pub(super) fn copy_prefix(name: &str, finish: impl FnOnce(&Path)) -> TempDir {
    let prepared = Path::new(CACHE).join(name);
    let finished = prepared.join("finished");
    let lock = lock(name);
    if !finished.is_file() {
        if prepared.exists() {
            fs::remove_dir_all(&prepared).expect("a half-made prefix can be removed");
        }
        fs::create_dir_all(&prepared).expect("the prefix's folder can be made");
        run(wine(&prepared).args(["wineboot", "--init"]));
        finish(&prepared);
        run(server(&prepared).arg("--wait"));
        File::create(&finished).expect("the mark can be written");
    }
    let folder = tempfile::Builder::new()
        .prefix("svcwatch-wine-")
        .tempdir()
        .expect("a temporary folder can be made");
    run(Command::new("cp")
        .args(["--archive", "--reflink=auto", "--no-target-directory"])
        .arg(&prepared)
        .arg(folder.path()));
    drop(lock);
    folder
}

/// Keeps other test processes away from one thing of the cache.
fn lock(name: &str) -> File {
    fs::create_dir_all(CACHE).expect("the cache's folder can be made");
    let file = File::create(Path::new(CACHE).join(format!("{name}.lock")))
        .expect("a lock file can be made");
    file.lock().expect("a file can be locked");
    file
}
