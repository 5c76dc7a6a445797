//! Serving: the rooms are started one on top of the other, run until a signal, and are stopped in reverse.

use std::{
    fmt::Display,
    io::{self, Read},
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use listenfd::ListenFd;
use log::{error, info, warn};
use narvi::{
    collect::Collector,
    config::{Config, Environment},
    server::{Rooms, Server, Sources},
    store::Store,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    low_level::pipe,
};

use super::{
    arguments::{self, Arguments, Subcommand},
    logging,
    notify::Manager,
    numbers, process,
};

pub(super) const SUBCOMMAND: Subcommand = Subcommand {
    name: "",
    operand: "",
    about: "serve until SIGTERM; SIGHUP reads the jobs anew",
    flags: &[arguments::CONFIG],
    notes: "
`narvi SUBCOMMAND --help` explains what a subcommand takes.
Exit codes: 0 done; 1 failed, damage found; 64 wrong arguments; 69 the server cannot be reached;
77 it refuses who asks; 78 mistakes in the configuration.
",
    run,
};

fn run(arguments: &Arguments) -> ExitCode {
    match Config::load(arguments.path("config"), &Environment::of_process()) {
        Ok(config) => serve(config),
        Err(error) => super::fail(&error, super::EX_CONFIG),
    }
}

/// How long answers that are being sent may take after a signal to stop. Together with the last
/// commit the process is gone within five seconds.
const ANSWERS_MAX: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT, then commits and stops.
fn serve(config: Config) -> ExitCode {
    logging::start(config.log_level);
    if !config.warnings.is_empty() {
        warn!("{}", config.warnings);
    }
    // Before the first thread, so that no signal finds the default action.
    let mut signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => return failed(&format_args!("cannot wait for signals: {error}")),
    };
    let running = match Running::start(config) {
        Ok(running) => running,
        Err(error) => return failed(&error),
    };
    let mut manager = Manager::of_process();
    manager.alive(&running.store.activity());
    manager.ready();
    loop {
        match signals.next(manager.interval()) {
            Ok(Some(Signal::Reload)) => {
                manager.reloading();
                running.reload();
                manager.ready();
            }
            Ok(Some(Signal::Stop)) => {
                manager.stopping();
                return running.stop();
            }
            // Whoever holds the store's lock for ever is found out here: the manager hears nothing more.
            Ok(None) => manager.alive(&running.store.activity()),
            Err(error) => {
                error!("cannot wait for signals: {error}");
                manager.stopping();
                running.stop();
                return ExitCode::FAILURE;
            }
        }
    }
}

/// The rooms at work.
struct Running {
    store: Store,
    collector: Arc<Collector>,
    server: Server,
    file: Option<PathBuf>,
    ingest_limits: narvi::ingest::Limits,
}

impl Running {
    fn start(config: Config) -> Result<Self, Box<dyn std::error::Error>> {
        let page = page(&config);
        let store = Store::open(config.store)?;
        let data = store.options().path.clone();
        let collected = match config.collect_tenant {
            Some(tenant) => store.of_tenants(&[tenant]),
            None => store.clone(),
        };
        let collector = Arc::new(Collector::start(config.collect, config.ingest.clone(), collected)?);
        let numbers_of = Arc::clone(&collector);
        let rooms = Rooms {
            store: store.clone(),
            query_limits: config.query,
            ingest_limits: config.ingest.clone(),
            sources: Sources {
                metrics: Box::new(move |metrics| {
                    numbers::add(&numbers_of.stats(), metrics);
                    process::add(metrics);
                }),
                config: Box::new(move || page.clone()),
            },
        };
        let server = match given_listener(config.server.listen)? {
            Some(listener) => Server::start_on(listener, config.server, rooms)?,
            None => Server::start(config.server, rooms)?,
        };
        let version = env!("CARGO_PKG_VERSION");
        let url = url(server.local_addr());
        info!("narvi {version}: data in {}; {}; Grafana's Loki URL: {url}", data.display(), collector.summary());
        Ok(Self { store, collector, server, file: config.file, ingest_limits: config.ingest })
    }

    /// Takes the jobs and the log level from the configuration file; with an error in it the old ones stay.
    fn reload(&self) {
        let reload = match Config::reload(self.file.as_deref(), &Environment::of_process()) {
            Ok(reload) => reload,
            Err(error) => return error!("the configuration was not reloaded:\n{error}"),
        };
        if !reload.warnings.is_empty() {
            warn!("{}", reload.warnings);
        }
        match self.collector.reload(reload.collect, self.ingest_limits.clone()) {
            Ok(()) => {
                log::set_max_level(reload.log_level);
                info!("configuration reloaded; {}", self.collector.summary());
            }
            Err(error) => error!("the configuration was not reloaded: {error}"),
        }
    }

    /// Nothing new is taken, what was taken is committed.
    fn stop(self) -> ExitCode {
        info!("stopping");
        self.server.stop(ANSWERS_MAX);
        self.collector.stop();
        match self.store.close() {
            Ok(()) if self.collector.has_failed() => ExitCode::FAILURE,
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    }
}

/// The socket that whoever started the process listens on already, as systemd does for `narvi.socket`. The
/// configuration decides who may be answered, so the address must be on this machine, or be the one that is configured.
fn given_listener(configured: SocketAddr) -> io::Result<Option<TcpListener>> {
    let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? else { return Ok(None) };
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() && address != configured {
        return Err(io::Error::other(format!(
            "the given socket listens on {address}, the configuration says {configured}; make them the same"
        )));
    }
    Ok(Some(listener))
}

/// The text of `GET /config`: the file as it was read, without secrets, or every default.
fn page(config: &Config) -> String {
    match &config.file {
        Some(_) => config.shown.clone(),
        None => include_str!("../../config.example.toml").to_owned(),
    }
}

/// What Grafana is given; an address that stands for all is reached as this host.
fn url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://<this host>:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

enum Signal {
    Stop,
    Reload,
}

/// The signals that are waited for: a byte arrives with each, the flags tell which it was.
struct Signals {
    arrived: UnixStream,
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        let (arrived, sender) = UnixStream::pair()?;
        let (stop, reload) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        for (signal, flag) in [(SIGTERM, &stop), (SIGINT, &stop), (SIGHUP, &reload)] {
            // In this order: when the byte is read, the flag is up.
            flag::register(signal, Arc::clone(flag))?;
            pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self { arrived, stop, reload })
    }

    /// The next signal; `None` if none has come for so long.
    fn next(&mut self, patience: Option<Duration>) -> io::Result<Option<Signal>> {
        self.arrived.set_read_timeout(patience)?;
        loop {
            if self.stop.swap(false, Ordering::Relaxed) {
                return Ok(Some(Signal::Stop));
            }
            if self.reload.swap(false, Ordering::Relaxed) {
                return Ok(Some(Signal::Reload));
            }
            match self.arrived.read_exact(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                read => read?,
            }
        }
    }
}

fn failed(error: &dyn Display) -> ExitCode {
    error!("{error}");
    ExitCode::FAILURE
}
