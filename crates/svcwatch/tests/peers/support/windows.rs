//! svcwatch.exe itself on Wine, with a service that does what it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::process::{Running, need, run};
use super::wine::{WINE, built, copy_prefix, end, programs, wine};

/// Seconds until a Windows program is ended that should have ended by itself.
const LIMIT: &str = "300";

/// A Windows machine on which svcwatch.exe and the test service run.
#[derive(Debug)]
pub(crate) struct Windows {
    /// Keeps the machine up: without an ordinary program Wine ends all services.
    keeper: Option<Running>,
    folder: TempDir,
}

impl Windows {
    /// Starts it, with the exe that tests use.
    pub(crate) fn start() -> Self {
        Self::start_with("debug")
    }

    /// Starts it, with the exe of this build.
    pub(crate) fn start_with(build: &str) -> Self {
        let exe = exe(build);
        let windows = Self::start_bare();
        fs::copy(exe, windows.drive().join("svcwatch.exe")).expect("svcwatch.exe can be copied");
        windows
    }

    /// Starts it without svcwatch.exe, as a machine is onto which it has to be installed.
    pub(crate) fn start_bare() -> Self {
        need(WINE, "wine64");
        let library = built(
            "bcryptprimitives.c",
            "bcryptprimitives.dll",
            &["-shared", "-ladvapi32"],
        );
        let service = built("service.c", "service.exe", &["-ladvapi32", "-lntdll"]);
        let folder = copy_prefix("wine-prefix-10", |prefix| {
            run(wine(prefix).args(["winecfg", "-v", "win10"]));
            let system = prefix.join("drive_c/windows/system32");
            fs::copy(&library, system.join("bcryptprimitives.dll")).expect("a DLL can be added");
        });
        let drive = folder.path().join("drive_c");
        fs::copy(&service, drive.join("service.exe")).expect("the test service can be copied");
        let mut windows = Self {
            keeper: None,
            folder,
        };
        let said = windows.folder.path().join("keeper.log");
        let log = || fs::File::create(&said).expect("a log can be made");
        let mut command = wine(windows.folder.path());
        command.args([r"C:\service.exe", "keep"]);
        // The first program of a Wine starts its servers, which get what it writes to.
        let mut keeper = Running::start(command.stdout(log()).stderr(Stdio::null()));
        let read = || fs::read_to_string(&said).unwrap_or_default();
        keeper.wait_until("Wine runs", || read().contains("ready"), read);
        windows.keeper = Some(keeper);
        windows
    }

    /// The folder `C:\` as it is seen from here.
    pub(crate) fn drive(&self) -> PathBuf {
        self.folder.path().join("drive_c")
    }

    /// A program of this machine, which is ended where it hangs.
    pub(crate) fn program(&self, path: &str, words: &[&str]) -> Command {
        let inner = wine(self.folder.path());
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", LIMIT, WINE, path]).args(words);
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Tells the test service something; fails the test where that fails.
    pub(crate) fn service(&self, words: &[&str]) {
        self.told_by_service(words);
    }

    /// What the test service says to that.
    pub(crate) fn told_by_service(&self, words: &[&str]) -> String {
        let output = self.ended(r"C:\service.exe", words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs svcwatch.exe to its end.
    pub(crate) fn svcwatch(&self, words: &[&str]) -> Output {
        self.ended(r"C:\svcwatch.exe", words)
    }

    /// Runs a program to its end. It writes to files, because a server that it happens to start would keep a pipe open.
    pub(crate) fn ended(&self, path: &str, words: &[&str]) -> Output {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let place = |name: &str| folder.path().join(name);
        let file = |name: &str| fs::File::create(place(name)).expect("a file can be made");
        let mut command = self.program(path, words);
        command.stdin(Stdio::null());
        let status = command.stdout(file("out")).stderr(file("err")).status();
        let read = |name: &str| fs::read(place(name)).expect("the file is still there");
        Output {
            status: status.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}")),
            stdout: read("out"),
            stderr: read("err"),
        }
    }

    /// Whether a program runs whose command line names this.
    pub(crate) fn runs(&self, name: &str) -> bool {
        !programs(self.folder.path(), name).is_empty()
    }

    /// Ends the one program whose command line names this, from outside and at once.
    pub(crate) fn kill(&self, name: &str) {
        let found = programs(self.folder.path(), name);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        run(Command::new("kill").arg("-KILL").args(found));
    }

    /// Starts another service control manager in place of one that was killed; it runs until the value is dropped.
    pub(crate) fn start_manager(&self) -> Running {
        let mut command = wine(self.folder.path());
        command.arg(r"C:\windows\system32\services.exe");
        Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Starts svcwatch.exe, which runs until the value is dropped.
    pub(crate) fn start_svcwatch(&self, words: &[&str], log: &Path) -> Running {
        let log = fs::File::create(log).expect("a log can be made");
        let mut command = wine(self.folder.path());
        command.arg(r"C:\svcwatch.exe").args(words);
        Running::start(command.stdout(Stdio::null()).stderr(log))
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        end(self.folder.path());
        drop(self.keeper.take());
    }
}

/// The exe that `cargo xtask windows` built, which must be of the code that is tested.
fn exe(build: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the folder of temporary files is in that of the build")
        .join("x86_64-pc-windows-gnu")
        .join(build);
    let exe = target.join("svcwatch.exe");
    let ask = match build {
        "exe" => "run `cargo xtask windows --release`, which builds it",
        _ => "run `cargo xtask windows`, which builds it",
    };
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    let built = written(&exe).unwrap_or_else(|| panic!("{} is missing: {ask}", exe.display()));
    let sources = fs::read_to_string(target.join("svcwatch.d")).unwrap_or_default();
    assert!(
        !sources.is_empty(),
        "nothing tells what {} is made of: {ask}",
        exe.display()
    );
    for source in sources.split_whitespace().skip(1).map(Path::new) {
        assert!(
            written(source).is_some_and(|written| written <= built),
            "{} is newer than {}: {ask}",
            source.display(),
            exe.display()
        );
    }
    exe
}
