//! The Debian package in a root of its own, where its scripts work on that root alone.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::{VERSION, package};
use crate::support::process::{need, need_root, run};

/// A root into which packages are installed.
struct Root {
    folder: TempDir,
}

impl Root {
    fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        for name in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"] {
            fs::create_dir_all(folder.path().join(name)).expect("a folder can be made");
        }
        fs::write(folder.path().join("var/lib/dpkg/status"), "").expect("a file can be made");
        Self { folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Runs dpkg on it. The libraries that the package asks for are on this machine, not in that root.
    fn dpkg(&self, words: &[&str]) -> Output {
        let mut command = Command::new("dpkg");
        command
            .arg(format!("--root={}", self.folder.path().display()))
            .args([
                "--force-script-chrootless",
                "--force-depends",
                "--log=/dev/null",
            ])
            .args(words);
        run(&mut command)
    }

    /// The access rights of a file, and the numbers of its user and group.
    fn rights(&self, name: &str) -> (u32, u32, u32) {
        let found = fs::metadata(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        (
            found.permissions().mode() & 0o7777,
            found.uid(),
            found.gid(),
        )
    }

    /// The number of svcwatch in a list of users or groups.
    fn number(&self, list: &str) -> u32 {
        let text = fs::read_to_string(self.path(list)).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("svcwatch:"));
        let number = line.and_then(|line| line.split(':').nth(2)?.parse().ok());
        number.unwrap_or_else(|| panic!("{list} has no svcwatch: {text}"))
    }
}

#[test]
fn it_installs_runs_and_goes_without_a_trace() {
    need_root();
    need("systemd-sysusers", "systemd");
    need("systemd-tmpfiles", "systemd");
    let file = package(&format!("svcwatch_{VERSION}_amd64.deb"));
    let file = file.to_string_lossy();
    let root = Root::new();
    root.dpkg(&["--install", &file]);
    let (user, group) = (root.number("etc/passwd"), root.number("etc/group"));
    assert_eq!(root.rights("usr/bin/svcwatch"), (0o755, 0, 0));
    assert_eq!(root.rights("etc/svcwatch"), (0o750, 0, group));
    assert_eq!(root.rights("etc/svcwatch/svcwatch.yaml"), (0o640, 0, group));
    assert_eq!(root.rights("var/lib/svcwatch"), (0o700, user, group));
    runs(
        &root.path("usr/bin/svcwatch"),
        &root.path("etc/svcwatch/svcwatch.yaml"),
    );

    // A configuration that was changed stays, over another installation and a removal.
    let config = root.path("etc/svcwatch/svcwatch.yaml");
    fs::write(&config, "# mine\n").expect("the configuration can be written");
    fs::write(root.path("var/lib/svcwatch/kept"), "").expect("a file can be written");
    root.dpkg(&["--install", &file]);
    let mine = || fs::read_to_string(&config).unwrap_or_default();
    assert_eq!(mine(), "# mine\n");
    root.dpkg(&["--remove", "svcwatch"]);
    assert_eq!(mine(), "# mine\n");
    assert!(root.path("var/lib/svcwatch/kept").exists());
    assert!(!root.path("usr/bin/svcwatch").exists());

    root.dpkg(&["--purge", "svcwatch"]);
    for gone in ["etc/svcwatch", "var/lib/svcwatch", "usr"] {
        assert!(!root.path(gone).exists(), "{gone} is still there");
    }
}

/// The program says its version and takes the configuration that it comes with, once systemd hands it the password.
fn runs(program: &Path, config: &Path) {
    let said = run(Command::new(program).arg("--version")).stdout;
    assert!(String::from_utf8_lossy(&said).contains(VERSION), "{said:?}");
    let credentials = TempDir::new().expect("a temporary folder");
    let password = credentials.path().join("ops");
    fs::write(&password, "not a password\n").expect("a file can be written");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o400)).expect("its rights");
    let mut check = Command::new(program);
    check.env("CREDENTIALS_DIRECTORY", credentials.path());
    run(check.args(["check", "-c"]).arg(config));
}

#[test]
fn it_asks_for_what_its_program_needs() {
    let file = package(&format!("svcwatch_{VERSION}_amd64.deb"));
    let said = run(Command::new("dpkg-deb").arg("--field").arg(&file)).stdout;
    let said = String::from_utf8_lossy(&said);
    let field = |name: &str| {
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {said}"))
            .to_owned()
    };
    assert_eq!(field("Version"), VERSION);
    let depends = field("Depends");
    // Debian 12 has glibc 2.36, and packages are made there.
    let glibc = depends
        .split("libc6 (>= 2.")
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    let glibc: u32 = glibc
        .and_then(|minor| minor.parse().ok())
        .expect("a glibc is asked for");
    assert!(glibc <= 36, "{depends}");
    assert!(
        depends.contains("libgcc-s1") && depends.contains("systemd"),
        "{depends}"
    );
    let scripts = TempDir::new().expect("a temporary folder");
    run(Command::new("dpkg-deb")
        .arg("--control")
        .arg(&file)
        .arg(scripts.path()));
    for name in ["postinst", "prerm", "postrm"] {
        run(Command::new("sh").arg("-n").arg(scripts.path().join(name)));
    }
    let kept = fs::read_to_string(scripts.path().join("conffiles")).unwrap_or_default();
    assert_eq!(kept, "/etc/svcwatch/svcwatch.yaml\n");
}
