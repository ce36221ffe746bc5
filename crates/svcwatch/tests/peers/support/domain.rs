//! A domain controller: Samba with users, tickets and the rules of a domain, on an address of loopback of its own.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::PASSWORD;
use super::process::{Running, need, need_root, run, run_with_input, wait_until};

/// The realm of the domain.
pub(crate) const REALM: &str = "SVCWATCH.TEST";

/// The domain controller's own name.
pub(crate) const CONTROLLER: &str = "dc1.svcwatch.test";

/// A user of the domain without rights.
pub(crate) const WATCHER: &str = "watcher";

/// A running domain controller.
#[derive(Debug)]
pub(crate) struct Domain {
    server: Running,
    folder: TempDir,
    address: String,
}

impl Domain {
    /// Makes a domain and starts its controller, which takes most of a minute.
    pub(crate) fn start() -> Self {
        need_root();
        need("samba", "samba-ad-dc");
        need("samba-tool", "samba-common-bin");
        need("winbindd", "winbind");
        need("kinit", "krb5-user");
        need("unshare", "util-linux");
        let folder = tempfile::Builder::new()
            .prefix("svcwatch-domain-")
            .tempdir()
            .expect("a temporary folder can be made");
        // Ports of a domain cannot be chosen, but each process can have an address of loopback of its own.
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = format!("127.88.{high}.{}", low.clamp(1, 254));
        provision(folder.path());
        let configuration = write_configuration(folder.path(), &address);
        let server = launch(&configuration, folder.path());
        let mut domain = Self {
            server,
            folder,
            address,
        };
        domain.wait();
        domain.tool(&["user", "create", WATCHER, PASSWORD]);
        let rules = ["--complexity=off", "--history-length=0", "--min-pwd-age=0"];
        domain.tool(&[&["domain", "passwordsettings", "set"], &rules[..]].concat());
        domain
    }

    fn wait(&mut self) {
        let folder = self.folder.path().to_owned();
        for port in [88, 445] {
            let listens = || TcpStream::connect((self.address.as_str(), port)).is_ok();
            let seen = || super::samba::logs(&folder);
            self.server
                .wait_until("the domain controller on its ports", listens, seen);
        }
        // Its first logons fail until all its parts have found each other.
        let ready = || self.kinit("administrator", PASSWORD, "ready.cache", &[]);
        wait_until("the first ticket", ready, || super::samba::logs(&folder));
    }

    /// The address of loopback that it has to itself; all its ports are the usual ones.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A file in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it wrote to its logs.
    pub(crate) fn logs(&self) -> String {
        super::samba::logs(self.folder.path())
    }

    /// Runs Samba's own tool on the domain.
    pub(crate) fn tool(&self, arguments: &[&str]) -> String {
        let output = run(Command::new("samba-tool")
            .args(arguments)
            .arg("-s")
            .arg(self.path("run.conf")));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Changes a user's password.
    pub(crate) fn set_password(&self, user: &str, password: &str) {
        self.tool(&[
            "user",
            "setpassword",
            user,
            &format!("--newpassword={password}"),
        ]);
    }

    /// Lets services of a user have tickets with AES, as those of computers have.
    pub(crate) fn give_aes(&self, user: &str) {
        let editor = self.path("editor");
        let script = "#!/bin/sh\nsed -i '/^$/d' \"$1\"\necho 'msDS-SupportedEncryptionTypes: 24' >> \"$1\"\n";
        fs::write(&editor, script).expect("a file can be written");
        fs::set_permissions(&editor, fs::Permissions::from_mode(0o700)).expect("it is ours");
        let editor = format!("--editor={}", editor.display());
        self.tool(&["user", "edit", user, &editor]);
    }

    /// Writes the keys of a user into a file.
    pub(crate) fn export_keys(&self, user: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let shown = path.display().to_string();
        self.tool(&[
            "domain",
            "exportkeytab",
            &shown,
            &format!("--principal={user}"),
        ]);
        path
    }

    /// Writes a ticket of a user into a cache, as MIT Kerberos does; says whether that went well.
    pub(crate) fn kinit(&self, user: &str, password: &str, name: &str, options: &[&str]) -> bool {
        let mut command = Command::new("kinit");
        command
            .args(options)
            .arg("-c")
            .arg(self.path(name))
            .arg(format!("{user}@{REALM}"))
            .env("KRB5_CONFIG", self.path("krb5.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .stdin(Stdio::piped());
        let mut child = command.spawn().expect("kinit can be started");
        let stdin = child.stdin.take().expect("it is a pipe");
        // It may have ended without reading.
        drop(std::io::Write::write_all(
            &mut { stdin },
            format!("{password}\n").as_bytes(),
        ));
        child.wait().is_ok_and(|status| status.success())
    }
}

/// Makes the domain's data.
fn provision(folder: &Path) {
    let target = format!("--targetdir={}", folder.join("ad").display());
    let realm = format!("--realm={REALM}");
    let password = format!("--adminpass={PASSWORD}");
    let output = run_with_input(
        Command::new("samba-tool")
            .args([
                "domain",
                "provision",
                "--domain=SVCTEST",
                "--server-role=dc",
            ])
            .args([
                "--dns-backend=NONE",
                "--host-name=dc1",
                "--host-ip=127.0.0.1",
            ])
            .args([
                "--option=vfs objects=",
                "--option=acl_xattr:security_acl_name=user.NTACL",
            ])
            .args([target, realm, password]),
        "",
    );
    drop(output);
}

fn write_configuration(folder: &Path, address: &str) -> PathBuf {
    let ad = folder.join("ad");
    for name in ["cache", "lock", "pid", "np", "private", "state"] {
        fs::create_dir_all(ad.join(name)).expect("a folder can be made");
    }
    fs::create_dir(folder.join("log")).expect("a folder can be made");
    let (at, logs) = (ad.display(), folder.join("log"));
    let logs = logs.display();
    let text = format!(
        "[global]
netbios name = DC1
realm = {REALM}
workgroup = SVCTEST
server role = active directory domain controller
interfaces = {address}/8
bind interfaces only = yes
disable netbios = yes
private dir = {at}/private
state directory = {at}/state
cache directory = {at}/cache
lock directory = {at}/lock
pid directory = {at}/pid
ncalrpc dir = {at}/np
log file = {logs}/log.%m
server services = s3fs, rpc, ldap, kdc, winbindd
dcerpc endpoint servers = epmapper, samr, lsarpc, netlogon
vfs objects =
acl_xattr:security_acl_name = user.NTACL
server smb encrypt = required
printing = bsd
printcap name = /dev/null
load printers = no
rpcd_classic:num_workers = 1
eventlog list = Application System
"
    );
    let path = folder.join("run.conf");
    fs::write(&path, text).expect("a file can be written");
    let kerberos = format!(
        "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n rdns = false\n\
         [realms]\n {REALM} = {{\n  kdc = {address}:88\n }}\n"
    );
    fs::write(folder.join("krb5.conf"), kerberos).expect("a file can be written");
    path
}

/// Starts the controller where it disturbs no other Samba: it sees a /run of its own, for a controller's winbindd is
/// asked by every smbd that finds it there; and all that it starts ends with it.
fn launch(configuration: &Path, folder: &Path) -> Running {
    let script = format!(
        "mount -t tmpfs tmpfs /run && mkdir -p /run/samba /run/lock && exec samba --configfile={} --foreground --no-process-group",
        configuration.display()
    );
    let log = fs::File::create(folder.join("log/log.start")).expect("a file can be written");
    let errors = log.try_clone().expect("a file has two handles");
    Running::start(
        Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", &script])
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors)),
    )
}
