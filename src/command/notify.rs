//! What the service manager is told: that queries are answered, what goes on, that the process is alive. By the
//! protocol of <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>; without a manager nothing is.

use std::{
    env,
    ffi::OsString,
    fmt::Display,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process,
    time::{Duration, Instant},
};

use narvi::store::Activity;
use rustix::time::{ClockId, clock_gettime};

/// How often the manager's one line about this process is renewed, if there is no watchdog.
const STATUS_INTERVAL: Duration = Duration::from_mins(1);

/// The manager of this process, if it has one.
pub(super) struct Manager {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that the process is alive.
    watchdog: Option<Duration>,
    told: Told,
}

/// What the last line was about.
struct Told {
    at: Instant,
    entries: u64,
    status: String,
}

impl Manager {
    /// The manager that started this process, as the environment says. One that cannot be reached is reported.
    pub(super) fn of_process() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|name| {
            connect(&name).inspect_err(|error| log::warn!("cannot tell the service manager anything: {error}")).ok()
        });
        let is_ours = env::var("WATCHDOG_PID").map_or(true, |pid| pid == process::id().to_string());
        let interval_us = env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        // Twice as often as it must be.
        let watchdog = interval_us.filter(|us| is_ours && *us > 0).map(|us: u64| Duration::from_micros(us) / 2);
        let told = Told { at: Instant::now(), entries: 0, status: String::new() };
        Self { watchdog: watchdog.filter(|_| socket.is_some()), socket, told }
    }

    /// How long the process may be silent; `None` if nobody listens.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.socket.as_ref().map(|_| self.watchdog.unwrap_or(STATUS_INTERVAL).min(STATUS_INTERVAL))
    }

    /// Queries are answered.
    pub(super) fn ready(&self) {
        self.tell(&"READY=1");
    }

    /// The configuration is being read again; ends with [`Self::ready`].
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format_args!("RELOADING=1\nMONOTONIC_USEC={us}"));
    }

    /// No more is taken; what was taken is being committed.
    pub(super) fn stopping(&self) {
        self.tell(&"STOPPING=1\nSTATUS=committing");
    }

    /// The process is alive, and this is what it does.
    pub(super) fn alive(&mut self, activity: &Activity) {
        if self.socket.is_none() {
            return;
        }
        let elapsed = self.told.at.elapsed();
        let status = status(activity, activity.entries_appended.saturating_sub(self.told.entries), elapsed);
        let alive = if self.watchdog.is_some() { "WATCHDOG=1\n" } else { "" };
        if status == self.told.status {
            self.tell(&alive.trim_end());
        } else {
            self.tell(&format_args!("{alive}STATUS={status}"));
        }
        self.told = Told { at: Instant::now(), entries: activity.entries_appended, status };
    }

    /// One message. A manager that does not listen is no reason to stop, and was reported at the start.
    fn tell(&self, message: &dyn Display) {
        let message = message.to_string();
        if let Some(socket) = self.socket.as_ref().filter(|_| !message.is_empty()) {
            drop(socket.send(message.as_bytes()));
        }
    }
}

/// The socket of a name: a path, or behind an `@` a name in Linux' abstract space.
fn connect(name: &OsString) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that hangs must not hang this process too.
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// `12 streams, 3.4 entries/s`
#[expect(clippy::cast_precision_loss, reason = "a rate for the eye")]
fn status(activity: &Activity, entries: u64, elapsed: Duration) -> String {
    let rate = entries as f64 / elapsed.as_secs_f64().max(1.0);
    let fault = activity.fault.as_ref().map(|fault| format!("; cannot write: {fault}")).unwrap_or_default();
    format!("{} streams, {rate:.1} entries/s{}", activity.streams, fault.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_what_goes_on() {
        let calm = Activity { streams: 12, entries_appended: 0, fault: None };
        assert_eq!(status(&calm, 0, Duration::ZERO), "12 streams, 0.0 entries/s");
        assert_eq!(status(&calm, 34, Duration::from_secs(10)), "12 streams, 3.4 entries/s");
        let fault = Activity { fault: Some("no\nspace".to_owned()), ..calm };
        assert_eq!(status(&fault, 5, Duration::ZERO), "12 streams, 5.0 entries/s; cannot write: no space");
    }
}
