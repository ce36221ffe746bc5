//! What an exe carries beside code: its icon, its version and the texts of the event log (PE Format, "The .rsrc Section").

use super::pe::{Image, number};

/// The directory entry of resources.
const RESOURCES: usize = 2;
/// Kinds of resources (winuser.h, `RT_ICON`, `RT_MESSAGETABLE`, `RT_GROUP_ICON` and `RT_VERSION`).
const ICON: usize = 3;
const MESSAGE_TABLE: usize = 11;
const GROUP_ICON: usize = 14;
const VERSION: usize = 16;
/// Set in the place of an entry that is a directory.
const IS_DIRECTORY: usize = 0x8000_0000;
/// Entries of one directory, at most; more are in none of ours.
const ENTRIES_MAX: usize = 1_000;
/// What `VS_FIXEDFILEINFO` begins with.
const FIXED: [u8; 4] = [0xbd, 0x04, 0xef, 0xfe];

/// Refuses an exe that lacks its icon, its version (as it stands in Cargo.toml) or one of so many texts of the event log.
/// Says what it carries.
pub(super) fn check(bytes: &[u8], version: &str, texts: usize) -> Result<String, String> {
    for (kind, what) in [(ICON, "pictures of its icon"), (GROUP_ICON, "icon")] {
        if data(bytes, kind)?.is_empty() {
            return Err(format!("the exe carries no {what}"));
        }
    }
    let stands = data(bytes, VERSION)?;
    let stands = stands.first().ok_or("the exe carries no version")?;
    let found = versions(stands)?;
    let wanted = numbers(version)?;
    if found != [wanted, wanted] {
        return Err(format!(
            "the exe says that it is version {found:?} of file and product, and Cargo.toml says {wanted:?}"
        ));
    }
    let said: Vec<u8> = version.encode_utf16().flat_map(u16::to_le_bytes).collect();
    if !stands.windows(said.len()).any(|part| part == said) {
        return Err(format!(
            "the exe does not say in words that it is {version}"
        ));
    }
    let tables = data(bytes, MESSAGE_TABLE)?;
    let carried: usize = tables
        .iter()
        .map(|table| messages(table))
        .sum::<Result<usize, String>>()?;
    if carried != texts {
        return Err(format!(
            "the exe carries {carried} texts of the event log, and there are {texts}"
        ));
    }
    Ok(format!(
        "icon, version {version} and {texts} texts of the event log"
    ))
}

/// The data of all resources of one kind, in whatever language.
fn data(bytes: &[u8], kind: usize) -> Result<Vec<&[u8]>, String> {
    let image = Image::new(bytes)?;
    let Some(root) = image.directory(RESOURCES)? else {
        return Err("the exe carries no resources: no version, no icon".to_owned());
    };
    let root = image.place(root)?;
    let mut found = Vec::new();
    // Three steps down: kind, name, language.
    for (_, names) in entries(bytes, root, root)?
        .into_iter()
        .filter(|(id, _)| *id == kind)
    {
        for (_, languages) in entries(bytes, root, directory(root, names)?)? {
            for (_, leaf) in entries(bytes, root, directory(root, languages)?)? {
                let leaf = root + leaf;
                let start = image.place(number(bytes, leaf, 4)?)?;
                let end = start + number(bytes, leaf + 4, 4)?;
                let part = bytes.get(start..end).filter(|part| !part.is_empty());
                found.push(part.ok_or_else(|| {
                    format!("a resource of kind {kind} is empty or goes beyond the end")
                })?);
            }
        }
    }
    Ok(found)
}

/// The entries of a directory of resources: what each is, and its place as it stands there.
fn entries(bytes: &[u8], root: usize, at: usize) -> Result<Vec<(usize, usize)>, String> {
    let count = number(bytes, at + 12, 2)? + number(bytes, at + 14, 2)?;
    if at < root || count > ENTRIES_MAX {
        return Err(format!(
            "the directory of resources at {at:#x} makes no sense"
        ));
    }
    (0..count)
        .map(|index| {
            let entry = at + 16 + index * 8;
            Ok((number(bytes, entry, 4)?, number(bytes, entry + 4, 4)?))
        })
        .collect()
}

/// The place of a directory below another one.
fn directory(root: usize, place: usize) -> Result<usize, String> {
    if place & IS_DIRECTORY == 0 {
        return Err("resources lie deeper than the kinds of them".to_owned());
    }
    Ok(root + (place & !IS_DIRECTORY))
}

/// The versions of file and product (`VS_FIXEDFILEINFO`).
fn versions(resource: &[u8]) -> Result<[[usize; 4]; 2], String> {
    let at = resource.windows(4).position(|part| part == FIXED);
    let at = at.ok_or("the exe's version has no numbers")?;
    let of = |at: usize| -> Result<[usize; 4], String> {
        let (high, low) = (number(resource, at, 4)?, number(resource, at + 4, 4)?);
        Ok([high >> 16, high & 0xffff, low >> 16, low & 0xffff])
    };
    Ok([of(at + 8)?, of(at + 16)?])
}

/// How many texts a message table has (`MESSAGE_RESOURCE_DATA`).
fn messages(table: &[u8]) -> Result<usize, String> {
    (0..number(table, 0, 4)?)
        .map(|block| {
            let (low, high) = (
                number(table, 4 + block * 12, 4)?,
                number(table, 8 + block * 12, 4)?,
            );
            high.checked_sub(low)
                .map(|more| more + 1)
                .ok_or_else(|| "the numbers of the texts of the event log make no sense".to_owned())
        })
        .sum()
}

/// The four numbers of a version, of which the last is always 0.
fn numbers(version: &str) -> Result<[usize; 4], String> {
    let plain = version.split(['-', '+']).next().unwrap_or(version);
    let mut parts = plain.split('.').map(str::parse);
    let mut next = || parts.next().and_then(Result::ok);
    match (next(), next(), next()) {
        (Some(major), Some(minor), Some(patch)) => Ok([major, minor, patch, 0]),
        _ => Err(format!("`{version}` is no version of three numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pe::tests::{made, put};
    use super::*;

    /// A message table of two blocks: texts 100 to 102, and 110.
    fn table() -> Vec<u8> {
        let mut table = vec![0; 28];
        for (at, value) in [(0, 2), (4, 100), (8, 102), (16, 110), (20, 110)] {
            put(&mut table, at, value);
        }
        table
    }

    /// A version of file and product, in numbers and in words.
    fn version(file: u32, product: u32, words: &str) -> Vec<u8> {
        let mut fixed = vec![0; 24];
        fixed[..4].copy_from_slice(&FIXED);
        // 1.2.3.0, as two halves each.
        put(&mut fixed, 8, 0x0001_0002);
        put(&mut fixed, 12, file << 16);
        put(&mut fixed, 16, 0x0001_0002);
        put(&mut fixed, 20, product << 16);
        fixed.extend(words.encode_utf16().flat_map(u16::to_le_bytes));
        fixed
    }

    /// An exe with these resources, each of a kind of its own, in a section of its own at 0x8000.
    fn with(resources: &[(u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = made();
        let start = bytes.len();
        // One more section, and where the resources are.
        bytes[0x46] = 2;
        let section = 0x58 + 240 + 40;
        put(&mut bytes, section + 12, 0x8000);
        put(&mut bytes, section + 16, 0x2000);
        put(&mut bytes, section + 20, u32::try_from(start).unwrap());
        put(&mut bytes, 0x58 + 112 + 16, 0x8000);
        bytes.resize(start + 0x2000, 0);
        let part = &mut bytes[start..];
        put(part, 12, u32::try_from(resources.len() << 16).unwrap());
        for (index, (kind, data)) in (0_u32..).zip(resources) {
            // Two directories of one entry each, the leaf, and the data.
            let place = 0x100 + index * 0x100;
            let at = usize::try_from(place).unwrap();
            let entry = 16 + usize::try_from(index).unwrap() * 8;
            put(part, entry, *kind);
            put(part, entry + 4, 0x8000_0000 | place);
            put(part, at + 12, 1 << 16);
            put(part, at + 16, 1);
            put(part, at + 20, 0x8000_0000 | (place + 24));
            put(part, at + 24 + 12, 1 << 16);
            put(part, at + 24 + 16, 0x409);
            put(part, at + 24 + 20, place + 48);
            put(part, at + 48, 0x8000 + place + 64);
            put(part, at + 52, u32::try_from(data.len()).unwrap());
            part[at + 64..at + 64 + data.len()].copy_from_slice(data);
        }
        bytes
    }

    fn whole() -> Vec<(u32, Vec<u8>)> {
        vec![
            (3, vec![1]),
            (11, table()),
            (14, vec![1]),
            (16, version(3, 3, "1.2.3")),
        ]
    }

    fn told(resources: &[(u32, Vec<u8>)]) -> Result<String, String> {
        check(&with(resources), "1.2.3", 4)
    }

    #[test]
    fn an_exe_with_all_of_them_is_good() {
        let said = "icon, version 1.2.3 and 4 texts of the event log";
        assert_eq!(told(&whole()).as_deref(), Ok(said));
        assert!(
            check(&with(&whole()), "1.2.3-rc.1", 4).is_err(),
            "not so in words"
        );
    }

    #[test]
    fn what_lacks_or_is_another_is_named() {
        let none = check(&made(), "1.2.3", 4);
        assert!(none.is_err_and(|said| said.contains("no resources")));
        for (at, what) in [
            (0, "no pictures of its icon"),
            (1, "carries 0 texts"),
            (2, "no icon"),
            (3, "no version"),
        ] {
            let mut fewer = whole();
            fewer.remove(at);
            let said = told(&fewer).expect_err(what);
            assert!(said.contains(what), "{said}");
            let mut empty = whole();
            empty[at].1.clear();
            assert!(told(&empty).is_err(), "{what} is empty");
        }
        for (other, what) in [
            (version(4, 3, "1.2.3"), "[1, 2, 4, 0]"),
            (version(3, 4, "1.2.3"), "[1, 2, 4, 0]"),
            (version(3, 3, "1.2"), "in words"),
        ] {
            let mut changed = whole();
            changed[3].1 = other;
            let said = told(&changed).expect_err(what);
            assert!(said.contains(what), "{said}");
        }
        let said = check(&with(&whole()), "1.2.3", 5).expect_err("one text lacks");
        assert!(said.contains("carries 4 texts"), "{said}");
    }

    #[test]
    fn what_is_no_whole_exe_is_refused_at_every_length() {
        let whole = with(&whole());
        for length in 0..0x400 + 0x440 {
            assert!(check(&whole[..length], "1.2.3", 4).is_err(), "{length:#x}");
        }
    }
}
