//! Who may change a file or a folder, by its security descriptor: what svcwatch runs as a service comes from there, so
//! that nobody may write it who may not become the service by other ways too.

use super::{Descriptor, Sid};

/// The rights by which what stands in a file or folder, or who may do what there, can be changed (winnt.h): write or add a
/// file, append or add a folder, delete what is in it, delete it, write its list, take it, and the generic ones.
const CHANGES: u32 = 0x2 | 0x4 | 0x40 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x1000_0000 | 0x4000_0000;

/// Those who rule the computer anyway: the system, its administrators, the service that keeps Windows itself, the built-in
/// administrator, and the administrators of the domain and of the forest.
const RULERS: [&str; 6] = [
    Sid::SYSTEM,
    Sid::ADMINISTRATORS,
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
    "LA",
    "DA",
    "EA",
];
/// Those that stand for the owner, which is looked at by itself: who makes something there, and who owns it.
const OWNERS: [&str; 2] = ["S-1-3-0", "S-1-3-4"];

/// Somebody who may change it and should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranger {
    /// It is his.
    Owns(Sid),
    /// He may write it.
    Writes(Sid),
    /// There is no list, so that everybody may.
    Everybody,
    /// It is not known, for this reason.
    Unknown(String),
}

/// Whether it belongs to who rules the computer, or to one of `ours`.
pub fn is_owner_known(descriptor: &Descriptor, ours: &[Sid]) -> bool {
    let owner = descriptor.owner.as_ref();
    owner.is_some_and(|owner| is_known(owner, ours))
}

/// The first who may change it, beside those who rule the computer and `ours`. Denials are not looked at: who is denied
/// something may be let in by another name.
pub fn stranger(descriptor: &str, ours: &[Sid]) -> Option<Stranger> {
    let read = match Descriptor::read(descriptor) {
        Ok(read) => read,
        Err(super::RightsError::NoList) => return Some(Stranger::Everybody),
        Err(error) => return Some(Stranger::Unknown(error.to_string())),
    };
    if !is_owner_known(&read, ours) {
        let nobody = || Stranger::Unknown("it has no owner".to_owned());
        return Some(read.owner.map_or_else(nobody, Stranger::Owns));
    }
    let mut entries = read.entries.into_iter();
    let writes = entries.find(|entry| {
        !entry.is_denial()
            && entry.rights & CHANGES != 0
            && !OWNERS.contains(&entry.who.as_str())
            && !is_known(&entry.who, ours)
    });
    writes.map(|entry| Stranger::Writes(entry.who))
}

fn is_known(who: &Sid, ours: &[Sid]) -> bool {
    RULERS.contains(&who.as_str()) || ours.contains(who)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "S-1-5-21-1004336348-1177238915-682003330-1604";

    fn judged(descriptor: &str) -> Option<Stranger> {
        let ours = [Sid::read(ACCOUNT).expect("a SID")];
        stranger(descriptor, &ours)
    }

    fn sid(text: &str) -> Sid {
        Sid::read(text).expect("a SID")
    }

    #[test]
    fn what_installing_makes_is_good() {
        let list = format!("(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{ACCOUNT})");
        for owner in ["BA", "SY", ACCOUNT] {
            assert_eq!(
                judged(&format!("O:{owner}G:BAD:PAI{list}")),
                None,
                "{owner}"
            );
        }
        // What `svcwatch run` makes for who runs it, and a file in it.
        assert_eq!(
            judged(&format!(
                "O:{ACCOUNT}D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)"
            )),
            None
        );
        // Others may read.
        assert_eq!(
            judged(
                "O:BAD:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)(A;OICIIOID;GXGR;;;BU)"
            ),
            None
        );
        // That of the folder of programs.
        assert_eq!(
            judged(
                "O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464D:PAI(A;OICIIO;GA;;;CO)(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;BA)(A;;0x1301bf;;;BA)(A;OICI;0x1200a9;;;BU)"
            ),
            None
        );
    }

    #[test]
    fn who_made_the_folder_first_is_told() {
        let other = "S-1-5-21-1004336348-1177238915-682003330-1700";
        assert_eq!(
            judged(&format!("O:{other}G:DUD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)")),
            Some(Stranger::Owns(sid(other)))
        );
        assert_eq!(
            judged(&format!("O:BAD:P(A;OICI;FA;;;BA)(A;;0x40000;;;{other})")),
            Some(Stranger::Writes(sid(other)))
        );
        // What %ProgramData% gives to a folder that an administrator makes there by hand.
        assert_eq!(
            judged(
                "O:BAG:DUD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIIOID;GA;;;CO)(A;OICIID;0x1200a9;;;BU)(A;CIID;DCLCRPCR;;;BU)"
            ),
            Some(Stranger::Writes(sid("BU")))
        );
        // That of a drive, where each who has logged on may make folders.
        assert_eq!(
            judged(
                "O:BAD:PAI(A;OICIIO;SDGXGWGR;;;AU)(A;;LC;;;AU)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"
            ),
            Some(Stranger::Writes(sid("AU")))
        );
        assert_eq!(
            judged("O:BAD:(XA;;FW;;;WD;(Member_of {SID(BA)}))"),
            Some(Stranger::Writes(sid("WD")))
        );
    }

    #[test]
    fn what_is_not_known_is_not_good() {
        assert_eq!(judged("O:BAD:NO_ACCESS_CONTROL"), Some(Stranger::Everybody));
        assert_eq!(judged("O:BA"), Some(Stranger::Everybody));
        for text in ["", "O:BAD:(", "D:P(A;;FA;;;BA)"] {
            assert!(matches!(judged(text), Some(Stranger::Unknown(_))), "{text}");
        }
        // Nobody but the owner.
        assert_eq!(judged("O:BAD:P"), None);
        assert_eq!(judged("O:BAD:(D;;FA;;;WD)"), None);
    }
}
