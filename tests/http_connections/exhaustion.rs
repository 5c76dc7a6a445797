//! Out of descriptors, out of threads: the server refuses for as long as it must and serves again afterwards.

use std::fs::File;
use std::iter;
use std::net::TcpStream;
use std::sync::Mutex;

use narvi::server::http::Limits;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::client::Client;
use super::process::{address_space_bytes, is_alone};
use super::server::{Fixture, wait_until};

/// Large, so that the limit on the address space meets stacks and nothing else.
const STACK_BYTES: usize = 64 * 1024 * 1024;

#[test]
fn the_end_of_descriptors_is_survived() {
    if !is_alone("exhaustion::the_end_of_descriptors_is_survived") {
        return;
    }
    log::set_logger(&LOG).unwrap();
    log::set_max_level(log::LevelFilter::Error);
    for room in [0, 1, 2] {
        set_limit(Resource::Nofile, None);
        let fixture = Fixture::start(Limits::default());
        // Connecting needs no further descriptor; being accepted does.
        let sockets: Vec<_> =
            (0..6).map(|_| rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap()).collect();
        set_limit(Resource::Nofile, Some(60));
        let mut fillers: Vec<_> = iter::from_fn(|| File::open("/dev/null").ok()).collect();
        fillers.truncate(fillers.len() - room);
        for socket in &sockets {
            rustix::net::connect(socket, &fixture.address()).unwrap();
        }
        wait_until("the server runs out of descriptors", || {
            LOG.has("cannot accept HTTP connections: Too many open files")
        });
        assert_eq!(fixture.server.stats().accepted, room as u64);
        drop(fillers);
        for socket in sockets {
            let mut client = Client::new(TcpStream::from(socket));
            assert_eq!(client.get("/small").text(), "small\n", "room for {room}");
        }
        // What this server says at its end is not the next one's.
        drop(fixture);
        LOG.0.lock().unwrap().clear();
    }
}

#[test]
fn the_end_of_threads_is_survived() {
    if !is_alone("exhaustion::the_end_of_threads_is_survived") {
        return;
    }
    let fixture = Fixture::start(Limits { stack_bytes: STACK_BYTES, ..Limits::default() });
    // A thread is refused when its stack has no room.
    set_limit(Resource::As, Some(address_space_bytes() + 10 * STACK_BYTES as u64));
    let mut clients = Vec::new();
    while fixture.server.stats().refused == 0 {
        clients.push(Client::connect(fixture.address()));
        let count = clients.len() as u64;
        wait_until("the connection is taken or refused", || {
            let stats = fixture.server.stats();
            stats.accepted + stats.refused == count
        });
    }
    let mut refused = clients.pop().unwrap();
    refused.expect_close();
    assert!(!clients.is_empty());
    drop(clients);
    fixture.wait_idle();
    wait_until("a stack fits again", || Client::connect(fixture.address()).send_and_see("GET /small HTTP/1.1\r\n\r\n"));
}

fn set_limit(resource: Resource, limit: Option<u64>) {
    let maximum = rustix::process::getrlimit(resource).maximum;
    setrlimit(resource, Rlimit { current: limit.or(maximum), maximum }).unwrap();
}

static LOG: Log = Log(Mutex::new(Vec::new()));

/// What the server has logged.
struct Log(Mutex<Vec<String>>);

impl Log {
    fn has(&self, start: &str) -> bool {
        let lines = self.0.lock().unwrap();
        lines.iter().any(|line| line.starts_with(start))
    }
}

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}
