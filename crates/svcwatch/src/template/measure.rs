//! Measures the source of a template before it is parsed: the parser and all that follows it call themselves for each
//! level, so a template with thousands of levels must not reach them.

use super::{Failure, NESTING_MAX};

/// Brackets inside one expression that may stand inside each other.
const BRACKETS_MAX: usize = 8;
/// `else if` of one block, at most.
const ELSES_MAX: usize = 16;
/// Tags of one template, at most: the time that the parser takes grows with their number times the length.
const TAGS_MAX: usize = 500;

/// Refuses what nests too deep. What is no template at all is left to the parser.
pub(super) fn measure(source: &str) -> Result<(), Failure> {
    let mut scan = Scan {
        source,
        at: 0,
        blocks: Vec::new(),
    };
    let mut tags = 0;
    while scan.next_tag()? {
        tags += 1;
        if tags > TAGS_MAX {
            return Err(Failure::TooManyTags { most: TAGS_MAX });
        }
    }
    Ok(())
}

struct Scan<'a> {
    source: &'a str,
    at: usize,
    /// The open blocks, each with its number of `else if`.
    blocks: Vec<usize>,
}

impl Scan<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn line(&self) -> usize {
        let before = self.source.get(..self.at).unwrap_or_default();
        before.matches('\n').count() + 1
    }

    fn too_deep(&self, what: &'static str, most: usize) -> Failure {
        Failure::Nesting {
            line: self.line(),
            what,
            most,
        }
    }

    /// Goes behind the next occurrence of this, or to the end.
    fn skip_behind(&mut self, mark: &str) {
        self.at = match self.rest().find(mark) {
            Some(place) => self.at + place + mark.len(),
            None => self.source.len(),
        };
    }

    /// Looks at the next tag; false where there is none.
    fn next_tag(&mut self) -> Result<bool, Failure> {
        let Some(place) = self.rest().find("{{") else {
            return Ok(false);
        };
        self.at += place;
        let tag = self.rest();
        if tag.starts_with("{{!--") {
            self.skip_behind("--}}");
            return Ok(true);
        }
        if tag.starts_with("{{!") {
            self.skip_behind("}}");
            return Ok(true);
        }
        if tag.starts_with("{{{{") {
            // The text of a raw block is not looked at by anybody. Whatever stands behind it is counted again.
            self.skip_behind("}}}}");
            return Ok(true);
        }
        let inside = tag
            .trim_start_matches('{')
            .trim_start_matches('~')
            .trim_start();
        if inside.starts_with('#') {
            if self.blocks.len() >= NESTING_MAX {
                return Err(self.too_deep("blocks", NESTING_MAX));
            }
            self.blocks.push(0);
        } else if inside.starts_with('/') {
            self.blocks.pop();
        } else if inside.starts_with("else ") || inside.starts_with('^') {
            let elses = self.blocks.last_mut().map_or(0, |elses| {
                *elses += 1;
                *elses
            });
            if elses > ELSES_MAX {
                return Err(self.too_deep("`else if` of one block", ELSES_MAX));
            }
        }
        self.at += 2;
        self.inside_of_tag()?;
        Ok(true)
    }

    /// Goes through one expression to its end, counting brackets outside of texts.
    fn inside_of_tag(&mut self) -> Result<(), Failure> {
        let mut open = 0_usize;
        let mut quote = None;
        let mut escaped = false;
        let rest = self.rest();
        for (place, character) in rest.char_indices() {
            match (quote, character) {
                (Some(_), _) if escaped => escaped = false,
                (Some(_), '\\') => escaped = true,
                (Some(mark), character) if mark == character => quote = None,
                (None, '"' | '\'') => quote = Some(character),
                (None, '(' | '[' | '{') => {
                    open += 1;
                    if open > BRACKETS_MAX {
                        return Err(self.too_deep("brackets", BRACKETS_MAX));
                    }
                }
                (None, '}') if rest.get(place..).is_some_and(|end| end.starts_with("}}")) => {
                    self.at += place + 2;
                    return Ok(());
                }
                (None, ')' | ']' | '}') => open = open.saturating_sub(1),
                (Some(_) | None, _) => {}
            }
        }
        self.at = self.source.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &str) -> Option<String> {
        measure(source).err().map(|failure| failure.to_string())
    }

    #[test]
    fn what_people_write_is_not_refused() {
        for source in [
            "",
            "{{host}} {{{serviceName}}} {{!-- {{#if}} --}} {{! {{ }} {{~#if a~}}x{{else if b}}y{{else}}z{{/if}}",
            "{{#each genericUrls}}{{#if (eq id \"a{{b\")}}{{url}}{{/if}}{{/each}}",
            "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{\"i\":\"{{host}}\"}}}}}}}}}",
            "{{{{raw}}}} {{#a}} {{{{/raw}}}}",
        ] {
            assert_eq!(refused(source), None, "{source}");
        }
        let deep = format!("{}x{}", "{{#if a}}".repeat(8), "{{/if}}".repeat(8));
        assert_eq!(refused(&deep), None);
    }

    #[test]
    fn what_nests_too_deep_is_refused_with_its_line() {
        let blocks = format!("\n\n{}", "{{#if a}}".repeat(9));
        assert_eq!(
            refused(&blocks).as_deref(),
            Some("line 3: more than 8 blocks stand inside each other; split them up")
        );
        for source in [
            format!("{{{{if {}a{}}}}}", "(not ".repeat(9), ")".repeat(9)),
            format!("{{{{a {}}}}}", "[".repeat(9)),
            format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if b}}".repeat(17)),
            "{{#*inline \"a\"}}".repeat(100_000),
        ] {
            assert!(refused(&source).is_some(), "{}", &source[..40]);
        }
    }
}
