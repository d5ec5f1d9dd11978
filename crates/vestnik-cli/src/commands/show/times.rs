//! Days and months of records.

use std::fmt;

/// A day of the Gregorian calendar, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(i64);

impl Day {
    /// The day that a JSON value tells: a text that starts with a date (`2024-05-01…`), or seconds or milliseconds since
    /// 1970.
    pub(super) fn of_json(json: &str) -> Option<Self> {
        let text = json.trim_matches('"');
        let mut parts = text.get(..10)?.splitn(3, ['-', '/', '.']);
        let mut part = || parts.next()?.parse::<i64>().ok();
        if let (Some(year), Some(month), Some(day)) = (part(), part(), part())
            && (1000..3000).contains(&year)
        {
            return Self::of_date(year, month, day);
        }
        let number: i64 = text.split('.').next()?.parse().ok()?;
        let seconds = if number.abs() > 100_000_000_000 {
            number / 1000
        } else {
            number
        };
        Some(Self(seconds.div_euclid(86_400)))
    }

    /// By the algorithm of Howard Hinnant, "chrono-compatible low-level date algorithms".
    fn of_date(year: i64, month: i64, day: i64) -> Option<Self> {
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year - era * 400;
        let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(Self(era * 146_097 + day_of_era - 719_468))
    }

    fn date(self) -> (i64, i64, i64) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days - era * 146_097;
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        (year_of_era + era * 400 + i64::from(month <= 2), month, day)
    }

    /// The day as text, or its month.
    pub(super) fn name(self, by_month: bool) -> String {
        let day = self.to_string();
        match by_month {
            true => day[..day.len() - 3].to_owned(),
            false => day,
        }
    }

    /// The number of days since another one.
    pub(super) fn since(self, other: Self) -> i64 {
        self.0 - other.0
    }

    /// The first day of the month.
    pub(super) fn month(self) -> Self {
        let (_, _, day) = self.date();
        Self(self.0 - day + 1)
    }

    /// The next day, or the first one of the next month.
    pub(super) fn next(self, by_month: bool) -> Self {
        match by_month {
            true => Self(self.month().0 + 31).month(),
            false => Self(self.0 + 1),
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_forms_that_dumps_have() {
        let day = |json: &str| Day::of_json(json).as_ref().map(ToString::to_string);
        assert_eq!(
            day("\"2024-02-29T23:59:00Z\"").as_deref(),
            Some("2024-02-29")
        );
        assert_eq!(day("\"1999-12-31\"").as_deref(), Some("1999-12-31"));
        assert_eq!(day("1709164800").as_deref(), Some("2024-02-29"));
        assert_eq!(day("1709164800000").as_deref(), Some("2024-02-29"));
        assert_eq!(day("\"yesterday…\""), None);
        assert_eq!(day("null"), None);
        assert_eq!(day("\"2024-13-01\""), None);
    }

    #[test]
    fn months_follow_one_another() {
        let day = Day::of_json("\"2023-12-15\"").unwrap();
        assert_eq!(day.month().to_string(), "2023-12-01");
        assert_eq!(day.next(true).to_string(), "2024-01-01");
        assert_eq!(
            (day.name(true), day.name(false)),
            ("2023-12".to_owned(), "2023-12-15".to_owned())
        );
        assert_eq!(
            day.next(true).next(true).next(true).to_string(),
            "2024-03-01"
        );
        assert_eq!(day.next(false).since(day), 1);
    }
}
