//! Narvi under a service manager: what it tells it, and how its messages look in the journal.

use std::{
    fs::File,
    io::{BufRead, BufReader, pipe},
    net::TcpListener,
    os::{
        fd::{AsFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Directory, Narvi, Stream, command, configure, now_ns};

/// The manager's end: its messages, each a set of lines.
struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    fn at_path(directory: &Directory) -> Self {
        let path = directory.join("notify");
        Self { socket: UnixDatagram::bind(&path).unwrap(), name: path.to_str().unwrap().to_owned() }
    }

    fn abstract_name() -> Self {
        let name = format!("narvi-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        Self { socket: UnixDatagram::bind_addr(&address).unwrap(), name: format!("@{name}") }
    }

    fn next(&self) -> Vec<String> {
        let mut buffer = [0; 1024];
        let bytes = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..bytes].to_vec()).unwrap().lines().map(str::to_owned).collect()
    }

    /// Waits for a message that has such a line, and gives it.
    fn hears(&self, start: &str) -> Vec<String> {
        self.socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
        loop {
            let message = self.next();
            if message.iter().any(|line| line.starts_with(start)) {
                return message;
            }
        }
    }
}

#[test]
fn the_manager_hears_of_start_reload_and_stop() {
    for manager in [Manager::at_path(&Directory::new()), Manager::abstract_name()] {
        let directory = Directory::new();
        let config = configure(&directory, "");
        let narvi = Narvi::run(command(&config).env("NOTIFY_SOCKET", &manager.name)).unwrap();
        manager.hears("STATUS=0 streams, 0.0 entries/s");
        manager.hears("READY=1");
        assert_eq!(narvi.get("/ready", &[]).status, 200);
        narvi.signal(crate::support::Signal::HUP);
        let reloading = manager.hears("RELOADING=1");
        let time = reloading.iter().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
        assert!(time.parse::<u64>().unwrap() > 0);
        manager.hears("READY=1");
        narvi.signal(crate::support::Signal::TERM);
        manager.hears("STOPPING=1");
        assert!(narvi.wait().0.success());
    }
}

#[test]
fn the_watchdog_is_fed_and_told_what_goes_on() {
    let directory = Directory::new();
    let manager = Manager::at_path(&directory);
    let config = configure(&directory, "");
    let mut command = command(&config);
    let narvi = Narvi::run(command.env("NOTIFY_SOCKET", &manager.name).env("WATCHDOG_USEC", "20000")).unwrap();
    assert_eq!(manager.hears("WATCHDOG=1"), ["WATCHDOG=1", "STATUS=0 streams, 0.0 entries/s"]);
    // As long as nothing happens, nothing else is said.
    manager.hears("READY=1");
    assert_eq!(manager.next(), ["WATCHDOG=1"]);
    narvi.push(&[Stream::new(&[("app", "a")]).with(now_ns(), "line")]);
    manager.hears("STATUS=1 streams, 1.0 entries/s");
    manager.hears("STATUS=1 streams, 0.0 entries/s");
}

/// Without a manager that listens it serves all the same, and says so once.
#[test]
fn a_manager_that_is_not_there_stops_nothing() {
    let directory = Directory::new();
    let config = configure(&directory, "");
    let narvi = Narvi::run(command(&config).env("NOTIFY_SOCKET", directory.join("nobody"))).unwrap();
    narvi.says("cannot tell the service manager anything: ");
    assert_eq!(narvi.get("/ready", &[]).status, 200);
    narvi.stop();
}

fn spawned(command: &mut Command, stderr: impl Into<Stdio>) -> Child {
    command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap()
}

fn stop(mut child: Child) {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Messages that nobody can write stop nothing: standard error on a full disk.
#[test]
fn a_standard_error_that_cannot_be_written_stops_nothing() {
    let directory = Directory::new();
    let manager = Manager::at_path(&directory);
    let config = configure(&directory, "");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let child = spawned(command(&config).env("NOTIFY_SOCKET", &manager.name), full);
    manager.hears("READY=1");
    stop(child);
}

/// The journal has times of its own, and reads the level of a line from its start.
#[test]
fn messages_for_the_journal_begin_with_their_level() {
    let directory = Directory::new();
    let config = configure(&directory, "collect.coalesce = '1ms'\n");
    let (reader, writer) = pipe().unwrap();
    let stat = rustix::fs::fstat(writer.as_fd()).unwrap();
    let mut command = command(&config);
    let child = spawned(command.env("JOURNAL_STREAM", format!("{}:{}", stat.st_dev, stat.st_ino)), writer);
    drop(command);
    let mut lines = Vec::new();
    for line in BufReader::new(reader).lines() {
        lines.push(line.unwrap());
        if lines.last().unwrap().contains("Grafana's Loki URL") {
            break;
        }
    }
    stop(child);
    assert!(lines.len() > 2 && lines[0].starts_with("<4>[narvi::command::serve] "), "{lines:?}");
    assert!(lines[1..lines.len() - 1].iter().all(|line| line.starts_with("<4>")), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("<6>[narvi::command::serve] narvi "), "{lines:?}");
}

/// A socket that was listened on before the process started is answered on; but not one that others reach without the
/// configuration allowing it.
#[test]
fn a_given_socket_is_answered_on() {
    let directory = Directory::new();
    let config = configure(&directory, "");
    let given = |address: &str| {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let mut command = Command::new("sh");
        // The protocol's first descriptor is 3, and the number of the process has to be its own.
        command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" --config \"$1\" 3<&0 0</dev/null"]);
        command.arg(env!("CARGO_BIN_EXE_narvi")).arg(&config).stdin(OwnedFd::from(listener));
        (address, Narvi::run(&mut command))
    };
    let (address, narvi) = given("127.0.0.1:0");
    let narvi = narvi.unwrap();
    assert_eq!(narvi.address(), address);
    assert_eq!(narvi.get("/ready", &[]).status, 200);
    narvi.stop();
    let (address, refused) = given("0.0.0.0:0");
    let output = refused.err().expect("it started");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains(&format!("the given socket listens on {address}, the configuration says 127.0.0.1:0")),
        "{said}"
    );
}
