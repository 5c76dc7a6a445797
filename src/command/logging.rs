//! Narvi's own messages: one line each on standard error.

use log::LevelFilter;
use simple_logger::SimpleLogger;

/// Installs the logger. Its own filter lets everything through, so that [`log::set_max_level`] alone decides and a
/// reload can change it.
pub(super) fn start(level: LevelFilter) {
    let logger = SimpleLogger::new().with_level(LevelFilter::Trace);
    let logger = if is_journal() { logger.without_timestamps() } else { logger.with_utc_timestamps() };
    // It fails only if there is a logger already, which then keeps its level.
    if logger.init().is_ok() {
        log::set_max_level(level);
    }
}

/// Whether standard error goes to the journal, which has time stamps of its own. The variable is inherited by what
/// writes elsewhere, so it names device and inode of the stream it is about:
/// <https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html>, `$JOURNAL_STREAM`.
fn is_journal() -> bool {
    let (Ok(stream), Ok(stat)) = (std::env::var("JOURNAL_STREAM"), rustix::fs::fstat(std::io::stderr())) else {
        return false;
    };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}
