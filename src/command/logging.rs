//! Narvi's own messages: one line each on standard error. A standard error that cannot be written (closed, or a file
//! on a full disk) loses messages and stops nothing: `eprintln!`, which `simple_logger` writes with, would panic.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, Write},
    panic::{self, PanicHookInfo},
    thread,
};

use jiff::Timestamp;
use log::{Level, LevelFilter, Log, Metadata, Record};

/// Installs the logger, and lets it report panics. [`log::set_max_level`] alone decides what is said, so a reload can
/// change it.
pub(super) fn start(level: LevelFilter) {
    // It lives as long as the process. Setting it fails only if there is one already, which then keeps its level.
    if log::set_logger(Box::leak(Box::new(Logger { form: Form::of_process() }))).is_ok() {
        log::set_max_level(level);
        panic::set_hook(Box::new(report));
    }
}

struct Logger {
    form: Form,
}

/// What stands in front of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Time and level: `2026-01-05T08:00:00.500Z WARN  [narvi::store] ...`
    Plain,
    /// Only the level, as the journal reads it, which has times of its own: `<4>[narvi::store] ...`. Source:
    /// <https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html>.
    Journal,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            // In one write, so that lines of several threads, and of several processes, stay whole.
            drop(io::stderr().lock().write_all(line(self.form, Timestamp::now(), record).as_bytes()));
        }
    }

    fn flush(&self) {}
}

fn line(form: Form, now: Timestamp, record: &Record) -> String {
    match form {
        Form::Plain => format!("{now:.3} {:<5} [{}] {}\n", record.level(), record.target(), record.args()),
        Form::Journal => {
            // The journal makes an entry of each line.
            let prefix = format!("<{}>", severity(record.level()));
            let message = format!("[{}] {}", record.target(), record.args());
            message.lines().flat_map(|line| [&prefix, line, "\n"]).collect()
        }
    }
}

/// The number of a level in RFC 5424, table 2.
fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// One line instead of the standard library's two; with `RUST_BACKTRACE` the trace behind it.
fn report(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("without a name");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message");
    log::error!("thread {name} panicked at {place}: {message}; please report it");
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        log::error!("{trace}");
    }
}

impl Form {
    /// That of the journal if standard error goes there. The variable is inherited by what writes elsewhere, so it names
    /// device and inode of the stream it is about:
    /// <https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html>, `$JOURNAL_STREAM`.
    fn of_process() -> Self {
        let (Ok(stream), Ok(stat)) = (std::env::var("JOURNAL_STREAM"), rustix::fs::fstat(io::stderr())) else {
            return Self::Plain;
        };
        if stream == format!("{}:{}", stat.st_dev, stat.st_ino) { Self::Journal } else { Self::Plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_begin_with_their_level() {
        let time: Timestamp = "2026-01-05T08:00:00.5Z".parse().unwrap();
        let rows = [
            (Form::Plain, Level::Warn, "2026-01-05T08:00:00.500Z WARN  [narvi::store] a disk\nis full\n"),
            (Form::Plain, Level::Error, "2026-01-05T08:00:00.500Z ERROR [narvi::store] a disk\nis full\n"),
            (Form::Journal, Level::Warn, "<4>[narvi::store] a disk\n<4>is full\n"),
            (Form::Journal, Level::Trace, "<7>[narvi::store] a disk\n<7>is full\n"),
        ];
        for (form, level, expected) in rows {
            let record = |arguments: std::fmt::Arguments<'_>| {
                line(form, time, &Record::builder().level(level).target("narvi::store").args(arguments).build())
            };
            assert_eq!(record(format_args!("a disk\nis full")), expected);
        }
    }
}
