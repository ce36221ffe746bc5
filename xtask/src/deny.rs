//! The step that looks at dependencies: licences, bans and sources always; advisories where their database can be had.

use crate::project::{Project, run};

/// Runs the checks and says what could not be checked.
pub(crate) fn check(project: &Project) -> Result<Option<String>, String> {
    run(&mut project.cargo(&[
        "deny",
        "--locked",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ]))?;
    // Without a network the fetch may wait for ever.
    let mut fetch = project.program("timeout");
    fetch.args(["120", "cargo", "deny", "--locked", "fetch", "db"]);
    if let Err(message) = run(&mut fetch) {
        println!("advisories were NOT checked: their database could not be fetched ({message})");
        return Ok(Some(
            "advisories not checked: their database could not be fetched".to_owned(),
        ));
    }
    run(&mut project.cargo(&["deny", "--locked", "check", "advisories"]))?;
    Ok(Some("with advisories".to_owned()))
}
