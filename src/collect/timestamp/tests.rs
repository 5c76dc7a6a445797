//! Every form, every day of a leap year, missing years, changes of summer time, continuations.

use super::{examples::LINES, *};
use jiff::{Timestamp, ToSpan as _, civil::date};

const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
const SYDNEY: &str = "AEST-10AEDT,M10.1.0,M4.1.0/3";

fn ns(rfc3339: &str) -> i64 {
    let timestamp: Timestamp = rfc3339.parse().unwrap();
    i64::try_from(timestamp.as_nanosecond()).unwrap()
}

fn text(ns: i64) -> String {
    Timestamp::from_nanosecond(i128::from(ns)).unwrap().to_string()
}

/// The time of one line in Berlin, read and written on 2026-11-24 at noon.
fn recognise(recogniser: &mut Recogniser, line: &str) -> Stamp {
    let now_ns = ns("2026-11-24T12:00:00Z");
    recogniser.recognise(line.as_bytes(), now_ns, now_ns)
}

/// A form is recognised whatever form the file had before, and as the first of the file.
#[test]
fn every_form_is_read() {
    for (line, expected) in LINES {
        let expected = Stamp::Found(ns(expected));
        let mut fresh = Recogniser::new(Zone::posix(BERLIN));
        assert_eq!(recognise(&mut fresh, line), expected, "{line}");
        assert_eq!(recognise(&mut fresh, line), expected, "again: {line}");
        for (before, _) in LINES {
            let mut used = fresh.clone();
            recognise(&mut used, before);
            assert_eq!(recognise(&mut used, line), expected, "{line} after {before}");
        }
    }
}

#[test]
fn other_lines_have_no_time() {
    let long_word = format!("{} 2026-11-22 10:00:00", "x".repeat(64));
    let late_bracket = format!("{} [22/Nov/2026:10:00:00 +0100]", "x".repeat(256));
    let late_key = format!("{{\"msg\":\"{}\",\"time\":1364481363}}", "x".repeat(4096));
    let lines = [
        "",
        "x",
        "[   12.345678] kernel: x",
        "22/11/2026 10:00:00 day or month first",
        "11/22/2026 10:00:00",
        "17/06/09 20:10:40 INFO",
        "081109 203615 148 INFO dfs.DataNode",
        "03-17 16:13:38.811  1702  2395 D WindowManager",
        "2026-11-22 no time of day",
        "2026-11-22 10:00:0 x",
        "2026-11-22 10:00:00x",
        "2026-11/22 10:00:00",
        "2026-13-22 10:00:00",
        "2026-02-29 10:00:00",
        "2026-11-22 24:00:00",
        "2026-11-22 10:60:00",
        "2026-11-22 10:00:61",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-11-22 10:00:00.0000000000000000000000000000000000000000 x",
        "Okt 22 10:00:00 host",
        "Nov 32 10:00:00 host",
        "Nov  0 10:00:00 host",
        "Nov 22 host",
        "<192>Nov 22 10:00:00 host",
        "<34Nov 22 10:00:00 host",
        "<34>1 - host",
        "I1322 10:00:00.123456 1 x.go:1] x",
        "D1122 10:00:00.123456 1 x.go:1] x",
        "1:m 22 Nov 2026 10:00:00.123 *",
        "12345678901:M 22 Nov 2026 10:00:00.123 *",
        "type=SYSCALL msg=audit(x.243:24287):",
        "type=SYSCALL msg=audit(1364481363.243)",
        "1364481363",
        "1364481363,x",
        "136448136 nine digits",
        "0946684799 before 2000",
        "1795608001 more than a day ahead",
        "99999999999999999999 x",
        "9999999999999999999 x",
        &long_word,
        &late_bracket,
        &late_key,
        "10.0.0.1 - -[22/Nov/2026:10:00:00 +0100]",
        "{\"msg\":\"x\"}",
        "{\"time\":\"2026-11-22T10:00:00\",\"zone\":\"missing\"}",
        "{\"time\":\"2026-11-22T10:00:00Zx\"}",
        "{\"time\":\"2026-11-22T10:00:00Z x\"}",
        "{\"time\":136448136.3}",
        "{\"a\":{\"time\":1364481363}}",
        "{} {\"time\":1364481363}",
        "}{\"time\":1364481363}",
        "{\"time",
        "{\"time\\",
        "{\"time\"",
        "{\"time\":",
    ];
    for line in lines {
        let mut fresh = Recogniser::new(Zone::posix(BERLIN));
        assert_eq!(recognise(&mut fresh, line), Stamp::None, "{line}");
    }
}

/// For every day of a leap year: year-less and zone-less forms, at the moment of writing, at its
/// end, and read 200 days later from a file that has not changed since.
#[test]
fn every_day_of_a_leap_year_is_read_right() {
    for rules in [BERLIN, SYDNEY, "UTC0"] {
        let zone = jiff::tz::TimeZone::posix(rules).unwrap();
        let mut recogniser = Recogniser::new(Zone::posix(rules));
        let mut day = date(2028, 1, 1);
        while day.year() == 2028 {
            for (hour, minute) in [(0, 0), (4, 30), (12, 0), (23, 59)] {
                let wall = day.at(hour, minute, 7, 0);
                let expected = i64::try_from(zone.to_timestamp(wall).unwrap().as_nanosecond()).unwrap();
                let lines = [
                    wall.strftime("%b %e %H:%M:%S host x").to_string(),
                    wall.strftime("<13>%b %d %H:%M:%S host x").to_string(),
                    wall.strftime("I%m%d %H:%M:%S.000000 1 x.go:1]").to_string(),
                    wall.strftime("1:M %d %b %H:%M:%S.000 * x").to_string(),
                    wall.strftime("%a %b %e %H:%M:%S %Y").to_string(),
                    wall.strftime("%d/%b/%Y:%H:%M:%S x").to_string(),
                    wall.strftime("%Y-%m-%dT%H:%M:%S x").to_string(),
                    wall.strftime("%Y/%m/%d %H:%M:%S x").to_string(),
                ];
                let later = 200 * DAY_S * SECOND_NS;
                for (now_ns, modified_ns) in
                    [(expected, expected), (expected + later, expected), (expected, expected + later)]
                {
                    for line in &lines {
                        let stamp = recogniser.recognise(line.as_bytes(), now_ns, modified_ns);
                        assert_eq!(stamp, Stamp::Found(expected), "{line} in {rules} at {}", text(now_ns));
                    }
                }
            }
            day = day.tomorrow().unwrap();
        }
    }
}

#[test]
fn a_missing_year_is_the_latest_possible() {
    const OCT_1: &str = "Oct  1 22:14:15 x";
    const JUL_1: &str = "Jul  1 00:00:00 x";
    const FEB_29: &str = "Feb 29 10:00:00 x";
    let rows = [
        // line, now, last change of the file, instant or none
        (OCT_1, "2026-10-01T20:14:15Z", "2026-10-01T20:14:15Z", "2026-10-01T20:14:15Z"),
        // up to a day ahead is a clock or a zone that differs
        (OCT_1, "2026-09-30T20:14:15Z", "2026-09-30T20:14:15Z", "2026-10-01T20:14:15Z"),
        (OCT_1, "2026-09-30T20:14:14Z", "2026-09-30T20:14:14Z", "2025-10-01T20:14:15Z"),
        // December read in January, and New Year's Eve ahead of UTC
        ("Dec 31 23:59:59 x", "2027-01-02T00:00:00Z", "2027-01-02T00:00:00Z", "2026-12-31T22:59:59Z"),
        ("Jan  1 00:30:00 x", "2026-12-31T23:30:01Z", "2026-12-31T23:30:01Z", "2026-12-31T23:30:00Z"),
        // an archive
        (OCT_1, "2026-11-24T00:00:00Z", "2019-11-24T00:00:00Z", "2019-10-01T20:14:15Z"),
        // a file dated ahead
        (OCT_1, "2026-11-24T00:00:00Z", "2030-11-24T00:00:00Z", "2026-10-01T20:14:15Z"),
        // leap days
        (FEB_29, "2028-02-29T09:00:00Z", "2028-02-29T09:00:00Z", "2028-02-29T09:00:00Z"),
        (FEB_29, "2028-02-28T08:59:59Z", "2028-02-28T08:59:59Z", "2024-02-29T09:00:00Z"),
        (FEB_29, "2104-02-28T08:59:59Z", "2104-02-28T08:59:59Z", "2096-02-29T09:00:00Z"),
        // the clock is not set: the file's last change counts if that is later
        (JUL_1, "1970-01-01T00:00:00Z", "2026-11-24T00:00:00Z", "2026-06-30T22:00:00Z"),
        (JUL_1, "1970-01-01T00:00:00Z", "2025-11-24T00:00:00Z", "2025-06-30T22:00:00Z"),
        (JUL_1, "1970-01-01T00:00:09Z", "1970-01-01T00:00:09Z", ""),
        (JUL_1, "2025-11-24T00:00:00Z", "2025-11-23T00:00:00Z", ""),
    ];
    for (line, now, modified, expected) in rows {
        let mut recogniser = Recogniser::new(Zone::posix(BERLIN));
        let expected = if expected.is_empty() { Stamp::None } else { Stamp::Found(ns(expected)) };
        assert_eq!(recogniser.recognise(line.as_bytes(), ns(now), ns(modified)), expected, "{line} at {now}");
    }
}

/// Both changes of the clock in both hemispheres, a line every ten minutes: the times never go
/// back, and each is what the clock on the wall meant.
#[test]
fn changes_of_summer_time_are_read_right() {
    let rows = [
        (BERLIN, "2026-03-29T00:00:00Z"),
        (BERLIN, "2026-10-25T00:00:00Z"),
        (SYDNEY, "2026-04-04T14:00:00Z"),
        (SYDNEY, "2026-10-03T14:00:00Z"),
    ];
    for (rules, start) in rows {
        let zone = jiff::tz::TimeZone::posix(rules).unwrap();
        let mut recogniser = Recogniser::new(Zone::posix(rules));
        let start: Timestamp = start.parse().unwrap();
        for step in 0..30 {
            let at = start + (step * 10).minutes();
            let line = zone.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S x").to_string();
            let expected = i64::try_from(at.as_nanosecond()).unwrap();
            // Read a year later: nothing but the order of the lines tells the two hours apart.
            let now_ns = expected + 365 * DAY_S * SECOND_NS;
            assert_eq!(recogniser.recognise(line.as_bytes(), now_ns, now_ns), Stamp::Found(expected), "{line} {rules}");
        }
    }
}

#[test]
fn the_hour_that_comes_twice() {
    const FIRST: &str = "2026-10-25T00:30:00Z";
    const SECOND: &str = "2026-10-25T01:30:00Z";
    const LINE: &str = "2026-10-25 02:30:00 x";
    let rows = [
        // the line before, when it is read, what is meant
        ("x", "2026-11-24T00:00:00Z", FIRST),
        ("2026-10-25 01:59:59 x", "2026-11-24T00:00:00Z", FIRST),
        ("2026-10-25 02:29:59 x", "2026-11-24T00:00:00Z", FIRST),
        ("2026-10-25 02:30:00 x", "2026-11-24T00:00:00Z", FIRST),
        ("2026-10-25 02:30:01 x", "2026-11-24T00:00:00Z", SECOND),
        ("2026-10-25 03:00:00 x", "2026-11-24T00:00:00Z", SECOND),
        // a second thread's line is a little late, and the second hour has not begun
        ("2026-10-25 02:30:01 x", "2026-10-25T00:30:01Z", FIRST),
    ];
    for (before, now, expected) in rows {
        let mut recogniser = Recogniser::new(Zone::posix(BERLIN));
        recogniser.recognise(before.as_bytes(), ns(now), ns(now));
        assert_eq!(
            recogniser.recognise(LINE.as_bytes(), ns(now), ns(now)),
            Stamp::Found(ns(expected)),
            "{before} {now}"
        );
    }
}

#[test]
fn the_hour_that_is_missing_shifts_forward() {
    for (line, rules, expected) in [
        ("2026-03-29 02:30:00 x", BERLIN, "2026-03-29T01:30:00Z"),
        ("Mar 29 02:30:00 x", BERLIN, "2026-03-29T01:30:00Z"),
        ("2026-10-04 02:30:00 x", SYDNEY, "2026-10-03T16:30:00Z"),
    ] {
        let mut recogniser = Recogniser::new(Zone::posix(rules));
        assert_eq!(recognise(&mut recogniser, line), Stamp::Found(ns(expected)), "{line}");
    }
}

#[test]
fn continuations_look_like_it_or_follow_a_time() {
    let mut recogniser = Recogniser::new(Zone::utc());
    for (line, expected) in [
        ("  indented", Stamp::Continuation),
        ("\tat com.example.Main", Stamp::Continuation),
        ("at com.example.Main", Stamp::Continuation),
        ("attention", Stamp::None),
        ("Caused by: x", Stamp::None),
        ("2026-11-22 10:00:00 x", Stamp::Found(ns("2026-11-22T10:00:00Z"))),
        ("Caused by: x", Stamp::Continuation),
        ("", Stamp::Continuation),
        ("2026-02-30 10:00:00 no such day", Stamp::Continuation),
    ] {
        assert_eq!(recognise(&mut recogniser, line), expected, "{line}");
    }
    for _ in 3..CONTINUATION_LINES_MAX {
        assert_eq!(recognise(&mut recogniser, "more"), Stamp::Continuation);
    }
    assert_eq!(recognise(&mut recogniser, "one too many"), Stamp::None);
    assert_eq!(recognise(&mut recogniser, "  indented"), Stamp::Continuation);
    assert_eq!(recognise(&mut recogniser, "2026-11-22 10:00:00 x"), Stamp::Found(ns("2026-11-22T10:00:00Z")));
    assert_eq!(recognise(&mut recogniser, "more"), Stamp::Continuation);
}
