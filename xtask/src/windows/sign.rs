//! The signature of the exe and of the installer. Its key comes from outside, and no build needs one.

use std::env::var_os;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::project::{Project, run};

/// What is signed with.
struct Signer {
    /// The certificate with its chain, in PEM.
    certificate: OsString,
    /// Its key, in PEM.
    key: OsString,
    /// A file with the key's password, where it has one.
    password: Option<OsString>,
    /// A server of time stamps.
    timestamp: Option<OsString>,
}

impl Signer {
    /// As it is given from outside; nothing where no key is.
    fn given(of: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, String> {
        let given = |name: &str| of(name).filter(|value| !value.is_empty());
        match (
            given("SVCWATCH_SIGN_CERTIFICATE"),
            given("SVCWATCH_SIGN_KEY"),
        ) {
            (Some(certificate), Some(key)) => Ok(Some(Self {
                certificate,
                key,
                password: given("SVCWATCH_SIGN_PASSWORD_FILE"),
                timestamp: given("SVCWATCH_SIGN_TIMESTAMP"),
            })),
            (None, None) => Ok(None),
            _ => Err(
                "SVCWATCH_SIGN_CERTIFICATE and SVCWATCH_SIGN_KEY belong together, and only one is set"
                    .to_owned(),
            ),
        }
    }

    /// Signs a file in place.
    fn sign(&self, project: &Project, file: &Path) -> Result<(), String> {
        let signed = file.with_extension("signed");
        let mut command = project.program("osslsigncode");
        command
            .args(["sign", "-h", "sha256", "-n", "svcwatch"])
            .arg("-certs")
            .arg(&self.certificate)
            .arg("-key")
            .arg(&self.key);
        if let Some(password) = &self.password {
            command.arg("-readpass").arg(password);
        }
        if let Some(server) = &self.timestamp {
            command.arg("-ts").arg(server);
        }
        command.arg("-in").arg(file).arg("-out").arg(&signed);
        // It refuses to write over a file that is there.
        if signed.exists() {
            fs::remove_file(&signed).map_err(|error| format!("{}: {error}", signed.display()))?;
        }
        run(&mut command)?;
        fs::rename(&signed, file).map_err(|error| format!("{}: {error}", file.display()))
    }
}

/// Signs a file in place where there is a key, and says what was done.
pub(crate) fn sign(project: &Project, file: &Path) -> Result<String, String> {
    let Some(signer) = Signer::given(|name| var_os(name))? else {
        return Ok("not signed: no key was given".to_owned());
    };
    signer.sign(project, file)?;
    Ok(if signer.timestamp.is_some() {
        "signed, with a time stamp".to_owned()
    } else {
        "signed without a time stamp, so only as long as the certificate is valid".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    /// The password of the throwaway key.
    const PASSWORD: &str = "throwaway";

    /// A folder with a certificate that signs itself, its key, and that key once more with a password.
    struct Place {
        folder: TempDir,
        project: Project,
    }

    impl Place {
        fn new() -> Self {
            let place = Self {
                folder: TempDir::new().expect("a folder can be made"),
                project: Project::find().unwrap_or_else(|_| panic!("tests run in the project")),
            };
            place.done(
                "openssl",
                &[
                    "req",
                    "-x509",
                    "-newkey",
                    "rsa:2048",
                    "-nodes",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=svcwatch throwaway",
                    "-addext",
                    "extendedKeyUsage=codeSigning",
                    "-addext",
                    "keyUsage=digitalSignature",
                    "-keyout",
                    "key.pem",
                    "-out",
                    "certificate.pem",
                ],
            );
            let to = format!("pass:{PASSWORD}");
            place.done(
                "openssl",
                &[
                    "rsa",
                    "-aes256",
                    "-in",
                    "key.pem",
                    "-out",
                    "locked.pem",
                    "-passout",
                    &to,
                ],
            );
            fs::write(place.path("password"), PASSWORD).expect("a file can be written");
            place
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// A program in the folder, which `cargo xtask peers` installs.
        fn ended(&self, program: &str, words: &[&str]) -> (bool, String) {
            let mut command = Command::new(program);
            let output = command.args(words).current_dir(self.folder.path()).output();
            let output = output.unwrap_or_else(|error| {
                panic!("{program}: {error}; run `cargo xtask peers`, which installs it")
            });
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            (output.status.success(), said)
        }

        fn done(&self, program: &str, words: &[&str]) {
            let (well, said) = self.ended(program, words);
            assert!(well, "{program} {words:?}: {said}");
        }

        fn signer(&self, key: &str, password: Option<&str>) -> Signer {
            let path = |name: &str| Some(self.path(name).into_os_string());
            let given = Signer::given(|name| match name {
                "SVCWATCH_SIGN_CERTIFICATE" => path("certificate.pem"),
                "SVCWATCH_SIGN_KEY" => path(key),
                "SVCWATCH_SIGN_PASSWORD_FILE" => password.and_then(path),
                _ => None,
            });
            given.ok().flatten().expect("both are given")
        }

        /// Whether a file bears a good signature of the certificate.
        fn is_signed(&self, name: &str) -> (bool, String) {
            let words = ["verify", "-CAfile", "certificate.pem", "-in", name];
            self.ended("osslsigncode", &words)
        }

        /// Signs a file and holds it against the certificate; then a file in which one byte is another one.
        fn sign_and_verify(&self, name: &str, signer: &Signer, changed_at: usize) {
            let (well, said) = self.is_signed(name);
            assert!(!well, "{name} is not signed yet: {said}");
            // What an earlier run left behind is no hindrance.
            fs::write(self.path(name).with_extension("signed"), "old").expect("it can be written");
            let signed = signer.sign(&self.project, &self.path(name));
            assert_eq!(signed, Ok(()), "{name}");
            let (well, said) = self.is_signed(name);
            assert!(well, "{name}: {said}");
            let mut bytes = fs::read(self.path(name)).expect("it is there");
            bytes[changed_at] ^= 1;
            let changed = format!("changed-{name}");
            fs::write(self.path(&changed), bytes).expect("it can be written");
            let (well, said) = self.is_signed(&changed);
            assert!(!well, "{changed} is not what was signed: {said}");
            assert!(!self.path(name).with_extension("signed").exists());
        }
    }

    #[test]
    fn an_exe_and_an_installer_are_signed_so_that_they_verify() {
        let place = Place::new();
        fs::write(place.path("small.c"), "int main(void) { return 0; }\n")
            .expect("it can be written");
        place.done(
            "x86_64-w64-mingw32-gcc",
            &["-s", "-o", "small.exe", "small.c"],
        );
        let exe = fs::read(place.path("small.exe")).expect("it was made");
        let text = exe.windows(5).position(|part| part == b"This ");
        let text = text.expect("an exe says what it cannot be run in");
        place.sign_and_verify("small.exe", &place.signer("key.pem", None), text);

        fs::write(
            place.path("small.wxs"),
            r#"<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
              <Product Id="*" Name="small" Language="1033" Version="1.0.0" Manufacturer="small"
                       UpgradeCode="B3D27C1A-5F0E-4C2B-9B57-3E7F0A6C1D43">
                <Package InstallerVersion="500" Compressed="yes"/>
                <Media Id="1" Cabinet="small.cab" EmbedCab="yes"/>
                <Directory Id="TARGETDIR" Name="SourceDir">
                  <Component Id="Small" Guid="5D0E3C1B-8B0A-4C9C-8A55-2C7C1F4E9AFF">
                    <File Id="small" Name="small.c" Source="small.c" KeyPath="yes"/>
                  </Component>
                </Directory>
                <Feature Id="All" Level="1"><ComponentRef Id="Small"/></Feature>
              </Product>
            </Wix>"#,
        )
        .expect("it can be written");
        place.done("wixl", &["-o", "small.msi", "small.wxs"]);
        let msi = fs::read(place.path("small.msi")).expect("it was made");
        let name = msi.windows(5).position(|part| part == b"small");
        let name = name.expect("the installer says its name");
        // The key may be locked.
        let signer = place.signer("locked.pem", Some("password"));
        place.sign_and_verify("small.msi", &signer, name);
    }

    #[test]
    fn a_signature_that_cannot_be_made_is_an_error_and_leaves_the_file() {
        let place = Place::new();
        fs::write(place.path("no.exe"), "no program").expect("it can be written");
        let signer = place.signer("key.pem", None);
        assert!(signer.sign(&place.project, &place.path("no.exe")).is_err());
        assert_eq!(
            fs::read(place.path("no.exe")).ok().as_deref(),
            Some(b"no program".as_slice())
        );
        let one = Signer::given(|name| (name == "SVCWATCH_SIGN_KEY").then(|| "key.pem".into()));
        assert!(one.is_err_and(|said| said.contains("belong together")));
        // A variable that is set to nothing is as good as none.
        assert!(matches!(Signer::given(|_| Some(OsString::new())), Ok(None)));
    }
}
