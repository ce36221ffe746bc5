//! Rules for Rust source: how long files and functions may be, and nothing left over or switched off.

use super::Finding;
use super::mask::code_only;
use super::tree::{File, has_ending};

/// The longest file, in lines.
const FILE_LINES: usize = 500;

/// The longest function, in lines.
const FUNCTION_LINES: usize = 70;

/// Files that may be longer, each with the reason. There is none, and it should stay so.
const LONGER_FILES: &[(&str, &str)] = &[];

/// Functions that may be longer, as file and name, each with the reason. There is none, and it should stay so.
const LONGER_FUNCTIONS: &[(&str, &str, &str)] = &[];

/// Words that say that something is not finished, written so that this file does not find itself.
const MARKERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Calls that stand for code that is not there.
const STAND_INS: &[&str] = &["todo!", "unimplemented!"];

/// Kinds of file in which markers are looked for.
const KINDS: &[&str] = &[
    "rs", "md", "toml", "yaml", "yml", "sh", "py", "c", "h", "js", "ts", "html", "css",
];

/// Holds one file against the rules.
pub(super) fn check(file: &File) -> Vec<Finding> {
    let mut findings = markers(file);
    if !file.is_rust() {
        return findings;
    }
    let lines = file.text.lines().count();
    let excused = LONGER_FILES.iter().any(|(path, _)| *path == file.path);
    if lines > FILE_LINES && !excused {
        findings.push(Finding::new(
            file,
            FILE_LINES + 1,
            format!("{lines} lines, more than {FILE_LINES}: find the noun that wants to move out"),
        ));
    }
    let code = code_only(&file.text);
    findings.extend(switched_off(file, &code));
    for function in functions(&code) {
        let excused = LONGER_FUNCTIONS
            .iter()
            .any(|(path, name, _)| *path == file.path && *name == function.name);
        if function.lines > FUNCTION_LINES && !excused {
            findings.push(Finding::new(
                file,
                function.line,
                format!(
                    "`{}` has {} lines, more than {FUNCTION_LINES}: give its parts names",
                    function.name, function.lines
                ),
            ));
        }
    }
    findings
}

/// Words and calls that say that something is not finished.
fn markers(file: &File) -> Vec<Finding> {
    if !KINDS.iter().any(|kind| has_ending(&file.path, kind)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        if let Some(marker) = MARKERS.iter().find(|marker| has_word(line, marker)) {
            let what = format!("{marker} is left: do it now, or write what holds today");
            findings.push(Finding::new(file, at + 1, what));
        }
    }
    findings
}

/// Tests that do not run and code that is not there.
fn switched_off(file: &File, code: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in code.lines().enumerate() {
        let dense: String = line.split_whitespace().collect();
        if dense.contains("#[ignore") || (dense.contains("cfg_attr(") && dense.contains(",ignore"))
        {
            let what = "a test that does not run guards nothing: make it run, or take it out";
            findings.push(Finding::new(file, at + 1, what));
        }
        if let Some(call) = STAND_INS.iter().find(|call| has_word(line, call)) {
            findings.push(Finding::new(
                file,
                at + 1,
                format!("{call} stands for code that is not there: write it"),
            ));
        }
    }
    findings
}

/// Whether the line has this word by itself, not as a part of another.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        let ends_open = word.ends_with('!') || !after.is_some_and(part_of_word);
        !before.is_some_and(part_of_word) && ends_open
    })
}

/// A function and its length.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    /// Its first line, from 1.
    line: usize,
    /// From the line of its name to that of its closing brace.
    lines: usize,
}

/// The functions of masked source, each with the functions inside it counted in.
fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let (before, from) = code.split_at(at);
        let starts_word =
            !before.ends_with(|character: char| character.is_alphanumeric() || character == '_');
        let after = from.split_at("fn ".len()).1.trim_start();
        let end = after
            .find(|character: char| {
                !(character.is_alphanumeric() || character == '_' || character == '#')
            })
            .unwrap_or(after.len());
        let name = after.split_at(end).0;
        if !starts_word || name.is_empty() {
            continue;
        }
        if let Some(length) = body_end(from) {
            found.push(Function {
                name: name.to_owned(),
                line: before.matches('\n').count() + 1,
                lines: from.split_at(length).0.matches('\n').count() + 1,
            });
        }
    }
    found
}

/// Where the body of the function that begins here ends; nothing where it has none.
fn body_end(code: &str) -> Option<usize> {
    let mut nested = 0_i32;
    let mut braces = 0_i32;
    for (at, character) in code.char_indices() {
        match character {
            '(' | '[' if braces == 0 => nested += 1,
            ')' | ']' if braces == 0 => nested -= 1,
            ';' if braces == 0 && nested == 0 => return None,
            '{' if nested == 0 => braces += 1,
            '}' if nested == 0 => {
                braces -= 1;
                if braces <= 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn told(path: &str, text: &str) -> Vec<String> {
        check(&file(path, text))
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.what))
            .collect()
    }

    #[test]
    fn a_long_file_is_told_once() {
        assert!(told("a.rs", &"// x\n".repeat(500)).is_empty());
        let told = told("a.rs", &"// x\n".repeat(501));
        assert_eq!(told.len(), 1);
        assert!(
            told.iter().all(|line| line.starts_with("501: 501 lines")),
            "{told:?}"
        );
    }

    #[test]
    fn a_long_function_is_told_with_its_name_and_line() {
        let long = |lines: usize| {
            format!(
                "// first\npub fn long() {{\n{}}}\n",
                "    f();\n".repeat(lines - 2)
            )
        };
        assert!(told("a.rs", &long(70)).is_empty());
        assert_eq!(
            told("a.rs", &long(71)),
            ["2: `long` has 71 lines, more than 70: give its parts names"]
        );
    }

    #[test]
    fn braces_in_texts_and_signatures_do_not_mislead() {
        let code = code_only(
            "trait T { fn only_named(&self) -> [u8; 4]; }\n\
             fn one(x: [u8; { 2 + 1 }]) -> fn(u8) -> u8 {\n    f(\"}\"); '}';\n}\n\
             fn two() { if a { b } }\n",
        );
        let names: Vec<(String, usize)> = functions(&code)
            .into_iter()
            .map(|function| (function.name, function.lines))
            .collect();
        assert_eq!(names, [("one".to_owned(), 3), ("two".to_owned(), 1)]);
    }

    #[test]
    fn what_is_left_over_is_told_wherever_it_stands() {
        for marker in MARKERS {
            assert_eq!(
                told("a.md", &format!("fine\nhere ({marker}: later)\n")).len(),
                1
            );
            assert!(told("a.md", &format!("a{marker} {marker}b\n")).is_empty());
        }
        assert_eq!(told("a.rs", "fn f() {\n    todo!(\"x\")\n}\n").len(), 1);
        assert_eq!(told("a.rs", "fn f() {\n    unimplemented!()\n}\n").len(), 1);
        assert!(told("a.rs", "fn f() {\n    f(\"todo!\")\n}\n").is_empty());
    }

    #[test]
    fn a_test_that_does_not_run_is_told() {
        assert_eq!(
            told("a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n").len(),
            1
        );
        assert_eq!(
            told("a.rs", "#[cfg_attr(miri, ignore)]\nfn f() {}\n").len(),
            1
        );
        assert!(told("a.rs", "// #[ignore]\nfn f() { g(\"#[ignore]\") }\n").is_empty());
    }
}
