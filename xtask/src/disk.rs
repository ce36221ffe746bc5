//! The room on the disk: a build that runs out of it fails in many strange ways.

use crate::project::{Project, read};

/// What is free where the project lies, in gigabytes; none where `df` does not tell.
pub(crate) fn free(project: &Project) -> Option<u64> {
    // The form that POSIX asks for has one line for each disk, in units of 1,024 bytes.
    parse(&read(project.program("df").args(["-P", "-k", "."])).ok()?)
}

/// The same for people.
pub(crate) fn shown(project: &Project) -> String {
    free(project).map_or_else(
        || "free disk not known".to_owned(),
        |gigabytes| format!("{gigabytes} GB of disk free"),
    )
}

fn parse(told: &str) -> Option<u64> {
    let line = told.lines().nth(1)?;
    let kibibytes: u64 = line.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes * 1024 / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourth_word_of_the_second_line_counts() {
        let told = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 263000000 36700160 58593750 39% /\n";
        assert_eq!(parse(told), Some(60));
        assert_eq!(parse("df: no such folder\n"), None);
        assert_eq!(parse("a\nb c d e\n"), None);
    }
}
