//! The known forms of a time at a line's start, and which of them a line's first byte allows.
//! Reading a form allocates nothing, looks at a bounded part of the line and never changes it.

use super::{civil::Reading, scan::Scan};

mod json;
mod month;
mod number;
mod numeric;

/// A family of forms that one function reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `2026-11-22T10:00:00.123+01:00`, `[2026/11/22 10:00:00]` and what lies between.
    Numeric,
    /// `22-Nov-2026 10:00:00.123`, `[22/Nov/2026:10:00:00 +0100]`.
    DayMonthYear,
    /// RFC 3164: `Nov 22 10:00:00`, perhaps with a year.
    MonthDay,
    /// ctime, Apache's error log, RFC 2822: `Sun Nov 22 10:00:00 2026`, `Sun, 22 Nov 2026 10:00:00 +0100`.
    Weekday,
    /// RFC 5424 and RFC 3164 behind `<34>`.
    SyslogPriority,
    /// `I1122 10:00:00.123456   1 main.go:1]`.
    Klog,
    /// `1:M 22 Nov 2026 10:00:00.123 *`.
    Redis,
    /// `type=SYSCALL msg=audit(1364481363.243:24287):`.
    Audit,
    /// `1364481363.243 ...`.
    Epoch,
    /// logfmt that begins with the time: `time="2026-11-22T10:00:00Z" level=info`.
    KeyValue,
    /// `update-alternatives 2026-11-22 10:00:00:`.
    WordNumeric,
    /// `10.0.0.1 - - [22/Nov/2026:10:00:00 +0100] "GET`.
    CommonLog,
    /// `{"level":"info","ts":"2026-11-22T10:00:00Z"}`.
    Json,
}

impl Form {
    /// The forms that can begin with this byte, in the order they are tried.
    pub(super) fn candidates(first: u8) -> &'static [Form] {
        match first {
            b'<' => &[Form::SyslogPriority],
            b'{' => &[Form::Json],
            b'[' => &[Form::Numeric, Form::DayMonthYear, Form::Weekday, Form::MonthDay],
            b'0'..=b'9' => {
                &[Form::Numeric, Form::Epoch, Form::DayMonthYear, Form::Redis, Form::WordNumeric, Form::CommonLog]
            }
            b'A'..=b'Z' => &[Form::MonthDay, Form::Weekday, Form::Klog, Form::WordNumeric, Form::CommonLog],
            b'a'..=b'z' => &[Form::KeyValue, Form::Audit, Form::WordNumeric, Form::CommonLog],
            _ => &[Form::WordNumeric, Form::CommonLog],
        }
    }

    /// The time of a line in this form. A bare number counts as a time only if it lies between the
    /// year 2000 and `epoch_max_ns`.
    pub(super) fn read(self, line: &[u8], epoch_max_ns: i64) -> Option<Reading> {
        let mut scan = Scan::new(line);
        match self {
            Form::Numeric => numeric::bare(&mut scan),
            Form::DayMonthYear => month::day_month_year(&mut scan),
            Form::MonthDay => month::month_day(&mut scan),
            Form::Weekday => month::weekday(&mut scan),
            Form::SyslogPriority => syslog(&mut scan),
            Form::Klog => numeric::klog(&mut scan),
            Form::Redis => month::redis(&mut scan),
            Form::Audit => number::audit(line),
            Form::Epoch => number::epoch_at_start(&mut scan, epoch_max_ns),
            Form::KeyValue => key_value(&mut scan, epoch_max_ns),
            Form::WordNumeric => numeric::behind_word(line),
            Form::CommonLog => month::common_log(line),
            Form::Json => json::time(line, epoch_max_ns),
        }
    }
}

/// `<34>1 2003-10-11T22:14:15.003Z` (RFC 5424, 6.2), `<34>Oct 11 22:14:15` (RFC 3164, 4.1), and
/// rsyslog's mixture `<34>2003-10-11T22:14:15.003Z`.
fn syslog(scan: &mut Scan<'_>) -> Option<Reading> {
    scan.expect(b'<')?;
    let mut priority = 0;
    while let Some(digit) = scan.eat_if(|byte| byte.is_ascii_digit()) {
        priority = priority * 10 + u32::from(digit - b'0');
        // 23 facilities and 7 severities: 23 * 8 + 7.
        if priority > 191 {
            return None;
        }
    }
    scan.expect(b'>')?;
    scan.eat_text(b"1 ");
    let mut named = *scan;
    numeric::bare(scan).or_else(|| month::month_day(&mut named))
}

/// `time="2026-11-22T10:00:00Z"`, `ts=2026-11-22T10:00:00.123Z`, `t=1364481363.243`.
fn key_value(scan: &mut Scan<'_>, epoch_max_ns: i64) -> Option<Reading> {
    [b"time=".as_slice(), b"ts=", b"t=", b"timestamp="].into_iter().find(|key| scan.eat_text(key))?;
    scan.eat(b'"');
    let mut number = *scan;
    numeric::bare(scan).or_else(|| number::epoch(&mut number, epoch_max_ns).filter(|_| number.at_boundary()))
}
