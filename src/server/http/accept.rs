//! The server: its listener, the thread that accepts, and the orderly stop. No error of `accept` ends the accepting.

use std::io::{self, PipeReader, PipeWriter};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{listen, sockopt};

use super::connection::{Connection, serve};
use super::deadline::after;
use super::registry::Registry;
use super::{Handler, Limits, StopSignal};

/// Connections the kernel completes before they are accepted; std asks for 128, too few for a burst.
const BACKLOG: i32 = 1024;
/// What the kernel buffers for a client that does not read; without a bound it grows to megabytes.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// Unacknowledged data this old ends a connection. Less would cut very slow readers.
const USER_TIMEOUT_MS: u32 = 30_000;
/// An idle connection is probed after this, so that a vanished client is noticed.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
/// The pause after an `accept` that failed for want of descriptors or memory.
const STARVED_PAUSE: Duration = Duration::from_millis(100);
/// Lack of resources is logged once in this time: a log full of such lines helps nobody.
const STARVED_LOG_INTERVAL: Duration = Duration::from_mins(1);
/// How long the stop waits for connections that were just cut, and a dropped server for those that are about to end.
const MOMENT: Duration = Duration::from_millis(250);

/// A running server. Dropping it stops it with a deadline of a moment.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    running: Option<Running>,
}

struct Running {
    accepting: JoinHandle<()>,
    /// Its end wakes the accept thread.
    wake: PipeWriter,
}

/// What all connections of a server share.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) stop: StopSignal,
    pub(super) panics: AtomicU64,
    registry: Arc<Registry>,
    accepted: AtomicU64,
    refused: AtomicU64,
}

/// Counters of a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Connections open now, reserve and upgraded ones included.
    pub open: u64,
    /// Connections accepted and served since the start.
    pub accepted: u64,
    /// Connections closed unserved: above all limits, or for want of a thread.
    pub refused: u64,
    /// Panics of handlers, of their answers' bodies and of upgraded connections.
    pub panics: u64,
}

impl Server {
    /// Serves `listener`, which is bound already (here, or by whoever started the process), on threads of its own.
    ///
    /// Sets the listener's backlog and the options that accepted sockets inherit. Fails if a limit is zero, or if the system
    /// refuses those options, the pipe or the first thread.
    pub fn start(listener: TcpListener, limits: Limits, handler: Arc<dyn Handler>) -> io::Result<Self> {
        limits.check()?;
        prepare(&listener)?;
        let address = listener.local_addr()?;
        let (woken, wake) = io::pipe()?;
        let shared = Arc::new(Shared {
            limits,
            handler,
            stop: StopSignal::default(),
            panics: AtomicU64::new(0),
            registry: Arc::default(),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        let acceptor = Acceptor { listener, woken, shared: Arc::clone(&shared), starved_log: None };
        let accepting = thread::Builder::new().name("http-accept".into()).spawn(|| acceptor.run())?;
        Ok(Self { shared, address, running: Some(Running { accepting, wake }) })
    }

    /// The address that is listened on, with the port the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        Stats {
            open: self.shared.registry.len() as u64,
            accepted: self.shared.accepted.load(Ordering::Relaxed),
            refused: self.shared.refused.load(Ordering::Relaxed),
            panics: self.shared.panics.load(Ordering::Relaxed),
        }
    }

    /// Closes the listener and the idle connections at once and answers further requests with 503. Running answers and
    /// upgraded connections may finish until `deadline`, then they are cut. Returns when every connection's thread is done,
    /// at the latest a quarter of a second after the deadline: a handler that still computes then is left behind.
    pub fn stop(mut self, deadline: Duration) {
        self.shut_down(deadline);
    }

    fn shut_down(&mut self, deadline: Duration) {
        let Some(Running { accepting, wake }) = self.running.take() else {
            return;
        };
        let deadline = after(deadline);
        self.shared.stop.set();
        drop(wake);
        if accepting.join().is_err() {
            log::error!("the thread that accepts connections had panicked; please report it");
        }
        let registry = &self.shared.registry;
        registry.end_waiting();
        if registry.wait_empty(deadline) == 0 {
            return;
        }
        registry.end_all();
        let left = registry.wait_empty(after(MOMENT));
        if left > 0 {
            log::warn!("{left} HTTP requests were still being answered when the server stopped");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut_down(MOMENT);
    }
}

/// Accepted sockets inherit these options from their listener (socket(7), tcp(7)).
fn prepare(listener: &TcpListener) -> io::Result<()> {
    // Whoever accepts must never wait in `accept`: the connection that `poll` saw may be gone by then.
    listener.set_nonblocking(true)?;
    // A kept connection otherwise waits 40 ms for the client's delayed acknowledgement in every larger answer.
    sockopt::set_tcp_nodelay(listener, true)?;
    sockopt::set_tcp_user_timeout(listener, USER_TIMEOUT_MS)?;
    sockopt::set_socket_keepalive(listener, true)?;
    sockopt::set_tcp_keepidle(listener, KEEPALIVE_IDLE)?;
    sockopt::set_socket_send_buffer_size(listener, SEND_BUFFER_BYTES)?;
    Ok(listen(listener, BACKLOG)?)
}

/// The accept thread.
struct Acceptor {
    listener: TcpListener,
    /// Readable (at its end) once the server stops.
    woken: PipeReader,
    shared: Arc<Shared>,
    starved_log: Option<Instant>,
}

impl Acceptor {
    fn run(mut self) {
        while !self.shared.stop.is_stopping() {
            match self.listener.accept() {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.wait(),
                    // The connection died while it was queued, or a signal came.
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    _ => {
                        self.log_starved("cannot accept HTTP connections", &error);
                        self.pause();
                    }
                },
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let limits = &self.shared.limits;
        let open = self.shared.registry.len();
        if open >= limits.connections_max.saturating_add(limits.connections_reserve) {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let is_reserve = open >= limits.connections_max;
        // The reserve is for those who ask at once.
        let idle = if is_reserve { limits.head_timeout } else { limits.idle_timeout };
        if stream.set_read_timeout(Some(idle)).is_err() {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let connection = Arc::new(Connection::new(stream, peer, is_reserve));
        let place = self.shared.registry.enter(&connection);
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name("http-connection".into()).stack_size(limits.stack_bytes);
        let spawned = thread.spawn(move || {
            // Dropped last, after the connection, even in a panic.
            let _place = place;
            let connection = connection;
            serve(&connection, &shared);
        });
        match spawned {
            Ok(_detached) => {
                self.shared.accepted.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                self.shared.refused.fetch_add(1, Ordering::Relaxed);
                self.log_starved("cannot start a thread for an HTTP connection", &error);
            }
        }
    }

    /// Waits for a connection or for the stop.
    fn wait(&self) {
        let mut ready = [PollFd::new(&self.listener, PollFlags::IN), PollFd::new(&self.woken, PollFlags::IN)];
        if poll(&mut ready, None).is_err_and(|error| error != rustix::io::Errno::INTR) {
            self.pause();
        }
    }

    /// Waits for the stop, and not long.
    fn pause(&self) {
        let pause = Timespec::try_from(STARVED_PAUSE).ok();
        if poll(&mut [PollFd::new(&self.woken, PollFlags::IN)], pause.as_ref()).is_err() {
            thread::sleep(STARVED_PAUSE);
        }
    }

    fn log_starved(&mut self, what: &str, error: &io::Error) {
        if self.starved_log.is_none_or(|logged| logged.elapsed() >= STARVED_LOG_INTERVAL) {
            self.starved_log = Some(Instant::now());
            log::error!("{what}: {error}; raise LimitNOFILE and TasksMax, or lower the number of connections");
        }
    }
}
