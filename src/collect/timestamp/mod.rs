//! The time of a followed line. A [`Recogniser`] reads it from the line's start where the form is
//! well known (`form`), in a [`Zone`] where the line names none; a [`Clock`] decides what the entry
//! gets: that time, the one before it for a continuation, or the time of reading.
//!
//! Both belong to one file and see its lines in order. No line allocates, none is changed, and
//! nothing in a line can make them fail: at worst a line gets the time of reading.

mod civil;
mod clock;
mod form;
mod scan;
mod zone;

pub(crate) use clock::{Clock, Stats};
pub(crate) use scan::is_month;
pub(crate) use zone::Zone;

use civil::{DAY_S, Reading, SECOND_NS, TimeOfDay, Wall};
use form::Form;
use zone::Instants;

use crate::logql::Written;

/// How far in the future a line's time may lie; Loki's grace for pushed entries.
const FUTURE_GRACE_NS: i64 = 10 * 60 * SECOND_NS;

/// 2026-01-01. An earlier clock is not set: this program did not exist.
const CLOCK_SET_NS: i64 = 1_767_225_600 * SECOND_NS;

/// Lines in a row without a time that still count as part of the last line that had one. A thread
/// dump is long, but a file with a dated banner must not end up in the banner's second.
const CONTINUATION_LINES_MAX: u32 = 10_000;

/// What a line's start says about its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// Nanoseconds since 1970-01-01 UTC.
    Found(i64),
    /// No time of its own, but the looks of a line that belongs to the one before: indented, a
    /// stack frame, or in a file whose earlier lines had times.
    Continuation,
    /// No time.
    None,
}

/// Reads times from the lines of one file.
#[derive(Clone, Debug)]
pub(crate) struct Recogniser {
    zone: Zone,
    /// The form of the last line that had a time; tried first.
    form: Option<Form>,
    /// Lines since then.
    lines_without: u32,
    /// The time of that line.
    last_ns: Option<i64>,
}

impl Recogniser {
    /// A recogniser for the lines of one file; `zone` is that of times that carry none.
    pub(crate) fn new(zone: Zone) -> Self {
        Self { zone, form: None, lines_without: 0, last_ns: None }
    }

    /// The time at the start of the file's next line. `now_ns` is the time of reading, `modified_ns`
    /// the file's last change: together they bound what a time without year can mean.
    pub(crate) fn recognise(&mut self, line: &[u8], now_ns: i64, modified_ns: i64) -> Stamp {
        self.zone.refresh(now_ns);
        match self.read(line, latest_ns(now_ns, modified_ns)) {
            Some((form, Reading::Instant(ns))) => self.found(form, ns),
            Some((form, Reading::Wall(wall))) => match self.resolve(wall, now_ns, modified_ns) {
                Some(ns) => self.found(form, ns),
                // Its own time is there, only nobody can say of which year.
                None if wall.year.is_none() && !clock_is_set(now_ns) => Stamp::None,
                None => self.not_found(line),
            },
            None => self.not_found(line),
        }
    }

    /// The instant of a text that is a time, if its form is known.
    pub(crate) fn time_of(&mut self, text: &[u8], now_ns: i64) -> Option<i64> {
        match self.recognise(text, now_ns, now_ns) {
            Stamp::Found(ns) => Some(ns),
            Stamp::Continuation | Stamp::None => None,
        }
    }

    /// The instant of a time that a layout read: adds the year and the zone where they are missing. `None` if
    /// there is no such day, or its zone is another one than the recogniser's and not UTC.
    pub(crate) fn instant(&mut self, written: &Written<'_>, now_ns: i64, modified_ns: i64) -> Option<i64> {
        self.zone.refresh(now_ns);
        let (month, day) = match (written.day_of_year, written.year) {
            (Some(day), year) => {
                let date = jiff::civil::Date::new(year?, 1, 1).ok()?.with().day_of_year(day).build().ok()?;
                (date.month(), date.day())
            }
            (None, _) => (written.month.unwrap_or(1), written.day.unwrap_or(1)),
        };
        let part = |part: i8, max: i8| (0..=max).contains(&part).then(|| part.unsigned_abs());
        let (hour, minute, second) = (part(written.hour, 23)?, part(written.minute, 59)?, part(written.second, 60)?);
        let second = u32::from(hour) * 3600 + u32::from(minute) * 60 + u32::from(second);
        let is_utc = matches!(written.zone, Some("UTC" | "GMT"));
        let wall = Wall {
            year: written.year.map(i32::from),
            month: part(month, 12)?,
            day: part(day, 31)?,
            time: TimeOfDay { second, nanos: u32::try_from(written.nanosecond).ok()? },
            offset_s: written.offset_s.or(is_utc.then_some(0)),
        };
        let ns = self.resolve(wall, now_ns, modified_ns)?;
        let named = written.zone.filter(|_| wall.offset_s.is_none());
        if named.is_some_and(|name| !self.zone.is_called(name, ns / SECOND_NS)) {
            return None;
        }
        self.last_ns = Some(ns);
        Some(ns)
    }

    fn found(&mut self, form: Form, ns: i64) -> Stamp {
        (self.form, self.lines_without, self.last_ns) = (Some(form), 0, Some(ns));
        Stamp::Found(ns)
    }

    fn not_found(&mut self, line: &[u8]) -> Stamp {
        self.lines_without = self.lines_without.saturating_add(1);
        let timed_file = self.form.is_some() && self.lines_without <= CONTINUATION_LINES_MAX;
        if timed_file || line.starts_with(b" ") || line.starts_with(b"\t") || line.starts_with(b"at ") {
            Stamp::Continuation
        } else {
            Stamp::None
        }
    }

    /// The first form that fits, the last line's before all others.
    fn read(&self, line: &[u8], latest_ns: i64) -> Option<(Form, Reading)> {
        let first = *line.first().filter(|byte| !byte.is_ascii_whitespace())?;
        let epoch_max_ns = latest_ns.saturating_add(DAY_S * SECOND_NS);
        let others = Form::candidates(first).iter().copied().filter(|&form| Some(form) != self.form);
        self.form.into_iter().chain(others).find_map(|form| Some((form, form.read(line, epoch_max_ns)?)))
    }

    /// The instant of a time as it was written: adds the year and the zone where they are missing.
    fn resolve(&mut self, wall: Wall, now_ns: i64, modified_ns: i64) -> Option<i64> {
        let written_ns = if clock_is_set(now_ns) { now_ns.min(modified_ns) } else { modified_ns };
        if let Some(year) = wall.year {
            return self.in_year(wall, year, written_ns);
        }
        if !clock_is_set(now_ns) && modified_ns <= now_ns {
            return None;
        }
        let bound_ns = written_ns.saturating_add(DAY_S * SECOND_NS);
        // No zone is a day from UTC: a wall that shows more than this is beyond the bound everywhere,
        // and need not be asked about.
        let wall_max_ns = bound_ns.saturating_add(DAY_S * SECOND_NS);
        let newest = civil::year_of(wall_max_ns);
        // A February 29 is at most eight years from the one before.
        (newest - 8..=newest).rev().find_map(|year| {
            wall.local_s(year).filter(|&local_s| local_s <= wall_max_ns / SECOND_NS)?;
            self.in_year(wall, year, written_ns).filter(|&ns| ns <= bound_ns)
        })
    }

    fn in_year(&mut self, wall: Wall, year: i32, written_ns: i64) -> Option<i64> {
        let local_s = wall.local_s(year)?;
        let ns = |utc_s| civil::instant_ns(utc_s, wall.time.nanos);
        if let Some(offset_s) = wall.offset_s {
            return ns(local_s - i64::from(offset_s));
        }
        match self.zone.instants(local_s)? {
            Instants::One(utc_s) => ns(utc_s),
            Instants::Two { early_s, late_s } => {
                let (early_ns, late_ns) = (ns(early_s)?, ns(late_s)?);
                // The second showing is meant once the first would go back in the file; but lines
                // of several threads go back a little, so it must also have been reached already.
                let goes_back = self.last_ns.is_some_and(|last_ns| early_ns < last_ns);
                let reached = late_ns <= written_ns.saturating_add(FUTURE_GRACE_NS);
                Some(if goes_back && reached { late_ns } else { early_ns })
            }
        }
    }
}

/// Whether the host's clock can be right.
fn clock_is_set(now_ns: i64) -> bool {
    now_ns >= CLOCK_SET_NS
}

/// The present as far as it is known: while the clock is not set, the file's last change may be later.
fn latest_ns(now_ns: i64, modified_ns: i64) -> i64 {
    if clock_is_set(now_ns) { now_ns } else { now_ns.max(modified_ns) }
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod robustness;
#[cfg(test)]
mod tests;
