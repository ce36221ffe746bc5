//! The installer for Windows, on Wine: installed, upgraded under a running service, refused where it is older, removed.

use std::fs;
use std::path::{Path, PathBuf};

use super::{VERSION, folder, package};
use crate::support::process::wait_until;
use crate::support::windows::Windows;

/// Where programs are listed that can be removed.
const PRODUCTS: &str = r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall";
/// Where the machine's path stands.
const ENVIRONMENT: &str = r"HKLM\System\CurrentControlSet\Control\Session Manager\Environment";
/// Where messages of the event log are known.
const SOURCE: &str = r"HKLM\System\CurrentControlSet\Services\EventLog\Application\svcwatch";
/// Where the service is kept.
const SERVICE: &str = r"HKLM\System\CurrentControlSet\Services\svcwatch";
/// Where Windows says which one it is.
const WINDOWS: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
/// What lies in the folder once it is installed.
const FILES: [&str; 5] = [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "THIRD-PARTY-LICENSES.txt",
    "svcwatch.example.yaml",
    "svcwatch.exe",
];
/// The failure of a whole installation (1603), as much of it as Unix passes on.
const REFUSED: i32 = 1603 % 256;

/// A machine, the installer of this version and one of a later version.
struct Machine {
    windows: Windows,
    now: PathBuf,
    later: PathBuf,
}

impl Machine {
    fn start() -> Self {
        let checks = fs::read_dir(folder().join("checks")).expect("an installer to upgrade to");
        let later = checks.flatten().map(|entry| entry.path());
        let later = later
            .into_iter()
            .find(|path| path.extension().is_some_and(|end| end == "msi"));
        Self {
            windows: Windows::start_bare(),
            now: package(&format!("svcwatch-{VERSION}-windows-x64.msi")),
            later: later.expect("an installer to upgrade to"),
        }
    }

    /// Runs Windows Installer in silence; gives its exit code.
    fn installer(&self, what: &str, file: &Path) -> i32 {
        let path = format!("Z:{}", file.display()).replace('/', "\\");
        let ended = self.windows.ended("msiexec", &[what, &path, "/quiet"]);
        ended
            .status
            .code()
            .unwrap_or_else(|| panic!("Windows Installer hung: {ended:?}"))
    }

    /// What a command of Windows says.
    fn told(&self, program: &str, words: &[&str]) -> String {
        let said = self.windows.ended(program, words).stdout;
        String::from_utf8_lossy(&said).replace('\r', "")
    }

    /// Runs the installed exe, which must end well.
    fn svcwatch(&self, words: &[&str]) -> String {
        let ended = self
            .windows
            .ended(r"C:\Program Files\svcwatch\svcwatch.exe", words);
        assert!(ended.status.success(), "{words:?}: {ended:?}");
        String::from_utf8_lossy(&ended.stdout).into_owned()
    }

    fn installed(&self) -> PathBuf {
        self.windows.drive().join("Program Files/svcwatch")
    }

    /// The end of the installed exe, where that of the later version says which it is.
    fn is_later(&self) -> bool {
        let bytes = fs::read(self.installed().join("svcwatch.exe")).expect("the exe is installed");
        let name = self
            .later
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let version = name
            .split('-')
            .nth(1)
            .expect("a version in the name")
            .to_owned();
        bytes.ends_with(version.as_bytes())
    }

    /// The files that are installed.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.installed())
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }

    /// The versions of svcwatch that Windows lists as installed.
    fn products(&self) -> Vec<String> {
        let said = self.told("reg", &["query", PRODUCTS, "/s"]);
        let mut found = Vec::new();
        for product in said.split("HKEY_LOCAL_MACHINE") {
            let value = |name: &str| {
                let line = product
                    .lines()
                    .find(|line| line.trim_start().starts_with(name))?;
                Some(line.split("REG_SZ").nth(1)?.trim().to_owned())
            };
            if value("DisplayName ").is_some_and(|name| name == "svcwatch") {
                found.extend(value("DisplayVersion "));
            }
        }
        found
    }

    /// Whether the machine's path leads to the exe.
    fn in_path(&self) -> bool {
        self.told("reg", &["query", ENVIRONMENT, "/v", "PATH"])
            .contains(r"C:\Program Files\svcwatch\")
    }

    /// Ends the service, and waits until its exe is free: Wine does not wait for the end of a service, as Windows does.
    fn stop(&self) {
        self.svcwatch(&["service", "stop"]);
        let ended = || !self.windows.runs("svcwatch.exe");
        wait_until("its process has ended", ended, || self.service());
    }

    /// Fails the test where the service was not removed. One that is gone, or goes once nobody holds it, which Wine notices
    /// only when it ends itself, cannot be removed again.
    fn has_no_service(&self) {
        let again = self
            .windows
            .ended(r"C:\service.exe", &["delete", "svcwatch"]);
        let said = String::from_utf8_lossy(&again.stderr);
        let gone = said.contains("1060") || said.contains("1072");
        assert!(
            !again.status.success() && gone,
            "{again:?}, {}",
            self.service()
        );
    }

    /// How the service is, as Windows says it.
    fn service(&self) -> String {
        self.told("sc", &["query", "svcwatch"])
    }
}

#[test]
fn it_installs_upgrades_starts_the_service_again_and_leaves_only_data() {
    let machine = Machine::start();
    assert_eq!(machine.installer("/i", &machine.now), 0);
    assert_eq!(machine.files(), FILES);
    assert_eq!(machine.products(), [VERSION]);
    assert!(machine.in_path() && !machine.is_later());
    assert!(machine.svcwatch(&["--version"]).contains(VERSION));
    machine.svcwatch(&[
        "check",
        "-c",
        r"C:\Program Files\svcwatch\svcwatch.example.yaml",
    ]);
    // By its name alone, which a program that starts now finds by the new path.
    assert!(
        machine
            .told("cmd", &["/c", "svcwatch --version"])
            .contains(VERSION)
    );

    let data = machine.windows.drive().join("ProgramData/svcwatch");
    fs::create_dir_all(&data).expect("a folder can be made");
    let config = data.join("svcwatch.yaml");
    let text = "listen: 127.0.0.1:0\nhosts: [{ name: localhost, services: [RpcSs] }]\n\
                destinations: { file: { type: log, path: 'C:\\told.jsonl' } }\n";
    fs::write(&config, text).expect("a configuration can be written");
    machine.svcwatch(&[
        "service",
        "install",
        "-c",
        r"C:\ProgramData\svcwatch\svcwatch.yaml",
        // Wine gives its services another folder of this kind.
        "--data",
        r"C:\ProgramData\svcwatch",
    ]);
    machine.svcwatch(&["service", "start"]);
    let command = machine.told("reg", &["query", SERVICE, "/v", "ImagePath"]);
    assert!(command.contains("svcwatch.yaml"), "{command}");

    machine.stop();
    assert_eq!(machine.installer("/i", &machine.later), 0);
    assert_eq!(machine.files(), FILES);
    assert!(machine.is_later() && machine.in_path());
    let products = machine.products();
    assert!(products.len() == 1 && products != [VERSION], "{products:?}");
    // The service is as it was installed, and runs again.
    assert_eq!(
        machine.told("reg", &["query", SERVICE, "/v", "ImagePath"]),
        command
    );
    wait_until(
        "the service runs again",
        || machine.service().contains("RUNNING"),
        || machine.service(),
    );
    machine.stop();
    assert_eq!(machine.installer("/x", &machine.later), 0);
    assert!(machine.products().is_empty() && !machine.in_path());
    assert!(!machine.installed().exists(), "{:?}", machine.files());
    machine.has_no_service();
    assert!(
        !machine
            .told("reg", &["query", SOURCE])
            .contains("EventMessageFile")
    );
    assert_eq!(fs::read_to_string(&config).unwrap_or_default(), text);
    let kept = fs::read_dir(&data).expect("the data stay").count();
    assert!(kept > 1, "only the configuration stayed, not the data");
}

#[test]
fn a_service_that_runs_is_ended_started_again_and_at_last_removed() {
    let machine = Machine::start();
    assert_eq!(machine.installer("/i", &machine.now), 0);
    // One that ends at once: Wine does not wait for it, as Windows does.
    machine.windows.service(&["install", "svcwatch", "obey"]);
    machine.told(
        "reg",
        &[
            "add",
            SERVICE,
            "/v",
            "Start",
            "/t",
            "REG_DWORD",
            "/d",
            "2",
            "/f",
        ],
    );
    machine.windows.service(&["start", "svcwatch"]);
    // Its state, with the number of its process.
    let process = || machine.svcwatch(&["service", "status"]);
    let before = process();
    assert!(before.contains("process"), "{before}");
    assert_eq!(machine.installer("/i", &machine.later), 0);
    assert!(
        machine.service().contains("RUNNING"),
        "{}",
        machine.service()
    );
    assert_ne!(process(), before);

    // One that an administrator keeps from starting is not started.
    assert_eq!(machine.installer("/x", &machine.later), 0);
    machine.has_no_service();
    assert_eq!(machine.installer("/i", &machine.now), 0);
    machine.windows.service(&["install", "svcwatch", "obey"]);
    assert_eq!(machine.installer("/i", &machine.later), 0);
    assert!(
        machine.service().contains("STOPPED"),
        "{}",
        machine.service()
    );
}

#[test]
fn an_older_version_is_refused_and_changes_nothing() {
    let machine = Machine::start();
    assert_eq!(machine.installer("/i", &machine.later), 0);
    assert!(machine.is_later());
    let products = machine.products();
    assert_eq!(machine.installer("/i", &machine.now), REFUSED);
    assert_eq!(machine.products(), products);
    assert!(machine.is_later());
    assert_eq!(machine.files(), FILES);
}

#[test]
fn a_windows_that_is_too_old_is_refused_and_gets_nothing() {
    let machine = Machine::start();
    let is_build = |number: &str| {
        let words = [
            "add",
            WINDOWS,
            "/v",
            "CurrentBuildNumber",
            "/d",
            number,
            "/f",
        ];
        machine.told("reg", &words);
    };
    // Windows 8.1, which says of itself to an installer what Windows 10 says; then the last build before 1607.
    for number in ["9600", "14392"] {
        is_build(number);
        assert_eq!(machine.installer("/i", &machine.now), REFUSED, "{number}");
        assert!(machine.products().is_empty() && machine.files().is_empty());
    }
    is_build("14393");
    assert_eq!(machine.installer("/i", &machine.now), 0);
    assert_eq!(machine.files(), FILES);
    // What is installed can be removed whatever has become of Windows.
    is_build("9600");
    assert_eq!(machine.installer("/x", &machine.now), 0);
    assert!(machine.products().is_empty());
}
