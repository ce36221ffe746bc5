//! `every …`, with what may stand behind it.

use svcwatch_core::later::{Field, steps};

use super::{Parser, Read, refusal};
use crate::config::later::refusal::{LEFT_OUT, Refusal, WITHOUT_PAUSE, shown};
use crate::config::later::{advice, words};

impl Parser<'_> {
    pub(super) fn every(&mut self) -> Read<()> {
        let column = self.behind().map_or(1, |word| word.column);
        if self.take("weekend") {
            self.add(column, Field::DayOfWeek, &[1, 7], false);
            return Ok(());
        }
        if self.take("weekday") {
            self.add(column, Field::DayOfWeek, &[2, 3, 4, 5, 6], false);
            return Ok(());
        }
        let number_at = self.column();
        let Some(step) = self.peek().and_then(words::rank) else {
            return Err(self.refuse_no_number());
        };
        self.at += 1;
        let Some(field) = self.period() else {
            let next = shown(self.peek());
            let what = format!("{next} stands where the unit of `every {step}` is wanted");
            let instead = advice::unit(step, self.peek());
            return Err(self.refuse(what, self.gives_up(), instead));
        };
        let (least, greatest) = crate::config::later::every_range(field);
        if step == 0 {
            let name = words::name(field);
            let what = format!("`every 0 {name}s` is no step");
            let instead = format!("write `every 1 {name}`");
            return Err(refusal(
                number_at,
                what,
                format!("checked every {name}, without a word"),
                instead,
            ));
        }
        let (first, last) = if matches!(self.peek(), Some("start" | "starting")) {
            (self.starting(field)?, greatest)
        } else if self.take("between") {
            self.between(field)?
        } else {
            self.notes
                .extend(advice::no_interval(number_at, step, field));
            (least, greatest)
        };
        self.add(column, field, &steps(first, last, step), false);
        Ok(())
    }

    /// `every` without a number, which Butler takes for the first of its unit.
    fn refuse_no_number(&mut self) -> Refusal {
        let column = self.column();
        let next = self.peek();
        if let Some(number) = next.and_then(advice::number_word) {
            let unit = self.peek_at(1).unwrap_or("minutes");
            let what = format!("the number behind `every` is the word {}", shown(next));
            return self.refuse(
                what,
                self.gives_up(),
                format!("write `every {number} {unit}`"),
            );
        }
        if let Some(field) = self.period() {
            let what = format!("no number stands between `every` and {}", shown(next));
            let instead = format!("write `every 1 {}`", words::name(field));
            return refusal(column, what, advice::first_of(field), instead);
        }
        let what = format!(
            "{} stands where the number behind `every` is wanted",
            shown(next)
        );
        self.refuse(what, self.gives_up(), advice::behind_every(next))
    }

    /// `starting on the 5th minute`: the same unit again, whose number is the new beginning.
    fn starting(&mut self, field: Field) -> Read<i64> {
        self.at += 1;
        let name = words::name(field);
        let wanted = format!("write `starting on the … {name}`, with a number");
        if !self.take("at") {
            if !self.take("on") {
                return Err(self.refuse(
                    format!("{} stands behind `starting`", shown(self.peek())),
                    LEFT_OUT,
                    wanted,
                ));
            }
            self.take("the");
        }
        let first = self.number(field, LEFT_OUT, &wanted)?;
        let column = self.column();
        let next = self.peek();
        if self.period() == Some(field) {
            return Ok(first);
        }
        let what = format!("{} stands where `{name}` is wanted", shown(next));
        Err(refusal(
            column,
            what,
            LEFT_OUT,
            format!("write `starting on the {first} {name}`"),
        ))
    }

    /// `between the 10 and 50`: numbers of the unit of `every`, which is not named again.
    fn between(&mut self, field: Field) -> Read<(i64, i64)> {
        self.take("the");
        let name = words::name(field);
        let wanted = if field == Field::Time
            || self
                .peek()
                .is_some_and(|word| words::time(word, None).is_some())
        {
            "write `after 9:00 am before 5:00 pm`, with your times".to_owned()
        } else {
            format!("write `between the 8 and 18`, with your own numbers of the {name}")
        };
        let first = self.number(field, LEFT_OUT, &wanted)?;
        if !(self.take("and") || self.take(",")) {
            let what = format!(
                "{} stands where the `and` of `between` is wanted",
                shown(self.peek())
            );
            return Err(self.refuse(what, LEFT_OUT, wanted));
        }
        let column = self.column();
        let last = self.number(field, WITHOUT_PAUSE, &wanted)?;
        if last < first {
            let what = format!("from {first} to {last} it goes backwards");
            let instead =
                format!("write `between the {last} and {first}`, or two schedules with `also`");
            return Err(refusal(column, what, WITHOUT_PAUSE, instead));
        }
        // Butler stops to read at a unit here. Where it is the same one and nothing comes after it, nothing is lost.
        let before = self.at;
        if self.period() == Some(field) && self.peek().is_none() {
            return Ok((first, last));
        }
        self.at = before;
        if let Some(next) = self.peek().filter(|word| words::period(word).is_some()) {
            let what = format!(
                "`{next}` stands behind `between the {first} and {last}`, which is already of the {name}"
            );
            return Err(self.refuse(what, LEFT_OUT, format!("leave out `{next}`")));
        }
        Ok((first, last))
    }
}
