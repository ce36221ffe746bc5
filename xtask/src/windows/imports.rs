//! What the exe may ask of Windows: functions that Windows 10 1607 and Server 2016 have, each looked up once.

use super::pe::Import;

/// The list: a line for each DLL, its functions behind a colon.
const LIST: &str = include_str!("imports.txt");

/// The functions of a DLL that may be asked for.
fn known(dll: &str) -> impl Iterator<Item = &'static str> {
    let dll = dll.to_owned();
    LIST.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .filter(move |(name, _)| *name == dll)
        .flat_map(|(_, functions)| functions.split_whitespace())
}

/// Refuses what the list does not have; says how much was asked for.
pub(super) fn check(imports: &[Import]) -> Result<String, String> {
    let mut count = 0_usize;
    let mut unknown = Vec::new();
    for import in imports {
        let known: Vec<&str> = known(&import.dll).collect();
        for function in &import.functions {
            count += 1;
            if !known.contains(&function.as_str()) {
                unknown.push(format!("{}: {function}", import.dll));
            }
        }
    }
    if unknown.is_empty() {
        return Ok(format!(
            "{count} functions of {} DLLs, all of which Windows 10 1607 and Server 2016 have",
            imports.len()
        ));
    }
    Err(format!(
        "the exe asks Windows for what nobody has looked up: where Windows 10 1607 and Server 2016 have it, write it \
         into xtask/src/windows/imports.txt\n{}",
        unknown.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(dll: &str, function: &str) -> Import {
        Import {
            dll: dll.to_owned(),
            functions: vec![function.to_owned()],
        }
    }

    #[test]
    fn only_what_the_list_has_may_be_asked_for() {
        assert!(check(&[import("kernel32.dll", "CloseHandle")]).is_ok());
        let error = check(&[import("kernel32.dll", "NotThereYet")]);
        assert!(error.is_err_and(|text| text.ends_with("\nkernel32.dll: NotThereYet")));
        assert!(check(&[import("vcruntime140.dll", "memcpy")]).is_err());
    }

    #[test]
    fn the_list_is_sorted_and_names_each_dll_once() {
        let dlls: Vec<&str> = LIST
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(':'))
            .map(|(dll, _)| dll)
            .collect();
        assert!(dlls.is_sorted_by(|one, other| one < other), "{dlls:?}");
    }
}
