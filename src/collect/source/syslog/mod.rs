//! The syslog receiver: datagrams, connections and unix sockets, each message of whatever form its
//! first bytes have. No message is refused, and no sender can make it hold more than a few messages.
//! Sources: RFC 5424, RFC 3164, RFC 6587 (framing on a stream).

mod message;
mod stream;

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{fs::PermissionsExt, net::UnixDatagram},
    },
    time::Duration,
};

use super::{Outlet, Record};
use crate::collect::{
    batch::Batch,
    env::Now,
    stats::Stats,
    timestamp::{Recogniser, Zone},
};
use message::Message;
use stream::Connection;

/// Datagrams that one turn takes: a busy sender must not starve the files.
const DATAGRAMS_MAX: usize = 1000;
/// Connections at a time; further ones are closed at once.
const CONNECTIONS_MAX: usize = 256;
/// What the kernel is asked to keep of datagrams that were not read yet.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// The longest datagram of UDP.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// What is listened for.
#[derive(Clone, Debug, PartialEq)]
pub struct Syslog {
    /// Address and port, or the path of a unix socket.
    pub listen_address: String,
    /// How messages arrive.
    pub protocol: Protocol,
    /// Bytes of one message.
    pub message_bytes_max: usize,
    /// When a silent connection is closed.
    pub idle_timeout: Duration,
    /// The message's own time is the entry's.
    pub use_incoming_timestamp: bool,
    /// The line is the whole message, as it came.
    pub use_whole_message: bool,
    /// Structured data are structured metadata.
    pub label_structured_data: bool,
    /// Label, and the part of the message that it is taken from.
    pub labels: Vec<(String, Part)>,
}

/// How messages arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// One message in each datagram.
    Udp,
    /// Connections.
    Tcp,
    /// Datagrams on a unix socket.
    Unix,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The host that it names, or else the sender's address.
    Hostname,
    /// The program.
    AppName,
    /// The program's process.
    ProcId,
    /// The kind of message.
    MsgId,
    /// `emerg` to `debug`.
    Severity,
    /// `kern`, `user`, `mail` and so on.
    Facility,
    /// The sender's address.
    ConnectionIpAddress,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 7] = [
        Self::Hostname,
        Self::AppName,
        Self::ProcId,
        Self::MsgId,
        Self::Severity,
        Self::Facility,
        Self::ConnectionIpAddress,
    ];

    /// The part's name in the configuration and, behind `__syslog_message_`, for rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::AppName => "app_name",
            Self::ProcId => "proc_id",
            Self::MsgId => "msg_id",
            Self::Severity => "severity",
            Self::Facility => "facility",
            Self::ConnectionIpAddress => "connection_ip_address",
        }
    }
}

enum Listener {
    Udp(UdpSocket),
    Tcp(TcpListener, Vec<Connection>),
    Unix(UnixDatagram),
}

/// The receiver of one job.
pub(super) struct Receiver {
    name: String,
    syslog: Syslog,
    outlet: Outlet,
    listener: Listener,
    recogniser: Recogniser,
    /// The longest connection has been silent until then.
    idle_at: Option<Duration>,
    buffer: Vec<u8>,
}

impl Receiver {
    /// Listens.
    pub(super) fn new(name: &str, syslog: &Syslog, outlet: Outlet, location: Option<&str>) -> io::Result<Self> {
        let address = || {
            let parsed = syslog.listen_address.parse::<SocketAddr>();
            parsed.map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "not an address with a port"))
        };
        let listener = match syslog.protocol {
            Protocol::Udp => {
                let socket = UdpSocket::bind(address()?)?;
                socket.set_nonblocking(true)?;
                // As much as the kernel gives.
                let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER_BYTES);
                Listener::Udp(socket)
            }
            Protocol::Tcp => {
                let listener = TcpListener::bind(address()?)?;
                listener.set_nonblocking(true)?;
                Listener::Tcp(listener, Vec::new())
            }
            Protocol::Unix => Listener::Unix(unix(&syslog.listen_address)?),
        };
        let zone = location.and_then(|name| Zone::named(name).ok()).unwrap_or_else(Zone::host);
        Ok(Self {
            name: name.to_owned(),
            syslog: syslog.clone(),
            outlet,
            listener,
            recogniser: Recogniser::new(zone),
            idle_at: None,
            buffer: Vec::new(),
        })
    }

    /// Where it listens: with the port that the system chose, if it was asked to.
    pub(super) fn address(&self) -> String {
        let address = match &self.listener {
            Listener::Udp(socket) => socket.local_addr().ok(),
            Listener::Tcp(listener, _) => listener.local_addr().ok(),
            Listener::Unix(_) => None,
        };
        address.map_or_else(|| self.syslog.listen_address.clone(), |address| address.to_string())
    }

    /// What becomes readable when something arrives.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        match &self.listener {
            Listener::Udp(socket) => vec![socket.as_fd()],
            Listener::Unix(socket) => vec![socket.as_fd()],
            Listener::Tcp(listener, connections) => {
                let connections = connections.iter().map(|connection| connection.stream.as_fd());
                std::iter::once(listener.as_fd()).chain(connections).collect()
            }
        }
    }

    /// When a silent connection is closed, or something that is held is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.idle_at.into_iter().chain(self.outlet.deadline()).min()
    }

    /// Takes what arrived.
    pub(super) fn turn(&mut self, now: Now, batch: &mut Batch<'_>, stats: &mut Stats) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut inlet = Inlet {
            name: &self.name,
            syslog: &self.syslog,
            outlet: &mut self.outlet,
            recogniser: &mut self.recogniser,
            now,
        };
        match &mut self.listener {
            Listener::Udp(socket) => {
                buffer.resize(DATAGRAM_BYTES_MAX, 0);
                let mut left = DATAGRAMS_MAX;
                while left > 0
                    && !batch.is_full()
                    && let Ok((length, sender)) = socket.recv_from(&mut buffer)
                {
                    let ip = sender.ip().to_canonical().to_string();
                    inlet.take(&buffer[..length], &ip, batch, stats);
                    left -= 1;
                }
            }
            Listener::Unix(socket) => {
                buffer.resize(DATAGRAM_BYTES_MAX, 0);
                let mut left = DATAGRAMS_MAX;
                while left > 0
                    && !batch.is_full()
                    && let Ok(length) = socket.recv(&mut buffer)
                {
                    inlet.take(&buffer[..length], "", batch, stats);
                    left -= 1;
                }
            }
            Listener::Tcp(listener, connections) => {
                while let Ok((stream, sender)) = listener.accept() {
                    if connections.len() >= CONNECTIONS_MAX {
                        *stats
                            .dropped_by_stage
                            .entry((self.name.clone(), "too_many_connections".to_owned()))
                            .or_default() += 1;
                        continue; // dropped, which closes it
                    }
                    connections.extend(Connection::new(stream, sender.ip(), now.elapsed).ok());
                }
                let (bytes_max, idle) = (self.syslog.message_bytes_max, self.syslog.idle_timeout);
                connections.retain_mut(|connection| {
                    let sender = connection.sender.clone();
                    let mut take = |message: &[u8]| inlet.take(message, &sender, batch, stats);
                    connection.read(bytes_max, now.elapsed, &mut take) && connection.heard_at + idle > now.elapsed
                });
                self.idle_at = connections.iter().map(|connection| connection.heard_at + idle).min();
            }
        }
        buffer.clear();
        self.buffer = buffer;
        self.outlet.end_turn(now, batch, stats);
    }
}

/// A unix socket that everybody may write to. What a receiver that is no more left behind is removed.
fn unix(path: &str) -> io::Result<UnixDatagram> {
    let socket = match UnixDatagram::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_served = UnixDatagram::unbound()?.connect(path).is_ok();
            if is_served {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixDatagram::bind(path)?
        }
        socket => socket?,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The way of a message to the job's outlet.
struct Inlet<'a> {
    name: &'a str,
    syslog: &'a Syslog,
    outlet: &'a mut Outlet,
    recogniser: &'a mut Recogniser,
    now: Now,
}

impl Inlet<'_> {
    fn take(&mut self, raw: &[u8], sender: &str, batch: &mut Batch<'_>, stats: &mut Stats) {
        let end = raw.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |at| at + 1);
        let text = crate::logql::readable(&raw[..end]);
        let kept = text.floor_char_boundary(self.syslog.message_bytes_max);
        if kept < text.len() {
            stats.jobs.entry(self.name.to_owned()).or_default().truncated += 1;
        }
        let text = &text[..kept];
        if text.is_empty() {
            return;
        }
        let message = Message::parse(text);
        let part = |part: Part| match part {
            Part::Hostname => message.hostname.or(Some(sender)).filter(|name| !name.is_empty()),
            Part::AppName => message.app_name,
            Part::ProcId => message.proc_id,
            Part::MsgId => message.msg_id,
            Part::Severity => Some(message.severity()),
            Part::Facility => Some(message.facility()),
            Part::ConnectionIpAddress => Some(sender).filter(|sender| !sender.is_empty()),
        };
        let labels: Vec<_> =
            self.syslog.labels.iter().filter_map(|(label, of)| Some((label.as_str(), part(*of)?))).collect();
        let mut metadata = Vec::new();
        for of in [Part::Severity, Part::Facility] {
            if !self.syslog.labels.iter().any(|(_, other)| *other == of) {
                metadata.extend(part(of).map(|value| (of.name().to_owned(), value.to_owned())));
            }
        }
        let mut internal = Vec::new();
        if self.syslog.label_structured_data {
            metadata.extend(message.structured().map(|(name, value)| (format!("sd_{name}"), value)));
        }
        if self.outlet.has_rules() {
            for of in Part::ALL {
                let start = if of == Part::ConnectionIpAddress { "__syslog_" } else { "__syslog_message_" };
                internal.extend(part(of).map(|value| (format!("{start}{}", of.name()), value.to_owned())));
            }
            internal.extend(message.structured().map(|(name, value)| (format!("__syslog_message_sd_{name}"), value)));
        }
        let now_ns = self.now.wall_ns;
        let time_ns = message.time.filter(|_| self.syslog.use_incoming_timestamp);
        let time_ns = time_ns.and_then(|time| self.recogniser.time_of(time.as_bytes(), now_ns));
        let line = if self.syslog.use_whole_message { text } else { message.text };
        let record =
            Record { line: line.as_bytes(), time_ns, labels: &labels, metadata, internal: &internal, again: false };
        self.outlet.take(record, self.now, batch, stats);
    }
}
