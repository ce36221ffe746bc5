//! Samba alone: real SMB, logons, signing, encryption and access checks, with a small service control manager.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{
    Running, free_port, listens, need, need_root, run, run_with_input, succeeds, wait_until,
};
use super::{ADMINISTRATOR, PASSWORD, USER};

/// The Unix group whose members Samba takes for administrators.
const GROUP: &str = "svcadmins";

/// The program that serves pipes for smbd.
const PIPE_SERVER: &str = "/usr/libexec/samba/samba-dcerpcd";

/// The name by which the test server calls itself.
pub(crate) const COMPUTER_NAME: &str = "CIHOST";

/// A running Samba.
#[derive(Debug)]
pub(crate) struct Samba {
    // Ended in this order: the front first, then what stands behind it, then their folder.
    front: Running,
    pipes: Running,
    folder: TempDir,
    port: u16,
}

/// How a Samba is set up.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `required`, `desired` or `off`.
    pub(crate) encryption: &'static str,
    /// Lines of its configuration besides the usual ones; a later line overrides an earlier one.
    pub(crate) extra: Vec<&'static str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            encryption: "required",
            extra: Vec::new(),
        }
    }
}

impl Samba {
    /// Starts Samba with its own service control manager.
    pub(crate) fn start(settings: &Settings) -> Self {
        Self::start_with(settings, |_| ())
    }

    /// Starts Samba; `before_front` runs when its pipes are there and nobody can connect yet, with the folder of the pipes.
    pub(crate) fn start_with(settings: &Settings, before_front: impl FnOnce(&Path)) -> Self {
        Self::launch(free_port(), settings, before_front)
    }

    /// Starts Samba on a port that another one had before.
    pub(crate) fn start_on(port: u16, settings: &Settings) -> Self {
        Self::launch(port, settings, |_| ())
    }

    fn launch(port: u16, settings: &Settings, before_front: impl FnOnce(&Path)) -> Self {
        need_root();
        need("smbd", "samba");
        need(PIPE_SERVER, "samba");
        need("smbpasswd", "samba-common-bin");
        need("net", "samba-common-bin");

        let folder = tempfile::Builder::new()
            .prefix("svcwatch-")
            .tempdir()
            .expect("a temporary folder can be made");
        let configuration = write_configuration(folder.path(), port, settings);
        create_users(&configuration);

        let option = format!("--configfile={}", configuration.display());
        // Each is the leader of a process group already, and would fail to become one.
        let common = [option.as_str(), "--foreground", "--no-process-group"];
        let mut pipes = Running::start(
            Command::new(PIPE_SERVER)
                .args(common)
                .arg("--libexec-rpcds"),
        );
        let pipe_folder = folder.path().join("np/np");
        let has_pipe = || pipe_folder.join("svcctl").exists();
        pipes.wait_until("Samba's pipe svcctl", has_pipe, || logs(folder.path()));
        before_front(&pipe_folder);
        let mut front = Running::start(Command::new("smbd").args(common));
        front.wait_until("smbd on its port", || listens(port), || logs(folder.path()));
        Self {
            front,
            pipes,
            folder,
            port,
        }
    }

    /// The port on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The configuration file, for Samba's own tools.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.path().join("smb.conf")
    }

    /// The process id of smbd.
    pub(crate) fn process_id(&self) -> u32 {
        self.front.id()
    }

    /// What the servers wrote to their logs, for the message of a failed test.
    pub(crate) fn logs(&self) -> String {
        logs(self.folder.path())
    }

    /// How often this stands in all that the servers have written to their logs so far.
    pub(crate) fn logged(&self, words: &str) -> usize {
        let files = fs::read_dir(self.folder.path().join("log")).expect("there are logs");
        let count = |file: fs::DirEntry| {
            let content = fs::read(file.path()).expect("a log can be read");
            String::from_utf8_lossy(&content).matches(words).count()
        };
        let logs = files.flatten().filter(|entry| entry.path().is_file());
        logs.map(count).sum()
    }

    /// Whether there is a log of a client that calls itself so.
    pub(crate) fn has_log_of(&self, workstation: &str) -> bool {
        let short: String = workstation.to_lowercase().chars().take(15).collect();
        self.folder
            .path()
            .join("log")
            .join(format!("log.{short}"))
            .exists()
    }

    /// Runs `net rpc service` against this server as the administrator, as `["start", "Spooler"]`.
    pub(crate) fn net_rpc_service(&self, arguments: &[&str]) -> String {
        let output = run(Command::new("net")
            .args(["rpc", "service"])
            .args(arguments)
            .args(["-I", "127.0.0.1", "-p", &self.port.to_string()])
            .arg("-U")
            .arg(format!("{ADMINISTRATOR}%{PASSWORD}"))
            .arg("-s")
            .arg(self.configuration()));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Disables a user's account on this server.
    pub(crate) fn disable(&self, user: &str) {
        run(Command::new("smbpasswd")
            .arg("-c")
            .arg(self.configuration())
            .args(["-d", user]));
    }

    /// Changes a user's password on this server.
    pub(crate) fn set_password(&self, user: &str, password: &str) {
        set_password(&self.configuration(), user, password);
    }
}

fn write_configuration(folder: &Path, port: u16, settings: &Settings) -> PathBuf {
    for name in ["private", "state", "cache", "lock", "pid", "log", "np"] {
        fs::create_dir(folder.join(name)).expect("a folder can be made in a new folder");
    }
    let at = folder.display();
    let mut text = format!(
        "[global]
netbios name = {COMPUTER_NAME}
server role = standalone server
interfaces = lo
bind interfaces only = yes
smb ports = {port}
disable netbios = yes
private dir = {at}/private
state directory = {at}/state
cache directory = {at}/cache
lock directory = {at}/lock
pid directory = {at}/pid
ncalrpc dir = {at}/np
log file = {at}/log/log.%m
# Nothing of it is thrown away.
max log size = 0
printing = bsd
printcap name = /dev/null
load printers = no
server signing = mandatory
server smb encrypt = {encryption}
rpc start on demand helpers = no
# The state of the service Spooler is kept by each worker for itself.
rpcd_classic:num_workers = 1
rpcd_classic:idle_seconds = 3600
",
        encryption = settings.encryption,
    );
    for line in &settings.extra {
        writeln!(text, "{line}").expect("a string takes what is written");
    }
    let path = folder.join("smb.conf");
    fs::write(&path, text).expect("the configuration can be written");
    path
}

/// Makes the Unix users where they are not there yet, and their entries in this server's own user list.
fn create_users(configuration: &Path) {
    for user in [ADMINISTRATOR, USER] {
        ensure(
            &["id", user],
            &[
                "useradd",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                user,
            ],
        );
    }
    ensure(&["getent", "group", GROUP], &["groupadd", GROUP]);
    run(Command::new("usermod").args(["--append", "--groups", GROUP, ADMINISTRATOR]));
    for user in [ADMINISTRATOR, USER] {
        set_password(configuration, user, PASSWORD);
    }
    // The members of the group are this server's administrators, without winbind.
    run(Command::new("net").arg("-s").arg(configuration).args([
        "groupmap",
        "add",
        "sid=S-1-5-32-544",
        &format!("unixgroup={GROUP}"),
        "type=builtin",
        "ntgroup=Administrators",
    ]));
}

/// Runs `make` until `check` succeeds: another test may be doing the same.
fn ensure(check: &[&str], make: &[&str]) {
    let is_there = || {
        check
            .split_first()
            .is_some_and(|(program, arguments)| succeeds(program, arguments))
    };
    let make_it = || {
        make.split_first()
            .is_some_and(|(program, arguments)| succeeds(program, arguments))
    };
    wait_until(
        &make.join(" "),
        || is_there() || (make_it() && is_there()),
        String::new,
    );
}

fn set_password(configuration: &Path, user: &str, password: &str) {
    let mut command = Command::new("smbpasswd");
    command
        .arg("-c")
        .arg(configuration)
        .args(["-a", "-s", user]);
    run_with_input(&mut command, &format!("{password}\n{password}\n"));
}

/// The ends of all log files of a server's folder, for the message of a failed test: nothing may be counted in them.
pub(crate) fn logs(folder: &Path) -> String {
    const SHOWN: usize = 2_000;
    let mut text = String::new();
    for entry in fs::read_dir(folder.join("log"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let content = fs::read(entry.path()).unwrap_or_default();
        let end =
            String::from_utf8_lossy(&content[content.len().saturating_sub(SHOWN)..]).into_owned();
        writeln!(text, "--- {}\n{end}", entry.path().display())
            .expect("a string takes what is written");
    }
    text
}
