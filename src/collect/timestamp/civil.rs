//! What a line says about its time, before a zone and a year are known, and the calendar
//! arithmetic on it: proleptic Gregorian, days since 1970-01-01, no table of zones.

/// Nanoseconds of a second.
pub(super) const SECOND_NS: i64 = 1_000_000_000;
/// Seconds of a day.
pub(super) const DAY_S: i64 = 86_400;

/// What a form read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nanoseconds since 1970-01-01 UTC.
    Instant(i64),
    /// A date and a time of day, perhaps without year or zone.
    Wall(Wall),
}

/// A date and a time of day as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wall {
    /// `None`: the form has no year.
    pub(super) year: Option<i32>,
    /// 1 to 12.
    pub(super) month: u8,
    /// 1 to 31; whether the month has it is checked with the year.
    pub(super) day: u8,
    /// When on that day.
    pub(super) time: TimeOfDay,
    /// Seconds east of UTC. `None`: the form has no zone.
    pub(super) offset_s: Option<i32>,
}

/// A time of day. A leap second is the first second of the next minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeOfDay {
    /// 0 to 86,400.
    pub(super) second: u32,
    /// Below 1,000,000,000.
    pub(super) nanos: u32,
}

impl Wall {
    /// Seconds since 1970-01-01 00:00 on the same wall in this year, `None` if it lacks the day.
    pub(super) fn local_s(&self, year: i32) -> Option<i64> {
        if self.day == 0 || self.day > days_in_month(year, self.month)? {
            return None;
        }
        Some(days_from_civil(year, self.month, self.day) * DAY_S + i64::from(self.time.second))
    }
}

/// Nanoseconds since 1970 of whole seconds and a fraction; `None` if they do not fit.
pub(super) fn instant_ns(utc_s: i64, nanos: u32) -> Option<i64> {
    utc_s.checked_mul(SECOND_NS)?.checked_add(i64::from(nanos))
}

/// The UTC year of an instant.
pub(super) fn year_of(instant_ns: i64) -> i32 {
    // Years begin in March here, so that the leap day is the last of its year:
    // https://howardhinnant.github.io/date_algorithms.html, `civil_from_days`.
    let days = instant_ns.div_euclid(SECOND_NS * DAY_S) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Day 306 of a year that began in March is the first of January.
    let year = year_of_era + era * 400 + i64::from(day_of_year >= 306);
    i32::try_from(year).unwrap_or(i32::MAX)
}

/// Days since 1970-01-01 of a date that exists.
fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    // The counterpart of the above, `days_from_civil`.
    let (month, day) = (i64::from(month), i64::from(day));
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The length of a month, `None` if there is no such month.
fn days_in_month(year: i32, month: u8) -> Option<u8> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::Date;

    /// Every day of the years that an `i64` of nanoseconds holds agrees with jiff, in both directions.
    #[test]
    fn days_and_years_agree_with_jiff() {
        let midnight = TimeOfDay { second: 0, nanos: 0 };
        let mut days = days_from_civil(1678, 1, 1);
        for year in 1678..=2261 {
            for month in 1..=12 {
                let last =
                    Date::new(i16::try_from(year).unwrap(), i8::try_from(month).unwrap(), 1).unwrap().days_in_month();
                for day in 1..=31 {
                    let wall = Wall { year: None, month, day, time: midnight, offset_s: None };
                    let expected = (i8::try_from(day).unwrap() <= last).then_some(days * DAY_S);
                    assert_eq!(wall.local_s(year), expected, "{year}-{month}-{day}");
                    if expected.is_some() {
                        assert_eq!(year_of(days * DAY_S * SECOND_NS), year, "{year}-{month}-{day}");
                        days += 1;
                    }
                }
            }
        }
        let last = days * DAY_S;
        assert_eq!(instant_ns(last, 0), Some(9_214_646_400 * SECOND_NS), "2262-01-01");
        assert_eq!(instant_ns(i64::MAX / SECOND_NS, 854_775_808), None);
        assert_eq!(instant_ns(i64::MAX / SECOND_NS + 1, 0), None);
        assert_eq!(year_of(i64::MIN), 1677);
        assert_eq!(year_of(i64::MAX), 2262);
    }

    #[test]
    fn impossible_dates_do_not_exist() {
        let time = TimeOfDay { second: 0, nanos: 0 };
        for (year, month, day) in [(2026, 0, 1), (2026, 13, 1), (2026, 1, 0), (2026, 2, 29), (2100, 2, 29), (0, 0, 0)] {
            let wall = Wall { year: Some(year), month, day, time, offset_s: None };
            assert_eq!(wall.local_s(year), None, "{year}-{month}-{day}");
        }
    }
}
