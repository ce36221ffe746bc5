//! Clauses that name values: times of day, days, months, years, and bounds.

use svcwatch_core::later::{Field, Test};

use super::{Parser, Read, out_of_range, refusal};
use crate::config::later::refusal::{LEFT_OUT, NEVER, OTHER_TIMES, WITHOUT_PAUSE, shown};
use crate::config::later::{advice, words};

/// What a name means.
type Meaning = fn(&str) -> Option<i64>;

/// What to write instead of a word, and what Butler does with it; whether it is the first of its list counts.
type Advice = fn(Option<&str>, bool) -> (String, &'static str);

impl Parser<'_> {
    pub(super) fn at_times(&mut self) -> Read<()> {
        let column = self.column();
        let mut times = vec![self.time(WITHOUT_PAUSE)?];
        while self.take("and") || self.take(",") {
            self.joined("a time of day")?;
            times.push(self.time(LEFT_OUT)?);
        }
        self.add(column, Field::Time, &times, false);
        Ok(())
    }

    /// Refuses a clause behind an `and` that joins the values of the clause before it.
    fn joined(&self, wanted: &str) -> Read<()> {
        let next = self.peek();
        let begins = next.is_none_or(|word| advice::CLAUSES.contains(&word));
        if !begins {
            return Ok(());
        }
        let joint = self.behind().map_or("and", |word| word.text.as_str());
        let what = format!(
            "{} stands behind `{joint}`, where {wanted} is wanted",
            shown(next)
        );
        Err(self.refuse(what, LEFT_OUT, format!("leave out the `{joint}` before it")))
    }

    /// A time of day, in seconds.
    fn time(&mut self, butler: &str) -> Read<i64> {
        let half = self.peek_at(1).filter(|word| matches!(*word, "am" | "pm"));
        let found = self.peek().and_then(|word| words::time(word, half));
        let Some((minutes, own_half)) = found else {
            let what = format!(
                "{} is no time of day",
                advice::time_shown(self.peek(), half)
            );
            return Err(self.refuse(what, butler, advice::time(self.peek(), self.peek_at(1))));
        };
        self.at += 1;
        if half.is_some() && !own_half {
            self.at += 1;
        }
        Ok(minutes * 60)
    }

    pub(super) fn on_days(&mut self) -> Read<()> {
        self.names(
            Field::DayOfWeek,
            words::day_name,
            "the name of a day",
            |word, first| {
                (
                    advice::day(word),
                    if first {
                        "run on Saturdays, without a word"
                    } else {
                        LEFT_OUT
                    },
                )
            },
        )
    }

    pub(super) fn of_months(&mut self) -> Read<()> {
        self.names(
            Field::Month,
            words::month_name,
            "the name of a month",
            |word, first| {
                (
                    advice::month(word),
                    if first {
                        "run in December, without a word"
                    } else {
                        LEFT_OUT
                    },
                )
            },
        )
    }

    pub(super) fn in_years(&mut self) -> Read<()> {
        self.names(
            Field::Year,
            words::year,
            "a year with four digits",
            |word, _| (advice::year(word), NEVER),
        )
    }

    /// A list of names, each of them one or a stretch: `mon`, `mon-fri`, `mon and wed-fri`.
    fn names(&mut self, field: Field, meaning: Meaning, wanted: &str, advice: Advice) -> Read<()> {
        let column = self.column();
        let mut values = Vec::new();
        loop {
            let first = self.name(field, meaning, wanted, values.is_empty(), advice)?;
            let mut last_at = self.column();
            let mut last = first;
            if ["-", "to", "through"].iter().any(|word| self.take(word)) {
                last_at = self.column();
                last = self.name(field, meaning, wanted, values.is_empty(), advice)?;
            }
            if last < first {
                let (_, butler) = advice(None, values.is_empty());
                let instead = "name each of them, with `,` between";
                return Err(refusal(last_at, "this goes backwards", butler, instead));
            }
            values.extend(first..=last);
            if !(self.take("and") || self.take(",")) {
                break;
            }
            self.joined(wanted)?;
        }
        self.add(column, field, &values, false);
        Ok(())
    }

    fn name(
        &mut self,
        field: Field,
        meaning: Meaning,
        wanted: &str,
        first: bool,
        advice: Advice,
    ) -> Read<i64> {
        let next = self.peek();
        let Some(value) = next.and_then(meaning) else {
            let (instead, butler) = advice(next, first);
            let what = format!("{} stands where {wanted} is wanted", shown(next));
            return Err(self.refuse(what, butler, instead));
        };
        let (least, greatest) = field.range();
        if !(least..=greatest).contains(&value) {
            return Err(out_of_range(self.column(), field, value));
        }
        self.at += 1;
        Ok(value)
    }

    /// `on the first day of the month`, `on the 1,15 day`, `on the last day instance`.
    pub(super) fn on_the(&mut self, column: usize) -> Read<()> {
        let first = self.take("first");
        if first || self.take("last") {
            let word = if first { "first" } else { "last" };
            let field = self.unit_of(word)?;
            if field == Field::Year && !first {
                let what = "there is no last year";
                return Err(refusal(column, what, OTHER_TIMES, "write `in` and a year"));
            }
            let values: &[i64] = if first { &[field.range().0] } else { &[] };
            self.add(column, field, values, !first);
            return Ok(());
        }
        let mut ranges = Vec::new();
        loop {
            let at = self.column();
            let from = self.any_rank()?;
            let mut to = from;
            if ["-", "to", "through"].iter().any(|word| self.take(word)) {
                to = self.any_rank()?;
            }
            if to < from {
                let what = format!("from {from} to {to} it goes backwards");
                return Err(refusal(
                    at,
                    what,
                    OTHER_TIMES,
                    "name each of them, with `,` between",
                ));
            }
            ranges.push((at, from, to));
            if !(self.take("and") || self.take(",")) {
                break;
            }
        }
        let shown: Vec<String> = ranges.iter().map(|(_, from, _)| from.to_string()).collect();
        let field = self.unit_of(&shown.join(","))?;
        let (least, greatest) = field.range();
        let mut values = Vec::new();
        for (at, from, to) in ranges {
            if from < least || to > greatest {
                let outside = if from < least { from } else { to };
                return Err(out_of_range(at, field, outside));
            }
            values.extend(from..=to);
        }
        self.add(column, field, &values, false);
        Ok(())
    }

    fn any_rank(&mut self) -> Read<i64> {
        let Some(rank) = self.peek().and_then(words::rank) else {
            let what = format!(
                "{} stands where a number, `first` or `last` is wanted",
                shown(self.peek())
            );
            return Err(self.refuse(what, self.gives_up(), advice::rank(self.peek())));
        };
        self.at += 1;
        Ok(rank)
    }

    /// The unit behind `on the first`, `on the 5th` or `after 5`.
    fn unit_of(&mut self, word: &str) -> Read<Field> {
        let next = self.peek();
        if let Some(field) = self.period() {
            return Ok(field);
        }
        let what = format!(
            "{} stands where the unit of `{word}` is wanted",
            shown(next)
        );
        Err(self.refuse(what, self.gives_up(), advice::unit_of(word, next)))
    }

    /// `after` or `before` a time of day, or a number of some unit.
    pub(super) fn bound(&mut self, after: bool) -> Read<()> {
        let column = self.column();
        let word = if after { "after" } else { "before" };
        let is_time = self.peek().is_some_and(|next| next.contains(':'));
        let (field, value) = if is_time {
            (Field::Time, self.time(self.gives_up())?)
        } else {
            let Some(rank) = self.peek().and_then(words::rank) else {
                let what = format!(
                    "{} stands where the time behind `{word}` is wanted",
                    shown(self.peek())
                );
                let instead = format!("write `{word} 9:00 am`, or `{word} 15 day`");
                return Err(self.refuse(what, self.gives_up(), instead));
            };
            self.at += 1;
            if let Some(half) = self.peek().filter(|next| matches!(*next, "am" | "pm")) {
                let what = format!("`{rank} {half}` is no time of day");
                let instead = format!("write `{word} {rank}:00 {half}`");
                return Err(refusal(column, what, self.gives_up(), instead));
            }
            (self.unit_of(&rank.to_string())?, rank)
        };
        let (least, greatest) = field.range();
        if !(least..=greatest).contains(&value) {
            return Err(out_of_range(column, field, value));
        }
        if !after && value == least {
            let what = format!("nothing is before the first {}", words::name(field));
            return Err(refusal(
                column,
                what,
                OTHER_TIMES,
                "write a later one, or leave it out",
            ));
        }
        let same = |test: &Test| {
            matches!(
                (test, after),
                (Test::From(_), true) | (Test::Before(_), false)
            )
        };
        if self
            .current
            .constraints
            .iter()
            .any(|known| known.field == field && same(&known.test))
        {
            let what = format!("`{word}` stands twice with a {}", words::name(field));
            let which = if after { "first" } else { "last" };
            let butler = format!("gone by the {which} of them alone, without a word");
            return Err(refusal(column, what, butler, format!("write one `{word}`")));
        }
        self.constrain(
            field,
            if after {
                Test::From(value)
            } else {
                Test::Before(value)
            },
        );
        Ok(())
    }
}
