//! What a service runs (lpBinaryPathName, MS-SCMR 2.2.15): its executable and the rest of the line.

/// Ends of a file that is run, where the path is not in quotes although it has spaces.
const RUN: [&str; 6] = [".exe", ".com", ".bat", ".cmd", ".sys", ".dll"];

/// The executable of a command line, without its quotes and arguments.
pub fn executable(line: &str) -> &str {
    let line = line.trim();
    if let Some(quoted) = line.strip_prefix('"') {
        return quoted.split('"').next().unwrap_or_default();
    }
    line.get(..executable_end(line)).unwrap_or_default()
}

/// The executable of a line as it is written, quotes and the space before it included, and its arguments.
pub fn split(line: &str) -> (&str, &str) {
    let begin = line.len().saturating_sub(line.trim_start().len());
    let body = line.get(begin..).unwrap_or_default();
    let end = if body.starts_with('"') {
        let close = body.get(1..).and_then(|rest| rest.find('"'));
        close.map_or(body.len(), |at| at.saturating_add(2))
    } else {
        executable_end(body)
    };
    let cut = begin.saturating_add(end);
    line.split_at_checked(cut).unwrap_or((line, ""))
}

/// Where the executable of a line without a quote at its begin ends: behind the first file that can be run, else at
/// the first space.
fn executable_end(line: &str) -> usize {
    let lower = line.to_ascii_lowercase();
    let ends = RUN.iter().flat_map(|ending| {
        let found = lower.match_indices(ending);
        found.map(|(at, _)| at.saturating_add(ending.len()))
    });
    let whole = |end: &usize| {
        let rest = lower.get(*end..).unwrap_or_default();
        rest.is_empty() || rest.starts_with(char::is_whitespace)
    };
    ends.filter(whole)
        .min()
        .or_else(|| line.find(char::is_whitespace))
        .unwrap_or(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_executable_and_its_arguments() {
        assert_eq!(
            split(r#" "C:\a b\c.exe" -x "y z""#),
            (r#" "C:\a b\c.exe""#, r#" -x "y z""#)
        );
        assert_eq!(
            split(r"C:\Program Files\a.exe -k"),
            (r"C:\Program Files\a.exe", " -k")
        );
        assert_eq!(split(""), ("", ""));
        assert_eq!(executable(r#""C:\a b\c.exe" -x"#), r"C:\a b\c.exe");
    }
}
