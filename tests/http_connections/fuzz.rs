//! Mutated requests over real sockets: no panic, no leak, no growth, whatever the bytes and however the client ends.
//! Always the same requests; `NARVI_FUZZ_REQUESTS` raises their number.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use narvi::server::http::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::client::Client;
use super::process::{address_space_bytes, descriptors, is_alone, memory_peak_bytes, threads};
use super::server::{Fixture, wait_until};

const REQUESTS_DEFAULT: u64 = 4000;
const CLIENTS: u64 = 4;

const SEEDS: [&str; 20] = [
    "GET /small HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /size?40000 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /stream?40000 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /stream?4000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /stream?4000 HTTP/1.1\r\nTE: identity\r\n\r\n",
    "GET /break?20000 HTTP/1.1\r\n\r\n",
    "GET /short?20 HTTP/1.0\r\n\r\n",
    "GET /inject?1 HTTP/1.1\r\n\r\n",
    "HEAD /size?100 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /upgrade HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    "POST /ignore HTTP/1.1\r\nContent-Length: 5000\r\n\r\nhello",
    "POST /ignore HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "POST /ignore HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n",
    "POST /echo HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET /small HTTP/1.1\r\n\r\nGET /small HTTP/1.1\r\n\r\nGET /size?3 HTTP/1.1\r\n\r\n",
];

const WORDS: [&str; 16] = [
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\0",
    ": ",
    "HTTP/1.1",
    "HTTP/1.0",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "0\r\n\r\n",
    "ffffffffffffffff",
    "-1",
    "\u{ff}",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "99999999999",
];

#[test]
fn mutated_requests_do_no_harm() {
    if !is_alone("fuzz::mutated_requests_do_no_harm") {
        return;
    }
    let requests = std::env::var("NARVI_FUZZ_REQUESTS").map_or(REQUESTS_DEFAULT, |count| count.parse().unwrap());
    let maximum = getrlimit(Resource::As).maximum;
    let address_space = address_space_bytes() + 1024 * 1024 * 1024;
    setrlimit(Resource::As, Rlimit { current: Some(address_space), maximum }).unwrap();

    let fixture = Fixture::start(Limits::default());
    let before = (threads(), descriptors());
    let address = fixture.address();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ client);
                for _ in 0..requests / CLIENTS {
                    let bytes = mutated(&mut random);
                    send(address, &bytes, &mut random);
                }
            });
        }
    });
    fixture.wait_idle();
    wait_until("threads and descriptors are as before", || (threads(), descriptors()) == before);
    assert_eq!(fixture.server.stats().panics, 0);
    assert!(fixture.server.stats().accepted >= requests / 2, "{:?}", fixture.server.stats());
    assert_eq!(Client::connect(address).get("/small").text(), "small\n");
    // Four answers of at most 32 MB each may be in work at once.
    assert!(memory_peak_bytes() < 300 * 1024 * 1024, "{} bytes", memory_peak_bytes());
}

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.choice(&SEEDS).as_bytes().to_vec();
    for _ in 0..random.below(5) {
        let at = random.below(bytes.len() + 1);
        let end = at + random.below(bytes.len() - at + 1).min(20);
        match random.below(6) {
            0 => bytes[at..end].iter_mut().take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, random.choice(&WORDS).bytes())),
            3 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            4 => bytes.truncate(at),
            _ => bytes.extend_from_slice(random.choice(&SEEDS).as_bytes()),
        }
    }
    bytes
}

/// Sends in pieces and ends in one of the ways a client may end. Errors are what a client of a strict server gets.
fn send(address: SocketAddr, bytes: &[u8], random: &mut Random) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(1 + random.below(rest.len()));
        rest = behind;
        if stream.write_all(piece).is_err() {
            return;
        }
    }
    match random.below(3) {
        0 => {
            // A half-closed client is answered and then closed: a hang would show here.
            if stream.shutdown(Shutdown::Write).is_ok()
                && let Err(error) = std::io::copy(&mut (&stream).take(1 << 20), &mut std::io::sink())
            {
                let kind = error.kind();
                assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "{:?}", String::from_utf8_lossy(bytes));
            }
        }
        1 => rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap(),
        _ => {}
    }
}

/// Xorshift (Marsaglia 2003): the same requests on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn choice<'c>(&mut self, from: &[&'c str]) -> &'c str {
        from[self.below(from.len())]
    }
}
