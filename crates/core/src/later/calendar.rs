//! The civil calendar in UTC: what day it is, and where its week, month and year begin.
//!
//! Years are those of the Gregorian calendar, which repeats itself exactly every 400 years: [`CYCLE`] days, which are
//! whole weeks too. There are no leap seconds, as in every time that computers keep.

use super::Field;

/// Days in 400 years: after so many, dates and weekdays alike begin anew.
pub(super) const CYCLE: i64 = 146_097;

/// Seconds in a day.
pub(super) const DAY: i64 = 86_400;

/// Days before each month of a year that is no leap year.
const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    /// Days since 1970-01-01.
    pub(super) number: i64,
    /// The year.
    pub(super) year: i64,
    /// The month, from 1.
    pub(super) month: i64,
    /// The day of the month, from 1.
    pub(super) of_month: i64,
    /// The day of the week: 1 is Sunday, 7 is Saturday.
    pub(super) weekday: i64,
    /// The day of the year, from 1.
    pub(super) of_year: i64,
}

/// Whether a year has a 29th of February.
const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days in a year.
const fn length_of_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

/// The first day of a year, in days since 1970-01-01.
pub(super) const fn first_of_year(year: i64) -> i64 {
    let past = year - 1;
    // 719,162 days lie between the first day of the year 1 and that of 1970.
    365 * past + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400) - 719_162
}

/// Days of a year before its month.
fn before_month(year: i64, month: i64) -> i64 {
    let index = usize::try_from(month - 1).unwrap_or_default();
    let days = BEFORE_MONTH.get(index).copied().unwrap_or(365);
    days + i64::from(month > 2 && is_leap(year))
}

impl Day {
    /// The day so many days after 1970-01-01.
    pub(super) fn from_number(number: i64) -> Self {
        // By the mean length of a year, and one more, so that it is never too small.
        let mut year = 1971 + (number * 400).div_euclid(CYCLE);
        while first_of_year(year) > number {
            year -= 1;
        }
        let of_year = number - first_of_year(year) + 1;
        let mut month = 12;
        while before_month(year, month) >= of_year {
            month -= 1;
        }
        Self {
            number,
            year,
            month,
            of_month: of_year - before_month(year, month),
            // The first of January 1970 was a Thursday.
            weekday: (number + 4).rem_euclid(7) + 1,
            of_year,
        }
    }

    /// The first day of its month, in days since 1970-01-01.
    const fn first_of_month(&self) -> i64 {
        self.number - self.of_month + 1
    }

    /// Days in its month.
    fn length_of_month(&self) -> i64 {
        before_month(self.year, self.month + 1) - before_month(self.year, self.month)
    }

    /// The Monday of its week, in days since 1970-01-01.
    const fn monday(&self) -> i64 {
        self.number - (self.weekday + 5) % 7
    }

    /// The weekday with which its month begins.
    const fn weekday_of_first(&self) -> i64 {
        (self.first_of_month() + 4).rem_euclid(7) + 1
    }

    /// Its week by ISO 8601: weeks begin on Monday and belong to the year that holds their Thursday.
    fn iso_week(&self) -> i64 {
        (Self::from_number(self.monday() + 3).of_year - 1) / 7 + 1
    }

    /// The last ISO week of the year that its week belongs to: the one of the 28th of December.
    fn last_iso_week(&self) -> i64 {
        let year = Self::from_number(self.monday() + 3).year;
        Self::from_number(first_of_year(year) + length_of_year(year) - 4).iso_week()
    }

    /// Its value in a field of days, weeks, months or years; nothing for a time of day.
    pub(super) fn value(&self, field: Field) -> Option<i64> {
        match field {
            Field::Second | Field::Minute | Field::Hour | Field::Time => None,
            Field::DayOfMonth => Some(self.of_month),
            Field::DayOfWeek => Some(self.weekday),
            Field::DayOfYear => Some(self.of_year),
            Field::DayInstance => Some((self.of_month - 1) / 7 + 1),
            // Weeks of a month begin on Sunday, the first of them on the first of the month.
            Field::WeekOfMonth => Some((self.of_month + self.weekday_of_first() - 2) / 7 + 1),
            Field::WeekOfYear => Some(self.iso_week()),
            Field::Month => Some(self.month),
            Field::Year => Some(self.year),
        }
    }

    /// Whether it bears the last value that a field has in its month or year.
    pub(super) fn is_last(&self, field: Field) -> bool {
        match field {
            Field::Second | Field::Minute | Field::Hour | Field::Time | Field::Year => false,
            Field::DayOfMonth => self.of_month == self.length_of_month(),
            Field::DayOfWeek => self.weekday == 7,
            Field::DayOfYear => self.of_year == length_of_year(self.year),
            // Each weekday comes for the last time within the last seven days.
            Field::DayInstance => self.of_month > self.length_of_month() - 7,
            Field::WeekOfMonth => self.of_month + 7 - self.weekday >= self.length_of_month(),
            Field::WeekOfYear => self.iso_week() == self.last_iso_week(),
            Field::Month => self.month == 12,
        }
    }

    /// The day with which its period of a field begins: its week, month or year; itself where that is a day or less.
    pub(super) fn begin(&self, period: Field) -> i64 {
        match period {
            Field::Second
            | Field::Time
            | Field::Minute
            | Field::Hour
            | Field::DayOfWeek
            | Field::DayOfMonth
            | Field::DayOfYear => self.number,
            Field::DayInstance => self.number - (self.of_month - 1) % 7,
            Field::WeekOfMonth => (self.number - self.weekday + 1).max(self.first_of_month()),
            Field::WeekOfYear => self.monday(),
            Field::Month => self.first_of_month(),
            Field::Year => self.number - self.of_year + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(number: i64) -> (i64, i64, i64) {
        let day = Day::from_number(number);
        (day.year, day.month, day.of_month)
    }

    #[test]
    fn known_days_are_found() {
        for (number, wanted) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (365, (1971, 1, 1)),
            (11_016, (2000, 2, 29)),
            (19_782, (2024, 2, 29)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
            (2_932_896, (9999, 12, 31)),
        ] {
            assert_eq!(date(number), wanted, "{number}");
        }
        assert_eq!(
            Day::from_number(19_795).weekday,
            4,
            "2024-03-13 is a Wednesday"
        );
    }

    #[test]
    fn each_day_follows_the_one_before_it() {
        let mut before = Day::from_number(first_of_year(1970));
        for number in before.number + 1..first_of_year(2401) {
            let day = Day::from_number(number);
            let wanted = if before.of_month < before.length_of_month() {
                (before.year, before.month, before.of_month + 1)
            } else if before.month < 12 {
                (before.year, before.month + 1, 1)
            } else {
                (before.year + 1, 1, 1)
            };
            assert_eq!((day.year, day.month, day.of_month), wanted);
            assert_eq!(day.weekday, before.weekday % 7 + 1);
            assert_eq!(
                day.of_year,
                if day.month == 1 && day.of_month == 1 {
                    1
                } else {
                    before.of_year + 1
                }
            );
            before = day;
        }
    }

    #[test]
    fn the_calendar_repeats_itself_after_a_cycle() {
        for number in (0..CYCLE).step_by(37) {
            let (now, then) = (Day::from_number(number), Day::from_number(number + CYCLE));
            assert_eq!(then.year, now.year + 400);
            for field in Field::ALL.into_iter().filter(|field| *field != Field::Year) {
                assert_eq!(now.value(field), then.value(field), "{number} {field:?}");
                assert_eq!(
                    now.is_last(field),
                    then.is_last(field),
                    "{number} {field:?}"
                );
                assert_eq!(
                    now.begin(field) + CYCLE,
                    then.begin(field),
                    "{number} {field:?}"
                );
            }
        }
    }

    #[test]
    fn weeks_are_numbered_as_iso_8601_does() {
        // Examples of the standard: the first week of 2009 begins in 2008, and 2009 has 53 weeks.
        for (year, of_year, week) in [
            (2008, 364, 1),
            (2009, 1, 1),
            (2009, 365, 53),
            (2010, 3, 53),
            (2010, 4, 1),
        ] {
            let day = Day::from_number(first_of_year(year) + of_year - 1);
            assert_eq!(day.iso_week(), week, "day {of_year} of {year}");
        }
        assert!(Day::from_number(first_of_year(2010)).is_last(Field::WeekOfYear));
        assert!(!Day::from_number(first_of_year(2011) - 3).is_last(Field::Month.max(Field::Year)));
    }
}
