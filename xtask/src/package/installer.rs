//! The installer for Windows: wixl makes it, and what wixl cannot say is added to its tables.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use super::{Made, Stage, VERSION, Work, stage};
use crate::project::{read, run};
use crate::windows::sign;

/// What is added to the tables that wixl makes, as Windows Installer's own SQL. `{file_version}` is that of the exe.
///
/// The path of the machine gets our folder, and the event log forgets us with the program. The old version is removed last, over the new one, so that what both have stays:
/// the service among it, which would have to be installed anew otherwise, with its account's password. An old version that
/// goes because a new one comes leaves the service alone, and only a service that starts with the machine is started again.
/// A versioned file without its version here would not be replaced. 14393 is the build of Windows 10 1607 and Server 2016. What
/// was looked up in the registry before the user agreed would be forgotten afterwards, were it not named as safe.
const ADDED: [&str; 12] = [
    "CREATE TABLE `Environment` (`Environment` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, \
     `Value` CHAR(255) LOCALIZABLE, `Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`)",
    "INSERT INTO `Environment` (`Environment`, `Name`, `Value`, `Component_`) \
     VALUES ('Path', '=-*PATH', '[~];[INSTALLDIR]', 'Program')",
    "INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('WriteEnvironmentStrings', 5200)",
    "INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('RemoveEnvironmentStrings', 3300)",
    "INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('RemoveRegistryValues', 2600)",
    "INSERT INTO `Registry` (`Registry`, `Root`, `Key`, `Name`, `Component_`) VALUES ('EventSource', 2, \
     'SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\svcwatch', '-', 'Program')",
    "UPDATE `InstallExecuteSequence` SET `Sequence` = 6700 WHERE `Action` = 'RemoveExistingProducts'",
    "UPDATE `InstallExecuteSequence` SET `Condition` = 'VersionNT AND NOT UPGRADINGPRODUCTCODE' \
     WHERE `Action` = 'DeleteServices'",
    "UPDATE `InstallExecuteSequence` SET `Condition` = 'VersionNT AND SERVICESTART = \"#2\"' \
     WHERE `Action` = 'StartServices'",
    "UPDATE `File` SET `Version` = '{file_version}', `Language` = '1033' WHERE `File` = 'svcwatch.exe'",
    "UPDATE `Property` SET `Value` = \
     'WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED;SERVICESTART;WINDOWSBUILD' \
     WHERE `Property` = 'SecureCustomProperties'",
    "INSERT INTO `LaunchCondition` (`Condition`, `Description`) \
     VALUES ('Installed OR (VersionNT64 AND WINDOWSBUILD >= 14393)', \
     'svcwatch needs 64-bit Windows 10 1607 or Windows Server 2016, or later.')",
];

/// What must stand in the tables of every installer: a table, and a line of it with tabs between its fields.
const HELD: [(&str, &str); 14] = [
    (
        "Property",
        "UpgradeCode\t{B3D27C1A-5F0E-4C2B-9B57-3E7F0A6C1D42}",
    ),
    ("Property", "ALLUSERS\t1"),
    ("Property", "ARPPRODUCTICON\tsvcwatch.ico"),
    (
        "Property",
        "SecureCustomProperties\tWIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED;SERVICESTART;WINDOWSBUILD",
    ),
    ("AppSearch", "SERVICESTART\tServiceStart"),
    ("AppSearch", "WINDOWSBUILD\tWindowsBuild"),
    (
        "RegLocator",
        "WindowsBuild\t2\tSOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\tCurrentBuildNumber\t18",
    ),
    (
        "LaunchCondition",
        "Installed OR (VersionNT64 AND WINDOWSBUILD >= 14393)\tsvcwatch needs 64-bit Windows 10 1607 or Windows Server 2016, or later.",
    ),
    ("Environment", "Path\t=-*PATH\t[~];[INSTALLDIR]\tProgram"),
    ("InstallExecuteSequence", "RemoveExistingProducts\t\t6700"),
    (
        "InstallExecuteSequence",
        "StartServices\tVersionNT AND SERVICESTART = \"#2\"\t5900",
    ),
    (
        "InstallExecuteSequence",
        "DeleteServices\tVersionNT AND NOT UPGRADINGPRODUCTCODE\t2000",
    ),
    ("Directory", "INSTALLDIR\tProgramFiles64Folder\tsvcwatch"),
    ("Media", "1\t5\t\t#svcwatch.cab\t\t"),
];

/// Makes the installer, and in the folder `checks` one of a higher version that tests upgrade to.
pub(super) fn make(work: &Work<'_>) -> Result<Made, String> {
    let file = format!("svcwatch-{VERSION}-windows-x64.msi");
    let to = work.folder.join(&file);
    build(work, VERSION, &work.exe, &to)?;
    let signed = sign::sign(work.project, &to)?;
    let next = next_version(VERSION)?;
    // A program that can be told from this one. What stands behind its end nobody reads.
    let exe = work.staging.join("next.exe");
    stage::copy(&work.exe, &exe)?;
    let append = OpenOptions::new().append(true).open(&exe);
    append
        .and_then(|mut file| file.write_all(next.as_bytes()))
        .map_err(|error| format!("{}: {error}", exe.display()))?;
    stage::place(&work.folder.join("checks"))?;
    let later = work
        .folder
        .join(format!("checks/svcwatch-{next}-windows-x64.msi"));
    build(work, &next, &exe, &later)?;
    Ok(Made {
        file,
        checked: format!("msiinfo, {} lines of its tables; {signed}", HELD.len() + 2),
    })
}

/// Makes one installer.
fn build(work: &Work<'_>, version: &str, exe: &Path, to: &Path) -> Result<(), String> {
    let packaging = work.project.root.join("packaging/windows");
    let stage = Stage::new(work.staging.join("installer"))?;
    stage.copy(exe, "files/svcwatch.exe", 0o755)?;
    let example = "svcwatch.example.yaml";
    let to_example = format!("files/{example}");
    stage.copy(&packaging.join(example), &to_example, 0o644)?;
    stage.licences(&work.project.root, "files/", &work.notices)?;
    for name in ["svcwatch.wxs", "svcwatch.ico"] {
        stage.copy(&packaging.join(name), name, 0o644)?;
    }
    stage.finish(work.epoch)?;
    let numbers = numbers(version)?;
    let [major, minor, patch] = numbers;
    let code = identifier(&format!("svcwatch for Windows, product {version}"));
    let mut command = work.project.program("wixl");
    // It takes no full paths.
    command
        .current_dir(&stage.root)
        .args([
            "--arch",
            "x64",
            "--define=Files=files",
            "--define=Icon=svcwatch.ico",
        ])
        .arg(format!("--define=Version={major}.{minor}.{patch}"))
        .arg(format!("--define=ProductCode={code}"))
        .arg("--output")
        .arg(to)
        .arg("svcwatch.wxs");
    run(&mut command)?;
    let mut command = work.project.program("msibuild");
    command.arg(to).arg("-q");
    let file_version = format!("{major}.{minor}.{patch}.0");
    command.args(ADDED.map(|query| query.replace("{file_version}", &file_version)));
    run(&mut command)?;
    hold(work, to, numbers, &code)
}

/// Holds the tables against what must stand in them: wixl and msibuild leave out in silence what they do not know.
fn hold(work: &Work<'_>, file: &Path, version: [u32; 3], code: &str) -> Result<(), String> {
    let [major, minor, patch] = version;
    let own = [
        (
            "Property",
            format!("ProductVersion\t{major}.{minor}.{patch}"),
        ),
        ("Property", format!("ProductCode\t{{{code}}}")),
    ];
    let held = HELD.map(|(table, line)| (table, line.to_owned()));
    for (table, line) in held.into_iter().chain(own) {
        let mut command = work.project.program("msiinfo");
        let said = read(command.arg("export").arg(file).arg(table))?;
        if !said
            .lines()
            .any(|found| found.trim_end_matches('\r') == line)
        {
            return Err(format!(
                "{}: its table {table} lacks `{line}`; it holds\n{said}",
                file.display()
            ));
        }
    }
    Ok(())
}

/// The three numbers of a version, which are all that Windows Installer compares.
fn numbers(version: &str) -> Result<[u32; 3], String> {
    let plain = version.split(['-', '+']).next().unwrap_or(version);
    let mut numbers = plain.split('.').map(str::parse);
    let mut next = || numbers.next().and_then(Result::ok);
    let found = [next(), next(), next()];
    let [Some(major), Some(minor), Some(patch)] = found else {
        return Err(format!("`{version}` is no version of three numbers"));
    };
    if major > 255 || minor > 255 || patch > 65_535 {
        return Err(format!("Windows Installer cannot count to {version}"));
    }
    Ok([major, minor, patch])
}

/// The version after this one.
fn next_version(version: &str) -> Result<String, String> {
    let [major, minor, patch] = numbers(version)?;
    Ok(format!("{major}.{minor}.{}", patch + 1))
}

/// An identifier that is always the same for the same words, as Windows writes them. It need not be secret, only its own.
pub(super) fn identifier(words: &str) -> String {
    // FNV-1a of 128 bits.
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in words.bytes() {
        hash ^= u128::from(byte);
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    // Version 8, for identifiers that are made in a way of one's own, in the usual variant (RFC 9562, section 5.8).
    hash = hash & !(0xf_u128 << 76) | (0x8_u128 << 76);
    hash = hash & !(0b11_u128 << 62) | (0b10_u128 << 62);
    let text = format!("{hash:032X}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_that_windows_installer_compares() {
        assert_eq!(numbers("1.22.333-rc.1+x"), Ok([1, 22, 333]));
        assert!(numbers("1.2").is_err());
        assert!(numbers("1.256.0").is_err());
        assert_eq!(next_version("0.1.9").as_deref(), Ok("0.1.10"));
    }

    #[test]
    fn an_identifier_is_well_formed_and_its_own() {
        let one = identifier("svcwatch 0.1.0");
        assert_eq!(one, identifier("svcwatch 0.1.0"));
        assert_ne!(one, identifier("svcwatch 0.1.1"));
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(one.as_bytes()[14], b'8', "{one}");
        assert!(b"89AB".contains(&one.as_bytes()[19]), "{one}");
    }
}
