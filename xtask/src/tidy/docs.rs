//! The docs name only commands, options and files that exist.

use std::collections::BTreeMap;
use std::path::Path;

use super::Finding;
use super::tree::File;
use crate::COMMANDS;
use crate::project::{Project, read, run};

/// Languages of code blocks in which commands stand. A block without a language is one of them.
const SHELLS: &[&str] = &["", "sh", "bash", "shell", "console", "powershell"];

/// Words that end a command on its line.
const ENDS: &[&str] = &["|", "||", "&&", ";", "#", ">", ">>", "<", "&"];

/// A word that svcwatch must not know. If it does, asking it for its commands proves nothing.
const NO_COMMAND: &str = "no-such-command";

/// A command that a page names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    path: String,
    line: usize,
    /// The command.
    word: String,
    /// The long options that stand behind it.
    options: Vec<String>,
}

impl Mention {
    fn finding(&self, what: String) -> Finding {
        Finding {
            path: self.path.clone(),
            line: self.line,
            what,
        }
    }
}

/// Every command of svcwatch that the pages name.
pub(super) fn mentions(files: &[File]) -> Vec<Mention> {
    files
        .iter()
        .filter(|file| file.is_page())
        .flat_map(|file| mentions_in(file, after_program))
        .collect()
}

/// Asks the built svcwatch for every command and option that the pages name.
pub(super) fn check_program(
    project: &Project,
    mentions: &[Mention],
) -> Result<Vec<Finding>, String> {
    // The word `--examples` makes cargo take the same features of dependencies as for the tests, which otherwise
    // would have to be built twice.
    run(&mut project.cargo(&["build", "--locked", "--workspace", "--bins", "--examples"]))?;
    let tool = std::env::current_exe()
        .map_err(|error| format!("where this tool was built is not known: {error}"))?;
    let built = tool
        .parent()
        .and_then(Path::parent)
        .unwrap_or(&project.root);
    let program = built
        .join("debug")
        .join(format!("svcwatch{}", std::env::consts::EXE_SUFFIX));
    let program = program.to_string_lossy();
    let ask =
        |word: &str| read(project.program(&program).args([word, "--help"])).unwrap_or_default();
    if !ask(NO_COMMAND).is_empty() {
        return Err(format!(
            "svcwatch answers to `{NO_COMMAND}`, so its commands cannot be checked"
        ));
    }
    let mut helps = BTreeMap::new();
    let mut findings = Vec::new();
    for mention in mentions {
        let help: &String = helps
            .entry(mention.word.clone())
            .or_insert_with(|| ask(&mention.word));
        findings.extend(compare("svcwatch", mention, help));
    }
    Ok(findings)
}

/// Holds what a page names of this tool against its own commands.
pub(super) fn check_own_commands(file: &File) -> Vec<Finding> {
    if !file.is_page() && !file.path.starts_with(".ci/") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for mention in mentions_in(file, after_xtask) {
        let command = COMMANDS.iter().find(|command| command.name == mention.word);
        let help = command.map(|command| command.help).unwrap_or_default();
        findings.extend(compare("cargo xtask", &mention, help));
    }
    findings
}

/// Compares a mention with the help of its command, which is empty where there is no such command.
fn compare(program: &str, mention: &Mention, help: &str) -> Vec<Finding> {
    let Mention { word, options, .. } = mention;
    if help.is_empty() {
        let what = format!(
            "`{program} {word}` does not exist: name a command that does, or say it in words"
        );
        return vec![mention.finding(what)];
    }
    options
        .iter()
        .filter(|option| !knows(help, option))
        .map(|option| {
            mention.finding(format!(
                "`{program} {word}` has no option {option}: see its --help"
            ))
        })
        .collect()
}

/// Whether the help names this option, not only a longer one.
fn knows(help: &str, option: &str) -> bool {
    help.match_indices(option).any(|(at, _)| {
        let after = help
            .get(at + option.len()..)
            .and_then(|after| after.chars().next());
        !after.is_some_and(|character| character.is_alphanumeric() || character == '-')
    })
}

/// The commands in the code of a page; in another file each line is code.
fn mentions_in(file: &File, start: fn(&[&str]) -> Option<usize>) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut fence: Option<bool> = None;
    for (at, line) in file.text.lines().enumerate() {
        let trimmed = line.trim_start();
        if file.is_page()
            && let Some(language) = trimmed.strip_prefix("```")
        {
            let language = language.split([' ', ',', '{']).next().unwrap_or_default();
            fence = match fence {
                None => Some(SHELLS.contains(&language)),
                Some(_) => None,
            };
            continue;
        }
        let code: Vec<&str> = match fence {
            Some(true) => vec![line],
            Some(false) => Vec::new(),
            None if !file.is_page() => vec![line],
            None => line.split('`').skip(1).step_by(2).collect(),
        };
        for piece in code {
            let words: Vec<&str> = piece.split_whitespace().collect();
            found.extend(parse(&words, start).map(|(word, options)| Mention {
                path: file.path.clone(),
                line: at + 1,
                word,
                options,
            }));
        }
    }
    found
}

/// The command that stands in these words, with its options.
fn parse(words: &[&str], start: fn(&[&str]) -> Option<usize>) -> Option<(String, Vec<String>)> {
    let mut rest = words.iter().skip(start(words)?);
    let word = *rest.next()?;
    let named = word.starts_with(|first: char| first.is_ascii_lowercase())
        && word
            .chars()
            .all(|character| character.is_ascii_lowercase() || character == '-');
    if !named {
        return None;
    }
    let options = rest
        .take_while(|word| !ENDS.contains(word))
        .flat_map(|word| word.split(['|', '[', ']', '(', ')']))
        .filter(|part| part.starts_with("--") && part.len() > 2)
        .map(|part| part.split('=').next().unwrap_or(part))
        .map(|part| part.trim_end_matches(['…', ',', '.']).to_owned())
        .collect();
    Some((word.to_owned(), options))
}

/// Where the words behind `svcwatch`, or behind `cargo run … --`, begin.
fn after_program(words: &[&str]) -> Option<usize> {
    let runs = words.windows(2).any(|pair| pair == ["cargo", "run"]);
    if runs {
        return words.iter().position(|word| *word == "--").map(|at| at + 1);
    }
    let named = |word: &&str| {
        *word == "svcwatch" || word.ends_with("/svcwatch") || word.ends_with("svcwatch.exe")
    };
    words.iter().position(named).map(|at| at + 1)
}

/// Where the words behind `cargo xtask` begin.
fn after_xtask(words: &[&str]) -> Option<usize> {
    words
        .windows(2)
        .position(|pair| pair == ["cargo", "xtask"])
        .map(|at| at + 2)
}

/// Links of a page to files of the tree that are not there.
pub(super) fn check_links(file: &File, files: &[File]) -> Vec<Finding> {
    if !file.is_page() {
        return Vec::new();
    }
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for (start, _) in line.match_indices("](") {
            let link = line
                .get(start + 2..)
                .and_then(|link| link.split(')').next());
            let target = link
                .and_then(|link| link.split('#').next())
                .unwrap_or_default();
            if target.is_empty() || target.contains(':') {
                continue;
            }
            let path = resolve(folder, target);
            let below = format!("{path}/");
            let there = files
                .iter()
                .any(|other| other.path == path || other.path.starts_with(&below));
            if !there {
                let what = format!("links to {target}, which is not there: mend the link");
                findings.push(Finding::new(file, at + 1, what));
            }
        }
    }
    findings
}

/// The path from the project's folder that a link in this folder means.
fn resolve(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> File {
        File {
            path: "docs/page.md".to_owned(),
            text: text.to_owned(),
        }
    }

    fn named(text: &str) -> Vec<String> {
        mentions(&[page(text)])
            .into_iter()
            .map(|mention| {
                format!(
                    "{} {} {}",
                    mention.line,
                    mention.word,
                    mention.options.join(",")
                )
            })
            .collect()
    }

    #[test]
    fn commands_are_found_in_code_only() {
        let text = "svcwatch tells you. Run `svcwatch run -c FILE` or `svcwatch --version`.\n\
                    ```sh\n$ sudo /usr/bin/svcwatch check --connect -c a.yaml | less --raw\n\
                    cargo run --release -- demo --hosts=5\n```\n```yaml\nname: svcwatch run\n```\n";
        assert_eq!(
            named(text),
            ["1 run ", "3 check --connect", "4 demo --hosts"]
        );
    }

    #[test]
    fn options_are_found_among_brackets_and_choices() {
        assert_eq!(
            named("`svcwatch services HOST [--port N] [--user U|--password-file F] -o json`"),
            ["1 services --port,--user,--password-file"]
        );
    }

    #[test]
    fn a_command_or_option_that_is_not_there_is_told() {
        let mention = |options: &[&str]| Mention {
            path: "a.md".to_owned(),
            line: 1,
            word: "run".to_owned(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
        };
        assert_eq!(compare("svcwatch", &mention(&[]), "").len(), 1);
        assert!(compare("svcwatch", &mention(&["--data"]), "--data DIR  …").is_empty());
        assert_eq!(
            compare("svcwatch", &mention(&["--data"]), "--data-dir DIR").len(),
            1
        );
    }

    #[test]
    fn commands_of_this_tool_are_held_against_its_list() {
        assert!(
            check_own_commands(&page("`cargo xtask sim --seeds 5`, then `cargo xtask ci`"))
                .is_empty()
        );
        assert_eq!(check_own_commands(&page("`cargo xtask fly`")).len(), 1);
        assert_eq!(
            check_own_commands(&page("```sh\ncargo xtask ci --fast\n```")).len(),
            1
        );
    }

    #[test]
    fn links_are_followed_from_the_page() {
        let files = [
            page(""),
            File {
                path: "README.md".to_owned(),
                text: String::new(),
            },
        ];
        let told = |text: &str| check_links(&page(text), &files).len();
        assert_eq!(
            told("[a](../README.md#top) [b](page.md) [c](https://example.org) [d](#here) [e](..)"),
            1
        );
        assert_eq!(told("[a](missing.md)"), 1);
        assert_eq!(told("[folder](../docs)"), 0);
    }
}
