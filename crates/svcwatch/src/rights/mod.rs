//! Who may read the services of a host: a security descriptor with the query rights of a group added, or taken away.
//!
//! Nothing here touches a host. The descriptor comes from `sc.exe sdshow` and goes back by `sc.exe sdset`; only the one
//! entry is put in or taken out, and every other character stays as it was. The script of docs/rights.md computes the
//! same, and both are held against `tests/data/rights/vectors.csv`.

mod entry;
mod sddl;
mod sid;
#[cfg(test)]
mod tests;
pub mod writers;

pub use entry::{Entry, Kind};
pub use sddl::Descriptor;
pub use sid::{Group, Sid};

use thiserror::Error;

/// The rights that a service has and the service control manager has not (MS-SCMR 3.1.4, the tables of access rights):
/// pause, interrogate and user-defined control.
const OF_SERVICES_ONLY: u32 = 0x1c0;
/// All rights of one kind of object, without the generic ones.
const SPECIFIC: u32 = 0x1ff;

/// Why rights are not added or taken away.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RightsError {
    /// The text is no descriptor.
    #[error("{what} (character {at})")]
    Text {
        /// Where, in characters from 1.
        at: usize,
        /// What is wrong there.
        what: String,
    },
    /// Rights are not given to this group.
    #[error("{group} {why}")]
    Group {
        /// As it was given.
        group: String,
        /// Why not.
        why: &'static str,
    },
    /// There is no list of who may do what, so everybody may do everything.
    #[error(
        "the descriptor has no list behind `D:`, which lets everybody do everything; one entry would shut out all others, so look how that came about first"
    )]
    NoList,
    /// An entry denies to the group what would be given.
    #[error(
        "the entry {entry} denies the group what would be given, and a denial wins; take that entry away first, if it is not meant"
    )]
    Denied {
        /// The entry.
        entry: String,
    },
    /// The descriptor is of a service, but that of the manager was announced.
    #[error(
        "this is the descriptor of a service, not of the service control manager: {who} has rights in it that only services have. `RP` would be the right to start the service; leave out `--for manager`"
    )]
    OfAService {
        /// Who has them.
        who: &'static str,
    },
}

/// What a descriptor belongs to. The same letters mean different rights, so the two are never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Object {
    /// The service control manager.
    Manager,
    /// A service.
    Service,
}

impl Object {
    /// The rights that reading needs, as letters: for the manager connect, enumerate, query the lock and read the
    /// descriptor; for a service query its configuration, query its status and read the descriptor.
    pub const fn letters(self) -> &'static str {
        match self {
            Self::Manager => "CCLCRPRC",
            Self::Service => "CCLCRC",
        }
    }

    /// The same as bits.
    pub const fn rights(self) -> u32 {
        match self {
            Self::Manager => 0x2_0015,
            Self::Service => 0x2_0005,
        }
    }

    /// The same in words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Manager => {
                "on the service control manager: connect, list the services, see whether it is locked, read who may do what"
            }
            Self::Service => {
                "on the service: read its configuration, read its status, read who may do what"
            }
        }
    }

    /// The word of the command line and of JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Service => "service",
        }
    }
}

/// A descriptor before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As it was.
    pub old: String,
    /// As it shall be; the same as `old` where there is nothing to do.
    pub new: String,
    /// The entry that was put in or taken out.
    pub entry: String,
    /// What is good to know, each a sentence as a fragment.
    pub notes: Vec<String>,
}

impl Change {
    /// Whether there is anything to do.
    pub fn is_needed(&self) -> bool {
        self.old != self.new
    }
}

/// Adds the query rights of a group. Where it has them already, nothing changes.
pub fn grant(sddl: &str, group: &Group, object: Object) -> Result<Change, RightsError> {
    let mut descriptor = read(sddl, object)?;
    let mine = |entry: &&Entry| entry.who == *group.sid();
    let wanted = object.rights();
    let denial = descriptor
        .entries
        .iter()
        .filter(mine)
        .find(|entry| entry.denies() && may_hold(entry.rights, wanted));
    if let Some(denial) = denial {
        return Err(RightsError::Denied {
            entry: denial.text.clone(),
        });
    }
    let has = descriptor
        .entries
        .iter()
        .filter(mine)
        .filter(|entry| entry.allows())
        .fold(0, |all, entry| all | entry.rights);
    let old = descriptor.to_string();
    let entry = Entry::allowing(object.letters(), wanted, group.sid());
    let mut notes = notes(&descriptor, wanted);
    if has & !wanted != 0 {
        notes.push("the group has other rights here too, which are left as they are; a monitor needs none of them".to_owned());
    }
    let text = entry.text.clone();
    if has & wanted == wanted {
        notes.push("the group has these rights already".to_owned());
    } else {
        descriptor.add(entry);
    }
    Ok(Change {
        new: descriptor.to_string(),
        old,
        entry: text,
        notes,
    })
}

/// Takes away what [`grant`] adds, and nothing else: the entries of exactly these rights.
pub fn revoke(sddl: &str, group: &Group, object: Object) -> Result<Change, RightsError> {
    let mut descriptor = read(sddl, object)?;
    let old = descriptor.to_string();
    let ours = |entry: &Entry| {
        entry.who == *group.sid()
            && entry.kind == Kind::Allow
            && !entry.flagged
            && entry.rights == object.rights()
    };
    descriptor.entries.retain(|entry| !ours(entry));
    let mut notes = Vec::new();
    if descriptor
        .entries
        .iter()
        .any(|entry| entry.who == *group.sid())
    {
        notes.push(
            "other entries of the group stay, because they are not of exactly these rights"
                .to_owned(),
        );
    }
    let new = descriptor.to_string();
    if new == old {
        notes.push("there is no entry of exactly these rights".to_owned());
    }
    Ok(Change {
        new,
        old,
        entry: Entry::allowing(object.letters(), object.rights(), group.sid()).text,
        notes,
    })
}

/// Reads a descriptor and refuses one of a service where the manager's was announced. The system and the administrators
/// stand in each, with all rights of its kind.
fn read(sddl: &str, object: Object) -> Result<Descriptor, RightsError> {
    let descriptor = Descriptor::read(sddl)?;
    let of_a_service = |who: &str| {
        let mut entries = descriptor.entries.iter();
        entries.any(|entry| {
            entry.who.as_str() == who && entry.allows() && entry.rights & OF_SERVICES_ONLY != 0
        })
    };
    if object == Object::Manager {
        for (sid, who) in [
            (Sid::SYSTEM, "the system"),
            (Sid::ADMINISTRATORS, "the administrators' group"),
        ] {
            if of_a_service(sid) {
                return Err(RightsError::OfAService { who });
            }
        }
    }
    Ok(descriptor)
}

/// Whether rights may hold some of the wanted ones; generic rights stand for what the object makes of them.
const fn may_hold(rights: u32, wanted: u32) -> bool {
    rights & wanted != 0 || rights & 0xf000_0000 != 0
}

fn notes(descriptor: &Descriptor, wanted: u32) -> Vec<String> {
    let mut notes = Vec::new();
    for (sid, who) in [
        (Sid::EVERYONE, "everyone"),
        (Sid::AUTHENTICATED, "all who have logged on"),
        (Sid::NETWORK, "all who have logged on over the network"),
    ] {
        let denial = descriptor.entries.iter().find(|entry| {
            entry.who.as_str() == sid && entry.denies() && may_hold(entry.rights, wanted & SPECIFIC)
        });
        if let Some(denial) = denial {
            notes.push(format!(
                "the entry {} denies this to {who}, and a denial wins: the group will not see it over the network",
                denial.text
            ));
        }
    }
    if !descriptor.is_in_usual_order() {
        notes.push("the entries are not in the usual order (what denies first, what came from above last), which is left as it is".to_owned());
    }
    notes
}
