//! The worked example of `docs/format.md`, byte for byte: the real program writes a small store, and its files are
//! compared with the dumps of that document. A dump is a code block of the language `dump PATH`; each of its lines
//! is an offset, the bytes from there on, and, two spaces behind them, what they mean.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
};

const DOCUMENT: &str = include_str!("../docs/format.md");

/// What the document says was pushed.
const PUSH: &str = r#"{"streams":[{"stream":{"app":"demo"},"values":[["1767607200000000000","link up"],["1767607201500000000","DHCP ok",{"iface":"eth0"}]]},{"stream":{"app":"web"},"values":[["1767607200000000000","port 7: the link is up now"],["1767607201000000000","port 12: the link is up now"],["1767607202000000000","port 8: the link is up now"]]}]}"#;

#[test]
fn the_dumps_in_the_document_are_what_the_program_writes() {
    assert!(DOCUMENT.contains(PUSH), "docs/format.md does not show the push that its dumps come from");
    let directory = Directory::new();
    let store = directory.0.join("store");
    let narvi = Narvi::start(&directory);
    narvi.post("/loki/api/v1/push", PUSH);
    narvi.post("/flush", "");
    drop(narvi);
    let dumps = dumps();
    let dumped: Vec<_> = dumps.iter().map(|dump| dump.path).collect();
    let expected =
        ["FORMAT", "streams.log", "wal/0000000000000001.wal", "chunks/2026-01-05/mixed.chunk"].map(str::to_owned);
    assert_eq!(dumped, expected, "the files that docs/format.md dumps");
    let mut wrong = String::new();
    for dump in dumps {
        let file = fs::read(store.join(dump.path)).unwrap();
        // A segment of the log is preallocated: behind the dump it holds zeros.
        let written = if dump.path.starts_with("wal/") { without_zeros_at_end(&file) } else { &file };
        dump.compare(written, &mut wrong);
    }
    assert!(wrong.is_empty(), "docs/format.md is not what the program writes:\n{wrong}");
}

/// A dump of the document.
struct Dump {
    path: &'static str,
    lines: Vec<DumpLine>,
}

struct DumpLine {
    /// In the document, from 1.
    number: usize,
    offset: usize,
    bytes: Vec<u8>,
}

/// All dumps of the document, in its order.
fn dumps() -> Vec<Dump> {
    let mut dumps = Vec::new();
    let mut lines = DOCUMENT.lines().zip(1..);
    while let Some((line, _)) = lines.next() {
        if let Some(path) = line.strip_prefix("```dump ") {
            let body = lines.by_ref().take_while(|(line, _)| *line != "```");
            dumps.push(Dump { path, lines: body.map(|(line, number)| DumpLine::parse(line, number)).collect() });
        }
    }
    dumps
}

impl DumpLine {
    fn parse(line: &str, number: usize) -> Self {
        let (offset, rest) = line.split_once("  ").unwrap();
        let bytes = rest.split("  ").next().unwrap();
        Self {
            number,
            offset: usize::from_str_radix(offset, 16).unwrap(),
            bytes: bytes.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect(),
        }
    }
}

impl Dump {
    /// Adds a line to `wrong` for each line of the dump that differs, and for what it leaves out.
    fn compare(&self, file: &[u8], wrong: &mut String) {
        let mut at = 0;
        for DumpLine { number, offset, bytes } in &self.lines {
            let found = file.get(at..file.len().min(at + bytes.len())).unwrap_or_default();
            if *offset != at || bytes != found {
                writeln!(wrong, "line {number}: {} holds at {at:08x} {}", self.path, hex(found)).unwrap();
            }
            at += bytes.len();
        }
        if at < file.len() {
            writeln!(wrong, "{} goes on at {at:08x} with {}", self.path, hex(&file[at..])).unwrap();
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn without_zeros_at_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// A directory of the test's own, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("narvi-format-{}", std::process::id()));
        // What a killed run left behind under the same number is not this test's.
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The running program.
struct Narvi {
    process: Child,
    address: String,
    /// Open for as long as the process may write to it.
    _messages: BufReader<ChildStderr>,
}

impl Narvi {
    /// Starts with the configuration that the document shows.
    fn start(directory: &Directory) -> Self {
        let file = directory.0.join("config.toml");
        fs::write(&file, config(&directory.0.join("store"))).unwrap();
        let mut process =
            Command::new(env!("CARGO_BIN_EXE_narvi")).arg("--config").arg(file).stderr(Stdio::piped()).spawn().unwrap();
        let mut messages = BufReader::new(process.stderr.take().unwrap());
        let address = messages
            .by_ref()
            .lines()
            .find_map(|line| Some(line.unwrap().split_once("URL: http://")?.1.to_owned()))
            .expect("narvi did not say where it listens");
        Self { process, address, _messages: messages }
    }

    fn post(&self, path: &str, body: &str) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204 "), "{path}: {answer}");
    }
}

impl Drop for Narvi {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// No files are followed, nothing is committed or removed by the clock, and entries get no level.
fn config(store: &Path) -> String {
    format!(
        "scrape_configs = []\n\
         [server]\nlisten = '127.0.0.1:0'\n\
         [store]\npath = '{}'\nretention = '0'\nretention_size = '0'\nfree_disk_min = '0'\ncommit_interval = '1h'\n\
         [limits]\ndiscover_log_levels = false\n",
        store.display()
    )
}
