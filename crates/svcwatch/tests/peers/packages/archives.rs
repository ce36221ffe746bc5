//! The archives, the list of parts and the checksums.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{VERSION, folder, package};
use crate::support::process::run;

/// What every package holds beside the program.
const ALWAYS: [&str; 5] = [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "THIRD-PARTY-LICENSES.txt",
    "README.md",
    "docs/configuration.md",
];

fn holds(folder: &Path, names: &[&str]) {
    for name in ALWAYS.iter().chain(names) {
        let length = fs::metadata(folder.join(name)).map_or(0, |found| found.len());
        assert!(length > 0, "{name} is missing in {}", folder.display());
    }
}

#[test]
fn the_tarball_holds_a_program_that_runs() {
    let name = format!("svcwatch-{VERSION}-linux-x86_64");
    let place = TempDir::new().expect("a temporary folder");
    let archive = package(&format!("{name}.tar.gz"));
    run(Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(place.path()));
    let root = place.path().join(name);
    let systemd = [
        "svcwatch.yaml",
        "systemd/svcwatch.service",
        "systemd/sysusers.d/svcwatch.conf",
        "systemd/tmpfiles.d/svcwatch.conf",
    ];
    holds(&root, &systemd);
    let said = run(Command::new(root.join("svcwatch")).arg("--version")).stdout;
    assert!(String::from_utf8_lossy(&said).contains(VERSION), "{said:?}");
}

#[test]
fn the_zip_holds_the_exe_of_the_installer() {
    let name = format!("svcwatch-{VERSION}-windows-x64");
    let place = TempDir::new().expect("a temporary folder");
    let mut unpack = Command::new("/usr/bin/python3");
    unpack
        .args(["-m", "zipfile", "-e"])
        .arg(package(&format!("{name}.zip")))
        .arg(place.path());
    run(&mut unpack);
    let root = place.path().join(&name);
    holds(
        &root,
        &[
            "svcwatch.exe",
            "svcwatch.example.yaml",
            "Grant-SvcwatchRights.ps1",
        ],
    );
    let mut extract = Command::new("msiextract");
    extract
        .arg("--directory")
        .arg(place.path())
        .arg(package(&format!("{name}.msi")));
    run(&mut extract);
    let installed = place.path().join("Program Files/svcwatch");
    let other = if installed.exists() {
        installed
    } else {
        place.path().join("svcwatch")
    };
    let read =
        |path: &Path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(read(&root.join("svcwatch.exe")) == read(&other.join("svcwatch.exe")));
}

#[test]
fn the_checksums_name_every_package_and_hold() {
    let folder = folder();
    run(Command::new("sha256sum")
        .current_dir(&folder)
        .args(["--check", "--strict", "SHA256SUMS"]));
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).expect("the checksums");
    for entry in fs::read_dir(&folder).expect("the folder of packages") {
        let entry = entry.expect("an entry of it");
        let name = entry.file_name().to_string_lossy().into_owned();
        let package = entry.path().is_file() && name != "SHA256SUMS";
        assert!(
            !package || sums.contains(&format!("  {name}\n")),
            "{name} has no checksum"
        );
    }
}

#[test]
fn the_lists_of_parts_name_what_is_built_in() {
    for system in ["windows", "linux"] {
        let text = fs::read_to_string(package(&format!("svcwatch-{VERSION}-{system}.cdx.json")));
        let list: Value = serde_json::from_str(&text.expect("the list")).expect("it is JSON");
        assert_eq!(list["specVersion"], "1.5");
        assert_eq!(list["metadata"]["component"]["version"], VERSION);
        let parts = list["components"].as_array().expect("parts");
        let names: Vec<_> = parts
            .iter()
            .filter_map(|part| part["name"].as_str())
            .collect();
        assert!(
            names.contains(&"rustls") && names.contains(&"sqlite"),
            "{names:?}"
        );
    }
}
