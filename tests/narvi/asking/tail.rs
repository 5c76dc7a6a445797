//! `narvi tail`.

use std::{
    io::{BufRead, BufReader, Lines},
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdout, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{command, observed};
use crate::support::{Directory, Narvi, Stream, now_ns};

struct Tail {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Tail {
    fn start(address: SocketAddr, arguments: &[&str]) -> Self {
        let mut process = command(address, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn take(&mut self, count: usize) -> Vec<String> {
        self.lines.by_ref().take(count).map(Result::unwrap).collect()
    }

    /// Ends it as Ctrl-C does, and gives what it said on standard error.
    fn interrupt(mut self) -> String {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        let mut stderr = String::new();
        std::io::Read::read_to_string(&mut self.process.stderr.take().unwrap(), &mut stderr).unwrap();
        assert_eq!(self.process.wait().unwrap().signal(), Some(2));
        assert!(self.lines.next().is_none());
        stderr
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn push(narvi: &Narvi, timestamp_ns: i64, line: &str) {
    narvi.push(&[Stream::new(&[("app", "a")]).with(timestamp_ns, line)]);
}

#[test]
fn history_and_live_entries_are_printed_until_ctrl_c() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let base_ns = now_ns() - 1_000_000;
    for at in 0..3 {
        push(&narvi, base_ns + at, &format!("old {at}"));
    }
    for arguments in [["tail", "{app=\"a\"}", "-oraw", "--limit=2"], ["query", "{app=\"a\"}", "--follow", "--limit=2"]]
    {
        let mut tail = Tail::start(narvi.address(), &arguments);
        let history = tail.take(2);
        assert!(history[0].ends_with("old 1") && history[1].ends_with("old 2"), "{history:?}");
        push(&narvi, now_ns(), "new");
        assert!(tail.take(1)[0].ends_with("new"));
        assert_eq!(tail.interrupt(), "");
        // The next one begins with the same history.
        for at in 0..3 {
            push(&narvi, now_ns(), &format!("old {at}"));
        }
    }
}

/// A server that is gone and comes back costs no entry and repeats none.
#[test]
fn a_tail_outlives_the_server() {
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, "store.commit_interval = '0'\n");
    let address = narvi.address();
    let base_ns = now_ns() - 1_000_000;
    push(&narvi, base_ns, "0");
    push(&narvi, base_ns, "1");
    let mut tail = Tail::start(address, &["tail", "{app=\"a\"}", "-oraw"]);
    assert_eq!(tail.take(2), ["0", "1"]);
    narvi.kill();
    let mut said = BufReader::new(tail.process.stderr.take().unwrap()).lines();
    let lost = said.next().unwrap().unwrap();
    assert!(lost.starts_with(&format!("narvi: the connection to http://{address} was lost: ")), "{lost}");
    assert!(lost.ends_with("; trying again"), "{lost}");

    let narvi = Narvi::start_with(&directory, &format!("server.listen = '{address}'\nstore.commit_interval = '0'\n"));
    // At the time stamp that was seen, and behind it.
    push(&narvi, base_ns, "2");
    push(&narvi, base_ns + 1, "3");
    assert_eq!(tail.take(2), ["2", "3"]);
    assert_eq!(said.next().unwrap().unwrap(), "narvi: connected again");
    push(&narvi, now_ns(), "4");
    assert_eq!(tail.take(1), ["4"]);
}

#[test]
fn a_tail_that_is_refused_ends() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let rows = [
        ("{app=", 1, "answers 400: parse error"),
        ("rate({app=\"a\"}[1m])", 1, "answers 400: only log selectors can be tailed"),
    ];
    for (query, expected, text) in rows {
        let (code, _, stderr) = observed(&command(narvi.address(), &["tail", query]).output().unwrap());
        assert_eq!(code, expected, "{stderr}");
        assert!(stderr.contains(text), "{stderr}");
    }
}
