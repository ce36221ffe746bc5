//! The folder of config and data. What stands there runs as the service, and each who has an account may make folders
//! beside it: so installing gives it to administrators and the service alone, and the service starts from nowhere where
//! others may write.

use super::security::{self, Made};
use crate::rights::{
    Descriptor, Sid,
    writers::{self, Stranger},
};
use std::{
    fs::{self, File},
    io,
    os::windows::fs::MetadataExt,
    path::{Path, PathBuf},
};
use windows_sys::Win32::Storage::FileSystem::FILE_ATTRIBUTE_REPARSE_POINT;

/// Files and folders that are taken over, at most.
const ENTRIES_MAX: usize = 10_000;
/// How many that belong to others are named.
const NAMED: usize = 3;

/// Why a folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Windows refuses something.
    #[error("{path} cannot be {doing}: {source}", path = path.display())]
    Refused {
        /// What.
        path: PathBuf,
        /// What was to be done.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// It leads elsewhere.
    #[error("{path} is a link, and what it leads to is left as it is; remove it, and run this again", path = .0.display())]
    Link(PathBuf),
    /// There is something else.
    #[error("{path} is no folder; remove it, and run this again", path = .0.display())]
    NotAFolder(PathBuf),
    /// Somebody else put files there before.
    #[error(
        "{} there already and not an administrator's: {}. Look at what stands in there and remove it, or take it with `takeown /f PATH /a`, and run this again",
        if .0.len() == 1 { "a file is" } else { "files are" },
        named(.0)
    )]
    OfOthers(Vec<(PathBuf, String)>),
    /// It is no folder of ours.
    #[error("{path} holds more than {ENTRIES_MAX} files, which no folder of svcwatch does", path = .0.display())]
    TooMany(PathBuf),
    /// Others may write what the service would run by.
    #[error("{}", refusal(path, stranger))]
    Open {
        /// What.
        path: PathBuf,
        /// Who.
        stranger: Stranger,
    },
}

fn named(files: &[(PathBuf, String)]) -> String {
    let first = files.iter().take(NAMED);
    let mut named: Vec<String> = first
        .map(|(path, who)| format!("{} is {who}'s", path.display()))
        .collect();
    if files.len() > NAMED {
        named.push("and more".to_owned());
    }
    named.join(", ")
}

fn refusal(path: &Path, stranger: &Stranger) -> String {
    let who = match stranger {
        Stranger::Owns(sid) => format!("it belongs to {}", security::name_of(sid)),
        Stranger::Writes(sid) => format!("{} may change it", security::name_of(sid)),
        Stranger::Everybody => "everybody may change it".to_owned(),
        Stranger::Unknown(why) => format!("who may change it is not known ({why})"),
    };
    let path_text = path.display();
    let mend = if is_in_usual_folder(path) {
        "run `svcwatch service install` from an elevated prompt, which gives that folder to administrators and the service alone".to_owned()
    } else {
        let usual = super::data_folder().unwrap_or_default();
        format!(
            "put it into {}, or from an elevated prompt run `icacls \"{path_text}\" /setowner *S-1-5-32-544` and `icacls \"{path_text}\" /inheritance:r /grant:r *S-1-5-18:{flags}F *S-1-5-32-544:{flags}F`, with the account of the service too where it has one",
            usual.display(),
            flags = if path.is_dir() { "(OI)(CI)" } else { "" }
        )
    };
    format!("{path_text}: {who}, and what stands there runs as the service; {mend}")
}

/// Whether it is the folder where config and data are kept unless somebody says otherwise, or in it.
pub fn is_in_usual_folder(path: &Path) -> bool {
    let text = |path: &Path| path.display().to_string().to_lowercase();
    let Some(usual) = super::data_folder() else {
        return false;
    };
    Path::new(&text(path)).starts_with(text(&usual))
}

fn refused(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Refused {
        path,
        doing,
        source,
    }
}

/// The account of a service; none for the system's own.
pub fn account(name: &str) -> io::Result<Option<Sid>> {
    if name.eq_ignore_ascii_case("LocalSystem") {
        return Ok(None);
    }
    let sid = super::logon_right::sid_of(name)?;
    security::account(&sid).map(Some)
}

/// Who may be there beside the system and administrators: the account that this process runs as.
pub fn own_account() -> io::Result<Sid> {
    security::own_account()
}

/// Whether nobody but the system, administrators and `ours` may change a file or folder. What is not there is well.
pub fn check(path: &Path, ours: &[Sid]) -> Result<(), FolderError> {
    const DOING: &str = "looked at";
    let file = match security::opened(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(path, DOING)(error)),
    };
    let descriptor = security::read(&file).map_err(refused(path, DOING))?;
    match writers::stranger(&descriptor, ours) {
        None => Ok(()),
        Some(stranger) => Err(FolderError::Open {
            path: path.to_owned(),
            stranger,
        }),
    }
}

/// The list of who may do what: everything for the system, administrators and the account, and nothing for others.
fn list(flags: &str, account: Option<&Sid>) -> String {
    let account = account.map(Sid::as_str);
    let all = ["SY", "BA"].into_iter().chain(account);
    let entries: Vec<String> = all.map(|who| format!("(A;{flags};FA;;;{who})")).collect();
    entries.concat()
}

/// Makes the folder, or takes it over with all that is in it, for the system, administrators and the account of the
/// service alone. Files of others in it are left alone, and are an error.
pub fn take_over(folder: &Path, account: Option<&Sid>) -> Result<(), FolderError> {
    const TAKEN: &str = "given to administrators";
    security::as_administrator().map_err(refused(folder, TAKEN))?;
    super::make_private_folder(folder).map_err(refused(folder, "made"))?;
    let own = security::own_account().map_err(refused(folder, TAKEN))?;
    let ours: Vec<Sid> = account.cloned().into_iter().chain([own]).collect();
    let made = |head: &str, flags: &str| {
        let made = Made::of(&(head.to_owned() + &list(flags, account)));
        made.map_err(refused(folder, TAKEN))
    };
    let top = made("O:BAD:P", "OICI")?;
    // As if it came from above, which it does for whatever is made there later.
    let below = made("O:BAD:ARAI", "OICIID")?;
    let file = made("O:BAD:ARAI", "ID")?;

    // First of all nobody else gets in any more; then what is there is looked at, and only then taken.
    let open = plain(folder)?;
    if !is_folder(&open, folder)? {
        return Err(FolderError::NotAFolder(folder.to_owned()));
    }
    security::set(&open, &top).map_err(refused(folder, TAKEN))?;
    let entries = entries(folder)?;
    let mut of_others = Vec::new();
    for (path, open, _) in &entries {
        let text = security::read(open).map_err(refused(path, "looked at"))?;
        let read = Descriptor::read(&text).ok();
        let known = read
            .as_ref()
            .is_some_and(|read| writers::is_owner_known(read, &ours));
        if !known {
            let owner = read.and_then(|read| read.owner);
            let who = owner.map_or_else(|| "nobody".to_owned(), |sid| security::name_of(&sid));
            of_others.push((path.clone(), who));
        }
    }
    if !of_others.is_empty() {
        return Err(FolderError::OfOthers(of_others));
    }
    for (path, open, is_folder) in &entries {
        let descriptor = if *is_folder { &below } else { &file };
        security::set(open, descriptor).map_err(refused(path, TAKEN))?;
    }
    Ok(())
}

/// Opens a file or folder to set who may do what there, unless it leads elsewhere.
fn plain(path: &Path) -> Result<File, FolderError> {
    let open = security::opened_to_set(path).map_err(refused(path, "opened"))?;
    let metadata = open.metadata().map_err(refused(path, "looked at"))?;
    if metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        return Err(FolderError::Link(path.to_owned()));
    }
    Ok(open)
}

fn is_folder(open: &File, path: &Path) -> Result<bool, FolderError> {
    let metadata = open.metadata().map_err(refused(path, "looked at"))?;
    Ok(metadata.is_dir())
}

/// All that is in a folder, opened, each with whether it is a folder itself.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, File, bool)>, FolderError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let listed = fs::read_dir(&next).map_err(refused(&next, "listed"))?;
        for entry in listed {
            let path = entry.map_err(refused(&next, "listed"))?.path();
            if found.len() >= ENTRIES_MAX {
                return Err(FolderError::TooMany(folder.to_owned()));
            }
            let open = plain(&path)?;
            let is_folder = is_folder(&open, &path)?;
            if is_folder {
                folders.push(path.clone());
            }
            found.push((path, open, is_folder));
        }
    }
    Ok(found)
}
