//! The words after the command, taken one by one; what is left over is an error.

use crate::project::Failure;

/// The words after the command.
pub(crate) struct Arguments {
    words: Vec<String>,
}

impl Arguments {
    /// Takes the words after the command.
    pub(crate) const fn new(words: Vec<String>) -> Self {
        Self { words }
    }

    /// Takes a switch, such as `--planted`: true where it was given.
    pub(crate) fn switch(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() < before
    }

    /// Takes an option with a value, as `--seeds 10` or `--seeds=10`.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let glued = format!("{name}=");
        let Some(at) = self
            .words
            .iter()
            .position(|word| word == name || word.starts_with(&glued))
        else {
            return Ok(None);
        };
        let word = self.words.remove(at);
        if let Some(value) = word.strip_prefix(&glued) {
            return Ok(Some(value.to_owned()));
        }
        if at < self.words.len() {
            return Ok(Some(self.words.remove(at)));
        }
        Err(Failure::Usage(format!("{name} needs a value")))
    }

    /// Takes an option whose value is a whole number, decimal or with `0x`.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.value(name)? else {
            return Ok(None);
        };
        let digits = text.replace('_', "");
        let number = match digits.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        number
            .map(Some)
            .map_err(|_| Failure::Usage(format!("{name} needs a whole number, not `{text}`")))
    }

    /// Gives what nobody took.
    pub(crate) fn rest(self) -> Vec<String> {
        self.words
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(Failure::Usage(format!("`{word}` is not known here"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::new(words.iter().map(|&word| word.to_owned()).collect())
    }

    #[test]
    fn takes_switches_values_and_numbers_in_any_order() {
        let mut given = arguments(&[
            "--seed=0xff",
            "--planted",
            "--seeds",
            "2_000",
            "--only",
            "tidy",
        ]);
        assert!(given.switch("--planted"));
        assert!(!given.switch("--planted"));
        assert_eq!(given.number("--seeds").ok().flatten(), Some(2000));
        assert_eq!(given.number("--seed").ok().flatten(), Some(255));
        assert_eq!(
            given.value("--only").ok().flatten().as_deref(),
            Some("tidy")
        );
        assert!(given.finish().is_ok());
    }

    #[test]
    fn refuses_what_is_missing_wrong_or_left_over() {
        assert!(matches!(
            arguments(&["--seeds"]).value("--seeds"),
            Err(Failure::Usage(_))
        ));
        assert!(matches!(
            arguments(&["--seeds", "many"]).number("--seeds"),
            Err(Failure::Usage(text)) if text.contains("`many`")
        ));
        assert!(matches!(
            arguments(&["--sedes", "1"]).finish(),
            Err(Failure::Usage(text)) if text.contains("--sedes")
        ));
    }
}
