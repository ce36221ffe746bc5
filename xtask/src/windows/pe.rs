//! What an exe asks of Windows: its table of imports (PE Format, "Optional Header Data Directories", "The .idata Section").

/// The directory entry of imports.
const IMPORTS: usize = 1;
/// The directory entry of imports that are looked up at their first use.
const DELAYED_IMPORTS: usize = 13;

/// One DLL with what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// Its name in small letters.
    pub(super) dll: String,
    /// The functions, by name; `#7` for one that is asked for by number.
    pub(super) functions: Vec<String>,
}

/// A 64-bit exe.
pub(super) struct Image<'a> {
    pub(super) bytes: &'a [u8],
    /// Where the data directories begin.
    directories: usize,
    /// Where the sections are: address, length, place in the file.
    sections: Vec<(usize, usize, usize)>,
}

impl<'a> Image<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, String> {
        let header = number(bytes, 0x3c, 4)?;
        if bytes.get(header..header.saturating_add(4)) != Some(b"PE\0\0") {
            return Err("the file is no program of Windows".to_owned());
        }
        let coff = header + 4;
        let optional = coff + 20;
        if number(bytes, optional, 2)? != 0x20b {
            return Err("the program is not a 64-bit one".to_owned());
        }
        let table = optional + number(bytes, coff + 16, 2)?;
        let mut sections = Vec::new();
        for index in 0..number(bytes, coff + 2, 2)? {
            let at = table + index * 40;
            sections.push((
                number(bytes, at + 12, 4)?,
                number(bytes, at + 16, 4)?,
                number(bytes, at + 20, 4)?,
            ));
        }
        Ok(Self {
            bytes,
            directories: optional + 112,
            sections,
        })
    }

    /// The address of a directory; none where the exe has no such one.
    pub(super) fn directory(&self, which: usize) -> Result<Option<usize>, String> {
        let address = number(self.bytes, self.directories + which * 8, 4)?;
        Ok((address != 0).then_some(address))
    }

    /// The place in the file of an address in memory.
    pub(super) fn place(&self, address: usize) -> Result<usize, String> {
        self.sections
            .iter()
            .find(|(start, length, _)| (*start..start + length).contains(&address))
            .map(|(start, _, file)| file + (address - start))
            .ok_or_else(|| format!("no section holds the address {address:#x}"))
    }

    fn text(&self, address: usize) -> Result<String, String> {
        let rest = self.bytes.get(self.place(address)?..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| *byte == 0)
            .ok_or_else(|| format!("the name at {address:#x} does not end"))?;
        let text = rest.get(..length).unwrap_or_default();
        String::from_utf8(text.to_vec()).map_err(|_| format!("the name at {address:#x} is no text"))
    }

    fn functions(&self, mut thunk: usize) -> Result<Vec<String>, String> {
        let mut functions = Vec::new();
        loop {
            let at = self.place(thunk)?;
            let low = number(self.bytes, at, 4)?;
            let high = number(self.bytes, at + 4, 4)?;
            if (low, high) == (0, 0) {
                return Ok(functions);
            }
            functions.push(if high & 0x8000_0000 == 0 {
                // Two bytes of a hint stand before the name.
                self.text(low + 2)?
            } else {
                format!("#{}", low & 0xffff)
            });
            thunk += 8;
        }
    }
}

/// A little-endian number of at most four bytes.
pub(super) fn number(bytes: &[u8], at: usize, length: usize) -> Result<usize, String> {
    let part = bytes
        .get(at..at.saturating_add(length))
        .ok_or_else(|| format!("the file ends before {at:#x}"))?;
    Ok(part
        .iter()
        .rev()
        .fold(0, |value, byte| (value << 8) | usize::from(*byte)))
}

/// What an exe asks for when it is loaded.
pub(super) fn imports(bytes: &[u8]) -> Result<Vec<Import>, String> {
    let image = Image::new(bytes)?;
    if image.directory(DELAYED_IMPORTS)?.is_some() {
        return Err("the exe has delayed imports, which this tool does not read".to_owned());
    }
    let Some(table) = image.directory(IMPORTS)? else {
        return Ok(Vec::new());
    };
    let mut at = image.place(table)?;
    let mut found: Vec<Import> = Vec::new();
    loop {
        let name = number(bytes, at + 12, 4)?;
        if name == 0 {
            break;
        }
        let lookup = match number(bytes, at, 4)? {
            0 => number(bytes, at + 16, 4)?,
            lookup => lookup,
        };
        let dll = image.text(name)?.to_lowercase();
        let functions = image.functions(lookup)?;
        match found.iter_mut().find(|import| import.dll == dll) {
            Some(import) => import.functions.extend(functions),
            None => found.push(Import { dll, functions }),
        }
        at += 20;
    }
    for import in &mut found {
        import.functions.sort();
        import.functions.dedup();
    }
    found.sort_by(|one, other| one.dll.cmp(&other.dll));
    Ok(found)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::windows) fn put(bytes: &mut [u8], at: usize, value: u32) {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// An exe of one section at 0x1000, in the file at 0x200, which imports one function by name and one by number.
    pub(in crate::windows) fn made() -> Vec<u8> {
        let mut bytes = vec![0; 0x400];
        put(&mut bytes, 0x3c, 0x40);
        bytes[0x40..0x44].copy_from_slice(b"PE\0\0");
        bytes[0x46] = 1;
        bytes[0x54] = 240;
        bytes[0x58..0x5a].copy_from_slice(&[0x0b, 0x02]);
        put(&mut bytes, 0x58 + 112 + 8, 0x1000);
        let section = 0x58 + 240;
        put(&mut bytes, section + 12, 0x1000);
        put(&mut bytes, section + 16, 0x200);
        put(&mut bytes, section + 20, 0x200);
        // One descriptor; the next is all zero.
        put(&mut bytes, 0x200, 0x1040);
        put(&mut bytes, 0x200 + 12, 0x1080);
        put(&mut bytes, 0x240, 0x10a0);
        put(&mut bytes, 0x248, 7);
        put(&mut bytes, 0x24c, 0x8000_0000);
        bytes[0x280..0x28c].copy_from_slice(b"KERNEL32.dll");
        bytes[0x2a2..0x2a7].copy_from_slice(b"Sleep");
        bytes
    }

    #[test]
    fn imports_are_read_by_name_and_by_number() {
        let import = Import {
            dll: "kernel32.dll".to_owned(),
            functions: vec!["#7".to_owned(), "Sleep".to_owned()],
        };
        assert_eq!(imports(&made()), Ok(vec![import]));
    }

    #[test]
    fn what_is_no_whole_exe_is_refused_at_every_length() {
        let whole = made();
        for length in 0..0x2a0 {
            assert!(imports(&whole[..length]).is_err(), "{length}");
        }
        assert!(imports(&[0; 0x400]).is_err());
    }
}
