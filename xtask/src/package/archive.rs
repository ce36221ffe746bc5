//! The zip for Windows and the tarball for Linux.

use std::path::Path;

use super::{Made, Stage, VERSION, Work};
use crate::project::{read, run};

/// The zip: the exe, an example, the licences and the pages.
pub(super) fn zip(work: &Work<'_>) -> Result<Made, String> {
    let name = format!("svcwatch-{VERSION}-windows-x64");
    let parent = work.staging.join("zip");
    let stage = Stage::new(parent.join(&name))?;
    let root = &work.project.root;
    let packaging = root.join("packaging");
    stage.copy(&work.exe, "svcwatch.exe", 0o755)?;
    let example = "svcwatch.example.yaml";
    stage.copy(&packaging.join("windows").join(example), example, 0o644)?;
    let script = "Grant-SvcwatchRights.ps1";
    stage.copy(&packaging.join("rights").join(script), script, 0o644)?;
    stage.licences(root, "", &work.notices)?;
    stage.pages(root, "")?;
    let files = stage.finish(work.epoch)?;
    let file = format!("{name}.zip");
    let mut command = work.project.program("zip");
    command.current_dir(&parent).env("TZ", "UTC");
    // Without users, groups and access times, which would differ each time.
    command.args(["-q", "-X", "-D", if work.debug { "-1" } else { "-9" }]);
    command.arg(work.folder.join(&file));
    command.args(files.iter().map(|path| format!("{name}/{path}")));
    run(&mut command)?;
    // Reads each file and holds it against its checksum.
    let mut test = work.project.program("/usr/bin/python3");
    test.args(["-m", "zipfile", "-t"])
        .arg(work.folder.join(&file));
    read(&mut test)?;
    Ok(Made {
        checked: format!("python3 -m zipfile -t, {} files", files.len()),
        file,
    })
}

/// The tarball: the program, the unit and its helpers, an example, the licences and the pages.
pub(super) fn tarball(work: &Work<'_>) -> Result<Made, String> {
    let name = format!("svcwatch-{VERSION}-linux-x86_64");
    let parent = work.staging.join("tarball");
    let stage = Stage::new(parent.join(&name))?;
    let root = &work.project.root;
    let packaging = root.join("packaging");
    stage.copy(&work.program, "svcwatch", 0o755)?;
    stage.copy(
        &packaging.join("linux/svcwatch.yaml"),
        "svcwatch.yaml",
        0o644,
    )?;
    let systemd = packaging.join("systemd");
    for (from, to) in [
        ("svcwatch.service", "svcwatch.service"),
        ("sysusers.conf", "sysusers.d/svcwatch.conf"),
        ("tmpfiles.conf", "tmpfiles.d/svcwatch.conf"),
    ] {
        stage.copy(&systemd.join(from), &format!("systemd/{to}"), 0o644)?;
    }
    stage.licences(root, "", &work.notices)?;
    stage.pages(root, "")?;
    let files = stage.finish(work.epoch)?;
    let file = format!("{name}.tar.gz");
    pack(work, &parent, &name, &file)?;
    let listed = read(
        work.project
            .program("tar")
            .arg("-tzf")
            .arg(work.folder.join(&file)),
    )?;
    let whole = files
        .iter()
        .all(|path| listed.lines().any(|line| line == format!("{name}/{path}")));
    if !whole {
        return Err(format!("{file} does not hold what was put into it"));
    }
    Ok(Made {
        checked: format!("tar -tzf, {} files", files.len()),
        file,
    })
}

/// Packs a folder so that the same files give the same bytes.
fn pack(work: &Work<'_>, parent: &Path, name: &str, file: &str) -> Result<(), String> {
    let level = if work.debug { "-1" } else { "-9" };
    let mut command = work.project.program("tar");
    command
        .current_dir(parent)
        .args(["--sort=name", "--format=gnu", "--owner=0", "--group=0"])
        .args(["--numeric-owner", &format!("--mtime=@{}", work.epoch)])
        .arg(format!("--use-compress-program=gzip -n {level}"))
        .arg("-cf")
        .arg(work.folder.join(file))
        .arg(name);
    run(&mut command)
}
