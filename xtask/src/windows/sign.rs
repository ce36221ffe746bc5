//! The signature of the exe. Its key comes from outside, and no build needs one.

use std::env::var_os;
use std::fs;
use std::path::Path;

use crate::project::{Project, run};

/// Signs a file in place where there is a key, and says what was done.
pub(crate) fn sign(project: &Project, file: &Path) -> Result<String, String> {
    let given = |name: &str| var_os(name).filter(|value| !value.is_empty());
    let (certificate, key) = match (
        given("SVCWATCH_SIGN_CERTIFICATE"),
        given("SVCWATCH_SIGN_KEY"),
    ) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => return Ok("not signed: no key was given".to_owned()),
        _ => {
            return Err(
                "SVCWATCH_SIGN_CERTIFICATE and SVCWATCH_SIGN_KEY belong together, and only one is set"
                    .to_owned(),
            );
        }
    };
    let signed = file.with_extension("signed");
    let mut command = project.program("osslsigncode");
    command
        .args(["sign", "-h", "sha256", "-n", "svcwatch"])
        .arg("-certs")
        .arg(certificate)
        .arg("-key")
        .arg(key);
    if let Some(password) = given("SVCWATCH_SIGN_PASSWORD_FILE") {
        command.arg("-readpass").arg(password);
    }
    let timestamp = given("SVCWATCH_SIGN_TIMESTAMP");
    if let Some(server) = &timestamp {
        command.arg("-ts").arg(server);
    }
    command.arg("-in").arg(file).arg("-out").arg(&signed);
    // It refuses to write over a file that is there.
    if signed.exists() {
        fs::remove_file(&signed).map_err(|error| format!("{}: {error}", signed.display()))?;
    }
    run(&mut command)?;
    fs::rename(&signed, file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(if timestamp.is_some() {
        "signed, with a time stamp".to_owned()
    } else {
        "signed without a time stamp, so only as long as the certificate is valid".to_owned()
    })
}
