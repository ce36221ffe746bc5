//! From words to constraints: one function for each kind of clause.

mod every;
mod lists;

use svcwatch_core::later::{Constraint, Field, Test};

use super::advice;
use super::refusal::{LEFT_OUT, NEVER, Note, OTHER_TIMES, Refusal, shown};
use super::words::{self, Word};

/// Constraints that must hold together, and where the first word of them stands.
#[derive(Debug, Default)]
pub(super) struct Clauses {
    pub(super) column: usize,
    pub(super) constraints: Vec<Constraint>,
}

/// What a text says.
#[derive(Debug)]
pub(super) struct Said {
    /// Of these any may fire.
    pub(super) alternatives: Vec<Clauses>,
    /// Each of these takes away.
    pub(super) exceptions: Vec<Clauses>,
    pub(super) notes: Vec<Note>,
}

/// Reads a text from its first word to its last.
#[derive(Debug)]
pub(super) struct Parser<'text> {
    words: &'text [Word],
    at: usize,
    /// The column behind the end of the text.
    end: usize,
    /// What is being read.
    current: Clauses,
    excepting: bool,
    alternatives: Vec<Clauses>,
    exceptions: Vec<Clauses>,
    notes: Vec<Note>,
}

type Read<T> = Result<T, Refusal>;

impl<'text> Parser<'text> {
    pub(super) fn new(words: &'text [Word]) -> Self {
        let end = words
            .last()
            .map_or(1, |word| word.column + word.text.chars().count());
        Self {
            words,
            at: 0,
            end,
            current: Clauses::default(),
            excepting: false,
            alternatives: Vec::new(),
            exceptions: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Reads all of it.
    pub(super) fn read(mut self) -> Read<Said> {
        while let Some(word) = self.peek().map(str::to_owned) {
            let column = self.column();
            if self.current.constraints.is_empty() {
                self.current.column = column;
            }
            self.at += 1;
            match word.as_str() {
                "every" => self.every()?,
                "at" => self.at_times()?,
                "@" if self.behind().is_some_and(|sign| !sign.ends) => self.at_times()?,
                "on" if self.take("the") => self.on_the(column)?,
                "on" => self.on_days()?,
                "of" => self.of_months()?,
                "in" => self.in_years()?,
                "after" => self.bound(true)?,
                "before" => self.bound(false)?,
                // Between clauses these say nothing.
                "and" | "," => {}
                "also" => self.also(column)?,
                "except" => self.except(column)?,
                _ => {
                    self.at -= 1;
                    return Err(self.refuse_clause());
                }
            }
        }
        let word = if self.excepting { "except" } else { "also" };
        self.close(self.end, &format!("behind the last `{word}`"))?;
        Ok(Said {
            alternatives: self.alternatives,
            exceptions: self.exceptions,
            notes: self.notes,
        })
    }

    fn peek(&self) -> Option<&'text str> {
        self.words.get(self.at).map(|word| word.text.as_str())
    }

    fn peek_at(&self, ahead: usize) -> Option<&'text str> {
        self.words
            .get(self.at + ahead)
            .map(|word| word.text.as_str())
    }

    /// The word that was read last.
    fn behind(&self) -> Option<&'text Word> {
        self.words.get(self.at.checked_sub(1)?)
    }

    fn column(&self) -> usize {
        self.words.get(self.at).map_or(self.end, |word| word.column)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        self.at += usize::from(found);
        found
    }

    /// Takes words that stand one after the other, all or none.
    fn take_all(&mut self, wanted: &[&str]) -> bool {
        let found = wanted
            .iter()
            .enumerate()
            .all(|(ahead, word)| self.peek_at(ahead) == Some(*word));
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    /// A refusal of the word that comes next.
    fn refuse(
        &self,
        what: impl Into<String>,
        butler: impl Into<String>,
        instead: impl Into<String>,
    ) -> Refusal {
        refusal(self.column(), what, butler, instead)
    }

    /// What Butler does where it does not understand the next word.
    fn gives_up(&self) -> &'static str {
        if self.alternatives.is_empty() && self.current.constraints.is_empty() {
            NEVER
        } else {
            LEFT_OUT
        }
    }

    fn refuse_clause(&self) -> Refusal {
        let words = self.words.get(self.at..).unwrap_or_default();
        let rest: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let what = format!("{} begins no part of a schedule", shown(self.peek()));
        self.refuse(what, self.gives_up(), advice::clause(&rest))
    }

    /// Adds values to those that a field may have already.
    fn add(&mut self, column: usize, field: Field, more: &[i64], also_last: bool) {
        let known = self.current.constraints.iter_mut().find(|constraint| {
            constraint.field == field && matches!(constraint.test, Test::OneOf { .. })
        });
        let falls = |pair: &[i64]| matches!(pair, [first, second] if first > second);
        let mut backwards = more.windows(2).any(falls) && !is_run(field, more);
        match known.map(|constraint| &mut constraint.test) {
            Some(Test::OneOf { values, last }) => {
                let greatest = values.iter().max();
                backwards |= greatest
                    .zip(more.first())
                    .is_some_and(|(greatest, first)| first < greatest);
                backwards |= *last && !more.is_empty();
                values.extend_from_slice(more);
                values.sort_unstable();
                values.dedup();
                *last |= also_last;
            }
            _ => self.constrain(
                field,
                Test::OneOf {
                    values: sorted(more),
                    last: also_last,
                },
            ),
        }
        if backwards {
            let text = format!(
                "each {} that is named counts, in any order; Butler leaves out those that are smaller than one before them",
                words::name(field)
            );
            self.notes.push(Note { column, text });
        }
    }

    fn constrain(&mut self, field: Field, test: Test) {
        self.current.constraints.push(Constraint { field, test });
    }

    /// A number that a field can have.
    fn number(&mut self, field: Field, butler: &str, wanted: &str) -> Read<i64> {
        let (least, greatest) = field.range();
        let Some(number) = self.peek().and_then(words::rank) else {
            let what = format!(
                "{} stands where a number of the {} is wanted",
                shown(self.peek()),
                words::name(field)
            );
            return Err(self.refuse(what, butler, wanted));
        };
        if !(least..=greatest).contains(&number) {
            return Err(out_of_range(self.column(), field, number));
        }
        self.at += 1;
        Ok(number)
    }

    /// The unit that comes next, if one does.
    fn period(&mut self) -> Option<Field> {
        let one = self.peek().and_then(words::period)?;
        let plural_or_not = self.peek();
        self.at += 1;
        let of_the = |unit: &'static str| ["of", "the", unit];
        Some(match one {
            Field::DayOfMonth if plural_or_not == Some("day") && self.take("instance") => {
                Field::DayInstance
            }
            Field::DayOfMonth if self.take_all(&of_the("week")) => Field::DayOfWeek,
            Field::DayOfMonth if self.take_all(&of_the("year")) => Field::DayOfYear,
            Field::DayOfMonth if self.take_all(&of_the("month")) => Field::DayOfMonth,
            Field::WeekOfYear if self.take_all(&of_the("month")) => Field::WeekOfMonth,
            Field::WeekOfYear if self.take_all(&of_the("year")) => Field::WeekOfYear,
            other => other,
        })
    }

    fn also(&mut self, column: usize) -> Read<()> {
        self.close(column, "before `also`")?;
        if self.excepting {
            let text = "behind `except` it begins one more exception, as in Butler; what is to run too stands before `except`";
            self.notes.push(Note {
                column,
                text: text.into(),
            });
        }
        Ok(())
    }

    fn except(&mut self, column: usize) -> Read<()> {
        self.close(column, "before `except`")?;
        if self.excepting {
            return Err(refusal(
                column,
                "`except` stands twice",
                "ended with an error when it makes the schedule",
                "write `except` once and `also` between two exceptions",
            ));
        }
        self.excepting = true;
        Ok(())
    }

    /// Ends what is being read, which must not be empty.
    fn close(&mut self, column: usize, place: &str) -> Read<()> {
        if self.current.constraints.is_empty() {
            return Err(refusal(
                column,
                format!("nothing that says when stands {place}"),
                "left it out, or ended with an error",
                "write what you mean there, as `on sat and sun`, or leave that word out",
            ));
        }
        let done = std::mem::take(&mut self.current);
        if self.excepting {
            self.exceptions.push(done);
        } else {
            self.alternatives.push(done);
        }
        Ok(())
    }
}

/// A refusal of what stands in a column.
fn refusal(
    column: usize,
    what: impl Into<String>,
    butler: impl Into<String>,
    instead: impl Into<String>,
) -> Refusal {
    Refusal {
        column,
        what: what.into(),
        butler: butler.into(),
        instead: instead.into(),
    }
}

/// A number that is none of its field.
fn out_of_range(column: usize, field: Field, number: i64) -> Refusal {
    let (least, greatest) = field.range();
    let what = format!("there is no {} {number}", words::name(field));
    let instead = format!("write a number from {least} to {greatest}");
    refusal(column, what, OTHER_TIMES, instead)
}

/// Whether each value follows the one before it in the calendar, as Sunday follows Saturday.
fn is_run(field: Field, values: &[i64]) -> bool {
    let (least, greatest) = field.range();
    let follows = |pair: &[i64]| {
        matches!(pair, [first, second]
            if *second == first + 1 || (*first == greatest && *second == least))
    };
    values.windows(2).all(follows)
}

fn sorted(values: &[i64]) -> Vec<i64> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.dedup();
    values
}
