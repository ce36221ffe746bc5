//! The package for Debian and its relatives.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Made, Stage, VERSION, Work, stage};
use crate::project::{read, run};

/// Libraries that svcwatch may ask for, and the packages that bring them.
const LIBRARIES: [(&str, &str); 4] = [
    ("libc.so.6", "libc6"),
    ("libm.so.6", "libc6"),
    ("ld-linux-x86-64.so.2", "libc6"),
    ("libgcc_s.so.1", "libgcc-s1"),
];

/// Where the pages go.
const PAGES: &str = "usr/share/doc/svcwatch/";

/// Makes the package.
pub(super) fn make(work: &Work<'_>) -> Result<Made, String> {
    let stage = Stage::new(work.staging.join("deb"))?;
    let root = &work.project.root;
    let packaging = root.join("packaging");
    stage.copy(&work.program, "usr/bin/svcwatch", 0o755)?;
    let config = "etc/svcwatch/svcwatch.yaml";
    stage.copy(&packaging.join("linux/svcwatch.yaml"), config, 0o640)?;
    let systemd = packaging.join("systemd");
    for (from, to) in [
        ("svcwatch.service", "systemd/system/svcwatch.service"),
        ("sysusers.conf", "sysusers.d/svcwatch.conf"),
        ("tmpfiles.conf", "tmpfiles.d/svcwatch.conf"),
    ] {
        stage.copy(&systemd.join(from), &format!("usr/lib/{to}"), 0o644)?;
    }
    stage.licences(root, PAGES, &work.notices)?;
    stage.pages(root, PAGES)?;
    let debian = packaging.join("debian");
    stage.copy(
        &debian.join("copyright"),
        &format!("{PAGES}copyright"),
        0o644,
    )?;
    changelog(work, &stage)?;
    control(work, &stage, &debian)?;
    let files = stage.finish(work.epoch)?;
    let file = format!("svcwatch_{}_amd64.deb", version(VERSION));
    let mut command = work.project.program("dpkg-deb");
    command
        .env("SOURCE_DATE_EPOCH", work.epoch.to_string())
        .arg("--root-owner-group")
        .args(if work.debug {
            ["-Zgzip", "-z1"]
        } else {
            ["-Zxz", "-z6"]
        })
        .arg("--build")
        .arg(&stage.root)
        .arg(work.folder.join(&file));
    run(&mut command)?;
    lint(work, &file)?;
    Ok(Made {
        checked: format!("lintian, {} files", files.len()),
        file,
    })
}

/// Writes what dpkg reads.
fn control(work: &Work<'_>, stage: &Stage, debian: &Path) -> Result<(), String> {
    for (name, mode) in [
        ("postinst", 0o755),
        ("prerm", 0o755),
        ("postrm", 0o755),
        ("conffiles", 0o644),
    ] {
        stage.copy(&debian.join(name), &format!("DEBIAN/{name}"), mode)?;
    }
    let asked = read(
        work.project
            .program("objdump")
            .args(["-p"])
            .arg(&work.program),
    )?;
    let used = read(
        work.project
            .program("du")
            .args(["-k", "-s", "--apparent-size"])
            .arg(&stage.root),
    )?;
    let size = used.split_whitespace().next().unwrap_or_default();
    let text = stage::text(&debian.join("control.in"))?
        .replace("@VERSION@", &version(VERSION))
        .replace("@SIZE@", size)
        .replace("@LIBRARIES@", &depends(&asked)?);
    stage.text("DEBIAN/control", &text, 0o644)?;
    let mut sums = work.project.program("find");
    sums.current_dir(&stage.root)
        .args(["usr", "-type", "f", "-exec", "md5sum", "{}", "+"]);
    let sums = read(&mut sums)?;
    let mut lines: Vec<&str> = sums.lines().collect();
    lines.sort_unstable_by_key(|line| line.split_whitespace().nth(1));
    stage.text("DEBIAN/md5sums", &(lines.join("\n") + "\n"), 0o644)
}

/// Adds the list of versions in Debian's form, which is packed.
fn changelog(work: &Work<'_>, stage: &Stage) -> Result<(), String> {
    let time = format!("--date=@{}", work.epoch);
    let date = read(work.project.program("date").env("LC_ALL", "C").args([
        "--utc",
        "--rfc-email",
        &time,
    ]))?;
    let text = format!(
        "svcwatch ({}) stable; urgency=medium\n\n  * CHANGELOG.md says what is new.\n\n \
         -- svcwatch maintainers <maintainers@svcwatch.invalid>  {date}",
        version(VERSION)
    );
    let path = format!("{PAGES}changelog");
    stage.text(&path, &text, 0o644)?;
    run(work
        .project
        .program("gzip")
        .args(["-9", "-n"])
        .arg(stage.root.join(path)))
}

/// Has lintian look at it: what breaks Debian's rules is an error, what is only unusual there is not.
fn lint(work: &Work<'_>, file: &str) -> Result<(), String> {
    let mut command = work.project.program("lintian");
    // It goes by the distribution of the changelog otherwise, and refuses root.
    command
        .args([
            "--allow-root",
            "--fail-on",
            "error",
            "--tag-display-limit",
            "0",
        ])
        .arg(work.folder.join(file));
    run(&mut command)
}

/// A version as Debian compares it: what comes before a release is lower than it.
fn version(version: &str) -> String {
    version.replacen('-', "~", 1)
}

/// The packages that a program needs, from what objdump says of it: its libraries, and the newest glibc of which it asks
/// for something.
fn depends(objdump: &str) -> Result<String, String> {
    let mut packages = BTreeSet::new();
    let mut glibc = [0, 0];
    for line in objdump.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["NEEDED", library] = words.as_slice() {
            let known = LIBRARIES.iter().find(|(name, _)| name == library);
            let (_, package) = known.ok_or_else(|| {
                format!("svcwatch asks for {library}, and no package is known that brings it")
            })?;
            packages.insert(*package);
        }
        let asked = words.last().and_then(|word| word.strip_prefix("GLIBC_"));
        let mut numbers = asked.unwrap_or_default().split('.').map(str::parse);
        if let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) {
            glibc = glibc.max([major, minor]);
        }
    }
    if glibc == [0, 0] {
        return Err("svcwatch does not say which glibc it asks for".to_owned());
    }
    let [major, minor]: [u32; 2] = glibc;
    let told: Vec<String> = packages
        .into_iter()
        .map(|package| match package {
            "libc6" => format!("libc6 (>= {major}.{minor})"),
            other => other.to_owned(),
        })
        .collect();
    Ok(told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_those_of_the_libraries_that_are_asked_for() {
        let said = "  NEEDED               libgcc_s.so.1\n  NEEDED               libc.so.6\n\
                    \x20 required from libc.so.6:\n    0x06969194 0x00 06 GLIBC_2.14\n\
                    \x20   0x069691b9 0x00 02 GLIBC_2.9\n    0x09691974 0x00 03 GLIBC_2.3.4\n";
        assert_eq!(depends(said).as_deref(), Ok("libc6 (>= 2.14), libgcc-s1"));
        assert!(depends("  NEEDED  libssl.so.3\n").is_err_and(|told| told.contains("libssl.so.3")));
        assert!(depends("").is_err());
    }

    #[test]
    fn what_comes_before_a_release_is_lower_than_it() {
        assert_eq!(version("1.0.0-rc-1"), "1.0.0~rc-1");
        assert_eq!(version("1.0.0"), "1.0.0");
    }
}
