//! `cargo xtask peers`: installs from Debian's packages the real servers that the tests talk to.

use std::path::Path;

use crate::arguments::Arguments;
use crate::project::{Failure, Project, read, run as run_program};

/// The help text.
pub(crate) const HELP: &str = "\
Installs what the tests need beside Rust, from Debian's packages: real SMB, service control, mail, MQTT and InfluxDB servers.
What is here already is left alone, so it may be run again at any time. Needs root, or sudo.
No service is started or enabled by it: each test starts its own server, on a free port, in its own folder.

Usage: cargo xtask peers [--list]

Options:
  --list    say what is needed, what for, and whether it is here; install nothing

Examples:
  cargo xtask peers --list
  cargo xtask peers
";

/// Debian's own Python, which sees Debian's modules whatever other Python comes first in the path.
const PYTHON: &str = "/usr/bin/python3";

/// The script that Debian's packages ask before they start a service.
const START_POLICY: &str = "/usr/sbin/policy-rc.d";

/// Tells our own rule from one that was there before us, also after a run that was interrupted.
const OUR_MARK: &str = "placed by cargo xtask peers";

/// Something that the tests need from the operating system.
struct Peer {
    /// Debian's package.
    package: &'static str,
    /// What must be there once it is installed.
    gives: Gives,
    /// What it is needed for.
    why: &'static str,
}

/// How a peer is known to be there.
enum Gives {
    /// A program in the path, or a file at its full path.
    Program(&'static str),
    /// A module of Debian's Python.
    Module(&'static str),
}

const PEERS: &[Peer] = &[
    Peer {
        package: "gcc",
        gives: Gives::Program("gcc"),
        why: "builds the C parts of dependencies, and of the test peers",
    },
    Peer {
        package: "g++",
        gives: Gives::Program("g++"),
        why: "builds the fuzzer's engine",
    },
    Peer {
        package: "samba",
        gives: Gives::Program("/usr/sbin/smbd"),
        why: "a real SMB server with a service control pipe",
    },
    Peer {
        package: "samba-common-bin",
        gives: Gives::Program("net"),
        why: "makes the users and rights of that server",
    },
    Peer {
        package: "smbclient",
        gives: Gives::Program("smbclient"),
        why: "asks that server as another client would",
    },
    Peer {
        package: "samba-ad-dc",
        gives: Gives::Program("/usr/sbin/samba"),
        why: "a real domain controller, which gives tickets of Kerberos",
    },
    Peer {
        package: "samba-ad-provision",
        gives: Gives::Program("/usr/share/samba/setup/provision.ldif"),
        why: "makes its domain",
    },
    Peer {
        package: "samba-dsdb-modules",
        gives: Gives::Program("/usr/lib/x86_64-linux-gnu/samba/ldb/samba_dsdb.so"),
        why: "keeps its users",
    },
    Peer {
        package: "samba-vfs-modules",
        gives: Gives::Program("/usr/lib/x86_64-linux-gnu/samba/vfs/acl_xattr.so"),
        why: "keeps its files",
    },
    Peer {
        package: "winbind",
        gives: Gives::Program("/usr/sbin/winbindd"),
        why: "tells it who its users are",
    },
    Peer {
        package: "krb5-user",
        gives: Gives::Program("kinit"),
        why: "makes ticket caches as users do",
    },
    Peer {
        package: "faketime",
        gives: Gives::Program("faketime"),
        why: "sets a clock wrong for one program",
    },
    Peer {
        package: "wine",
        gives: Gives::Program("wine"),
        why: "a real service control manager with real service processes",
    },
    Peer {
        package: "wine64",
        gives: Gives::Program("/usr/lib/wine/wine64"),
        why: "the 64-bit half of it",
    },
    Peer {
        package: "gcc-mingw-w64-x86-64",
        gives: Gives::Program("x86_64-w64-mingw32-gcc"),
        why: "links svcwatch.exe, and builds the test services that run in Wine",
    },
    Peer {
        package: "binutils-mingw-w64-x86-64",
        gives: Gives::Program("x86_64-w64-mingw32-windres"),
        why: "makes the icon, version and messages of svcwatch.exe",
    },
    Peer {
        package: "osslsigncode",
        gives: Gives::Program("osslsigncode"),
        why: "signs it where there is a key",
    },
    Peer {
        package: "wixl",
        gives: Gives::Program("wixl"),
        why: "makes the installer for Windows",
    },
    Peer {
        package: "msitools",
        gives: Gives::Program("msibuild"),
        why: "adds to that installer what wixl cannot, and reads it",
    },
    Peer {
        package: "zip",
        gives: Gives::Program("zip"),
        why: "packs the zip for Windows",
    },
    Peer {
        package: "lintian",
        gives: Gives::Program("lintian"),
        why: "holds the Debian package against Debian's rules",
    },
    Peer {
        package: "systemd",
        gives: Gives::Program("systemd-analyze"),
        why: "reads the unit, and makes its user and folders in a test's own root",
    },
    Peer {
        package: "python3",
        gives: Gives::Program(PYTHON),
        why: "runs the bridge between Samba and Wine",
    },
    Peer {
        package: "python3-aiosmtpd",
        gives: Gives::Module("aiosmtpd"),
        why: "a real mail server with STARTTLS and logon",
    },
    Peer {
        package: "mosquitto",
        gives: Gives::Program("/usr/sbin/mosquitto"),
        why: "a real MQTT broker",
    },
    Peer {
        package: "mosquitto-clients",
        gives: Gives::Program("mosquitto_sub"),
        why: "hears what that broker was given",
    },
    Peer {
        package: "influxdb",
        gives: Gives::Program("influxd"),
        why: "a real InfluxDB 1",
    },
    Peer {
        package: "prometheus",
        gives: Gives::Program("promtool"),
        why: "scrapes the metrics, and checks and tries the rules",
    },
    Peer {
        package: "prometheus-alertmanager",
        gives: Gives::Program("prometheus-alertmanager"),
        why: "groups and hides the alerts of those rules",
    },
    Peer {
        package: "python3-impacket",
        gives: Gives::Module("impacket"),
        why: "another reader of the same protocol, to compare with",
    },
    Peer {
        package: "openssl",
        gives: Gives::Program("openssl"),
        why: "makes the certificates of the test servers",
    },
];

/// Runs the command.
pub(crate) fn run(project: &Project, mut arguments: Arguments) -> Result<(), Failure> {
    let list = arguments.switch("--list");
    arguments.finish()?;
    if list {
        for peer in PEERS {
            let here = if is_here(project, peer) {
                "here"
            } else {
                "missing"
            };
            println!("{here:<8} {:<22} {}", peer.package, peer.why);
        }
        return Ok(());
    }
    println!("{}", install(project)?);
    Ok(())
}

/// Installs what is missing and says in one sentence what was done.
pub(crate) fn install(project: &Project) -> Result<String, String> {
    let missing: Vec<&Peer> = PEERS
        .iter()
        .filter(|peer| !is_here(project, peer))
        .collect();
    if missing.is_empty() {
        return Ok(format!("all {} packages were here", PEERS.len()));
    }
    for peer in &missing {
        println!("missing: {} ({})", peer.package, peer.why);
    }
    let names: Vec<&str> = missing.iter().map(|peer| peer.package).collect();
    if !Path::new("/usr/bin/apt-get").is_file() {
        return Err(format!(
            "the test peers come from Debian's packages, and there is no apt-get here: install {} by hand",
            names.join(", ")
        ));
    }
    let _held = ServicesHeld::place(project)?;
    run_program(as_root(project, &["apt-get", "update"]).env("DEBIAN_FRONTEND", "noninteractive"))?;
    let mut words = vec![
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
    ];
    words.extend(["--yes", "--no-install-recommends"]);
    words.extend(&names);
    run_program(&mut as_root(project, &words))?;
    let still: Vec<&str> = PEERS
        .iter()
        .filter(|peer| !is_here(project, peer))
        .map(|peer| peer.package)
        .collect();
    if !still.is_empty() {
        return Err(format!(
            "installed, but still not usable: {}",
            still.join(", ")
        ));
    }
    Ok(format!("installed {}", names.join(" ")))
}

/// Whether the peer is there and can be used.
fn is_here(project: &Project, peer: &Peer) -> bool {
    match peer.gives {
        Gives::Program(name) if name.starts_with('/') => Path::new(name).is_file(),
        Gives::Program(name) => in_path(name),
        Gives::Module(name) => {
            let import = format!("import {name}");
            read(project.program(PYTHON).args(["-c", &import])).is_ok()
        }
    }
}

/// Whether the path has such a program. Debian keeps some of them where only root looks.
fn in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(name).is_file())
}

/// A program that is run by root: as it is where we are root, by sudo otherwise.
fn as_root(project: &Project, words: &[&str]) -> std::process::Command {
    let user = read(project.program("id").arg("-u")).unwrap_or_default();
    let (first, rest) = words.split_first().unwrap_or((&"true", &[]));
    if user.trim() == "0" {
        let mut command = project.program(first);
        command.args(rest);
        return command;
    }
    let mut command = project.program("sudo");
    command.args(words);
    command
}

/// While it lives, Debian's packages start no service when they are installed; a rule that was there stays.
struct ServicesHeld<'project> {
    project: &'project Project,
    placed: bool,
}

impl<'project> ServicesHeld<'project> {
    /// Puts the rule in place where there is none.
    fn place(project: &'project Project) -> Result<Self, String> {
        if Path::new(START_POLICY).exists() {
            let rule = std::fs::read_to_string(START_POLICY).unwrap_or_default();
            return Ok(Self {
                project,
                placed: rule.contains(OUR_MARK),
            });
        }
        println!("services are kept from starting while packages are installed ({START_POLICY})");
        let rule = format!(r"#!/bin/sh\n# {OUR_MARK}: may be removed\nexit 101\n");
        let script = format!("printf '{rule}' > {START_POLICY} && chmod 755 {START_POLICY}");
        run_program(&mut as_root(project, &["sh", "-c", &script]))?;
        Ok(Self {
            project,
            placed: true,
        })
    }
}

impl Drop for ServicesHeld<'_> {
    fn drop(&mut self) {
        if !self.placed {
            return;
        }
        if let Err(message) = run_program(&mut as_root(self.project, &["rm", "-f", START_POLICY])) {
            eprintln!("xtask peers: remove {START_POLICY} by hand: {message}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_says_what_for_and_is_named_once() {
        for (at, peer) in PEERS.iter().enumerate() {
            assert!(!peer.why.is_empty(), "{}", peer.package);
            assert!(
                PEERS
                    .iter()
                    .skip(at + 1)
                    .all(|other| other.package != peer.package),
                "{} twice",
                peer.package
            );
        }
    }

    #[test]
    fn a_program_is_found_in_the_path_and_an_unknown_one_is_not() {
        assert!(in_path("sh"));
        assert!(!in_path("no-such-program-anywhere"));
    }
}
