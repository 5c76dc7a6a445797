//! A running `narvi`: started on a port that the system chooses, killed when a test ends.

use std::{
    fmt::Write,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
};

pub(crate) use rustix::process::Signal;
use serde_json::Value;

use super::{
    directory::Directory,
    entries::Entry,
    http::{Client, Params, Reply, encoded},
    metrics::Metrics,
    push::Stream,
    tail::Tail,
    tools::{is_root, program},
    wait::{PATIENCE, eventually, within_patience},
};

/// What every test's configuration begins with. Commits come soon, and a query may see everything.
const CONFIG: &str = "\
server.listen = '127.0.0.1:0'
store.commit_interval = '20ms'
store.retention_size = '0'
store.free_disk_min = '0'
limits.max_entries_limit_per_query = 0
limits.max_query_bytes_returned = '0'
limits.max_query_length = '0'
collect.coalesce = '10ms'
";

/// Asks for metadata with each entry instead of among the labels.
const CATEGORIZE: (&str, &str) = ("X-Loki-Response-Encoding-Flags", "categorize-labels");

/// A running `narvi`.
pub(crate) struct Narvi {
    child: Child,
    address: SocketAddr,
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
}

/// What it said on standard error, line by line.
#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    grown: Condvar,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, (Vec<String>, bool)> {
        self.lines.lock().unwrap()
    }

    /// The first line for which `found` gives something; `None` once there will be no more.
    fn find<T>(&self, mut found: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let mut seen = 0;
        let mut lines = self.lock();
        loop {
            if let Some(value) = lines.0[seen..].iter().find_map(|line| found(line)) {
                return Some(value);
            }
            if lines.1 {
                return None;
            }
            seen = lines.0.len();
            let (guard, timeout) = self.grown.wait_timeout(lines, PATIENCE).unwrap();
            assert!(!timeout.timed_out(), "nothing was said: {:#?}", guard.0);
            lines = guard;
        }
    }
}

impl Narvi {
    /// Starts on the store of a directory, with no jobs.
    pub(crate) fn start(directory: &Directory) -> Self {
        Self::start_with(directory, "")
    }

    /// Starts with more configuration: dotted keys before tables, since it follows the tests' own.
    pub(crate) fn start_with(directory: &Directory, config: &str) -> Self {
        Self::try_start(directory, config).unwrap_or_else(|output| panic!("it did not start: {output:?}"))
    }

    /// Starts, or gives what it said and its exit code.
    pub(crate) fn try_start(directory: &Directory, config: &str) -> Result<Self, Output> {
        let file = configure(directory, config);
        Self::run(&mut command(&file))
    }

    /// Runs a command that serves.
    pub(crate) fn run(command: &mut Command) -> Result<Self, Output> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Log::default());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let writer = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in stderr.split(b'\n').map_while(Result::ok) {
                writer.lock().0.push(String::from_utf8_lossy(&line).into_owned());
                writer.grown.notify_all();
            }
            writer.lock().1 = true;
            writer.grown.notify_all();
        });
        let address = |line: &str| line.split_once("Grafana's Loki URL: http://")?.1.parse().ok();
        if let Some(address) = log.find(address) {
            return Ok(Self { child, address, log, reader: Some(reader) });
        }
        let output = child.wait_with_output().unwrap();
        reader.join().unwrap();
        let stderr = log.lock().0.join("\n").into_bytes();
        Err(Output { stderr, ..output })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it said so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().0.join("\n")
    }

    /// Waits until it says something that holds `text`, and gives that line.
    pub(crate) fn says(&self, text: &str) -> String {
        let found = self.log.find(|line| line.contains(text).then(|| line.to_owned()));
        found.unwrap_or_else(|| panic!("it never said {text:?}: {}", self.log()))
    }

    /// A field of `/proc/PID/status`, in its unit.
    pub(crate) fn status(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
        value.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    /// One request on a connection of its own.
    pub(crate) fn get(&self, path: &str, params: Params<'_>) -> Reply {
        self.client().request("GET", &format!("{path}{}", encoded(params)), &[], b"").unwrap()
    }

    /// Pushes a body of any kind.
    pub(crate) fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.client().request("POST", "/loki/api/v1/push", headers, body).unwrap()
    }

    /// Pushes streams, all of which must be taken.
    pub(crate) fn push(&self, streams: &[Stream]) {
        let reply = self.post(&[("Content-Type", "application/json")], &Stream::json(streams));
        assert_eq!((reply.status, reply.text().as_str()), (204, ""));
    }

    /// Seals everything that is in memory.
    pub(crate) fn flush(&self) {
        assert_eq!(self.client().request("POST", "/flush", &[], b"").unwrap().status, 204);
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Metrics::parse(&self.get("/metrics", &[]).text())
    }

    /// Waits until a metric has a value. The collector's are shown at the end of the round in which they
    /// were counted, a moment after the entries.
    pub(crate) fn counts(&self, name: &str, expected: u64) {
        let mut found = None;
        let is_expected = || {
            found = self.metrics().find(name);
            (found == Some(expected)).then_some(())
        };
        assert!(within_patience(is_expected).is_some(), "{name} is {found:?} in place of {expected}");
    }

    /// Streams and values of a log query, as JSON; metadata do not split streams.
    pub(crate) fn query(&self, query: &str, params: Params<'_>) -> Value {
        let params: Vec<_> = [("query", query)].into_iter().chain(params.iter().copied()).collect();
        let target = format!("/loki/api/v1/query_range{}", encoded(&params));
        let mut answer = self.client().request("GET", &target, &[CATEGORIZE], b"").unwrap().ok();
        assert_eq!((&answer["status"], &answer["data"]["resultType"]), (&"success".into(), &"streams".into()));
        answer["data"]["result"].take()
    }

    /// All entries of a selector, whatever their time; in order of time within each stream.
    pub(crate) fn entries(&self, query: &str) -> Vec<Entry> {
        let all = [("limit", "100000000"), ("start", "0"), ("end", "4000000000"), ("direction", "forward")];
        Entry::of_streams(&self.query(query, &all))
    }

    /// The lines of [`Self::entries`].
    pub(crate) fn lines(&self, query: &str) -> Vec<String> {
        self.entries(query).into_iter().map(|entry| entry.line).collect()
    }

    /// Waits until a selector gives so many lines, and gives them; more than that fails the test.
    pub(crate) fn lines_once(&self, query: &str, count: usize) -> Vec<String> {
        let lines = eventually(&format!("{count} lines of {query}"), || {
            let lines = self.lines(query);
            (lines.len() >= count).then_some(lines)
        });
        assert_eq!(lines.len(), count, "{query}: {:?}", &lines[..lines.len().min(20)]);
        lines
    }

    pub(crate) fn tail(&self, params: Params<'_>) -> Tail {
        Tail::open(self.address, params).unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Ends it as a power cut of the process: without any warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = eventually("the end of the process", || self.child.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        (status, self.log())
    }

    /// Ends it as the system does.
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        let (status, log) = self.wait();
        assert!(status.success(), "{status}: {log}");
    }
}

impl Drop for Narvi {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            eprintln!("narvi said:\n{}", self.log());
        }
    }
}

/// Writes the configuration of a directory's store and says where.
pub(crate) fn configure(directory: &Directory, config: &str) -> PathBuf {
    let mut text = CONFIG.to_owned();
    writeln!(text, "store.path = '{}'", directory.join("store").display()).unwrap();
    if !config.contains("scrape_configs") {
        text.push_str("scrape_configs = []\n");
    }
    // A key that a test sets replaces the one above.
    let sets = |line: &str| line.split_once(" =").map(|(key, _)| format!("{key} ="));
    let kept =
        text.lines().filter(|line| !sets(line).is_some_and(|key| config.lines().any(|line| line.starts_with(&key))));
    let text = kept.flat_map(|line| [line, "\n"]).collect::<String>() + config;
    directory.write("config.toml", text)
}

/// The command that serves a configuration.
pub(crate) fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narvi"));
    command.arg("--config").arg(config);
    command
}

/// The same as a user who may not do everything; `None` if there is no way.
pub(crate) fn unprivileged(config: &Path) -> Option<Command> {
    if !is_root() {
        return Some(command(config));
    }
    let mut command = Command::new(program("setpriv")?);
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(env!("CARGO_BIN_EXE_narvi"));
    let version = Command::new(command.get_program()).args(command.get_args()).arg("--version").output().ok()?;
    command.arg("--config").arg(config);
    version.status.success().then_some(command)
}
