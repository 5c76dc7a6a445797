//! Lines that come from no files: the journal, played by a script in place of `journalctl`, and the syslog receiver.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::Write,
    net::{TcpStream, UdpSocket},
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::support::{Directory, Narvi, Signal, command, configure, eventually, now_ns, program, skip};

/// A journal, and the script that stands for `journalctl`: it notes its arguments and gives what is written to a pipe.
struct Journal {
    directory: Directory,
    narvi: Option<Narvi>,
    config: String,
}

impl Journal {
    fn new(job: &str) -> Self {
        let directory = Directory::new();
        fs::create_dir(directory.join("bin")).unwrap();
        let (calls, pipe) = (directory.join("calls"), directory.join("pipe"));
        // Each start has a pipe of its own, because one may outlive who started it.
        let script = format!(
            "#!/bin/sh\n[ \"$TZ$LC_ALL\" = UTCC ] || exit 1\n\
             pipe={}.$(($(cat {calls} 2>&1 | grep -c follow) + 1))\nmkfifo $pipe\necho \"$@\" >> {calls}\nexec cat $pipe\n",
            pipe.display(),
            calls = calls.display(),
        );
        let script = directory.write("bin/journalctl", script);
        fs::set_permissions(script, Permissions::from_mode(0o755)).unwrap();
        Self { directory, narvi: None, config: format!("[[scrape_configs]]\njob_name = 'journal'\n{job}\n") }
    }

    fn up(&mut self) -> &Narvi {
        let path = format!("{}:{}", self.directory.join("bin").display(), std::env::var("PATH").unwrap());
        let config = configure(&self.directory, &self.config);
        self.narvi.insert(Narvi::run(command(&config).env("PATH", path)).unwrap())
    }

    /// The arguments of each start so far.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for the next start of the script and writes entries; at the end of the pipe the script ends.
    fn serve(&self, call: usize, entries: &[String]) -> String {
        eventually("the start of journalctl", || (self.calls().len() >= call).then_some(()));
        let pipe = self.directory.join(&format!("pipe.{call}"));
        OpenOptions::new().write(true).open(pipe).unwrap().write_all(entries.concat().as_bytes()).unwrap();
        self.calls().swap_remove(call - 1)
    }
}

/// An entry as `journalctl --output=json` writes it, a microsecond after the one before.
fn entry(number: i64, fields: &Value) -> String {
    let mut entry = json!({"__CURSOR": format!("s=1;i={number}"), "__REALTIME_TIMESTAMP": time_us(number).to_string()});
    entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    format!("{entry}\n")
}

fn time_us(number: i64) -> i64 {
    now_ns() / 1_000_000_000 * 1_000_000 - 3_600_000_000 + number
}

#[test]
fn the_journal_is_read_once_whatever_ends() {
    let mut journal = Journal::new("[scrape_configs.journal]");
    journal.up();
    let first = journal.serve(
        1,
        &[
            entry(1, &json!({"MESSAGE": "one", "_SYSTEMD_UNIT": "session-7.scope", "PRIORITY": "4"})),
            entry(2, &json!({"MESSAGE": [116, 119, 111, 255], "_SYSTEMD_UNIT": "ssh.service"})),
            "garbage\n".to_owned(),
            entry(3, &json!({"NO_MESSAGE": "x"})),
            entry(4, &json!({"MESSAGE": ["three", "lines"], "_TRANSPORT": "kernel"})),
        ],
    );
    assert!(first.contains("--follow") && first.contains("--since=@") && !first.contains("cursor"), "{first}");
    let lines = journal.narvi.as_ref().unwrap().lines_once("{job=\"journal\"}", 3);
    assert_eq!(lines.len(), 3);
    let narvi = journal.narvi.as_ref().unwrap();
    assert_eq!(narvi.lines("{unit=\"session.scope\"} | priority=\"warning\""), ["one"]);
    assert_eq!(narvi.lines("{unit=\"ssh.service\"}"), ["two\u{fffd}"]);
    assert_eq!(narvi.lines("{unit=\"kernel\"}"), ["three\nlines"]);

    // The child ended with its pipe: the next one goes on behind the last entry.
    let second = journal.serve(2, &[entry(5, &json!({"MESSAGE": "five", "SYSLOG_IDENTIFIER": "cron"}))]);
    assert!(second.contains("--after-cursor=s=1;i=4"), "{second}");
    journal.narvi.as_ref().unwrap().lines_once("{job=\"journal\"}", 4);
    assert_eq!(journal.narvi.as_ref().unwrap().lines("{unit=\"cron\"}"), ["five"]);
    journal.narvi.take().unwrap().kill();

    let calls = journal.calls().len();
    journal.up();
    let third = journal.serve(calls + 1, &[entry(6, &json!({"MESSAGE": "six"}))]);
    // What was stored last may not have been committed; then it is not there either.
    let stored: Vec<_> = journal.narvi.as_ref().unwrap().lines("{job=\"journal\"}");
    let cursor = if stored.iter().any(|line| line == "five") { 5 } else { 4 };
    assert!(third.contains(&format!("--after-cursor=s=1;i={cursor}")), "{third}: {stored:?}");
    eventually("the last entry", || {
        journal.narvi.as_ref().unwrap().lines("{job=\"journal\"}").contains(&"six".to_owned()).then_some(())
    });
}

/// A block that a stage holds is read again, and what came out of entries behind it is not stored twice.
#[test]
fn blocks_in_the_journal_survive_a_crash() {
    let stages = "pipeline_stages = [{ multiline = { firstline = '^\\d', max_wait_time = '1h' } }]";
    let mut journal = Journal::new(&format!("journal = {{ matches = ['A=1'] }}\n{stages}"));
    journal.up();
    let unit = |unit: &str, message: &str| json!({"MESSAGE": message, "_SYSTEMD_UNIT": unit, "A": "1"});
    let entries = [
        entry(1, &unit("a", "1 a")),
        entry(2, &unit("b", "plain b")),
        entry(3, &json!({"MESSAGE": "another", "A": "2"})),
        entry(4, &unit("a", "  a")),
    ];
    journal.serve(1, &entries);
    journal.narvi.as_ref().unwrap().lines_once("{job=\"journal\"}", 1);
    eventually("a second child", || (journal.calls().len() == 2).then_some(()));
    journal.narvi.take().unwrap().kill();

    journal.up();
    let again = journal.serve(3, &[&entries[..], &[entry(5, &unit("a", "2 a"))]].concat());
    assert_eq!(again, journal.calls()[0], "nothing could be left behind yet");
    assert_eq!(journal.narvi.as_ref().unwrap().lines_once("{unit=\"a\"}", 1), ["1 a\n  a"]);
    assert_eq!(journal.narvi.as_ref().unwrap().lines("{unit=\"b\"}"), ["plain b"]);
}

/// Starts a receiver, and gives the address that it chose.
fn receiver(directory: &Directory, table: &str, job: &str) -> (Narvi, String) {
    let config = format!(
        "store.retention = '0'\n[[scrape_configs]]\njob_name = 'devices'\nlocation = 'UTC'\n{job}\n[scrape_configs.syslog]\n{table}\n"
    );
    let narvi = Narvi::start_with(directory, &config);
    let said = narvi.says("job devices listens on ");
    let address = said.split("listens on ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    (narvi, address)
}

#[test]
fn datagrams_of_all_dialects_are_stored() {
    let directory = Directory::new();
    let table = "listen_address = '127.0.0.1:0'\nlabel_structured_data = true";
    let (narvi, address) = receiver(&directory, table, "");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let now = jiff::Timestamp::from_nanosecond(i128::from(now_ns())).unwrap();
    let modern = format!("<165>1 {now} router snmpd 12 ID47 [ex@1 a=\"b\"] \u{feff}up");
    for message in [
        modern.as_bytes(),
        b"<34>Oct 11 22:14:15 gateway su[7]: failed\n",
        b"<30>dhcp,info lan assigned 10.0.0.5",
        b"no priority \xff\r\n\0",
        b"\n",
    ] {
        socket.send_to(message, &address).unwrap();
    }
    let lines = narvi.lines_once("{job=\"devices\"}", 4);
    assert_eq!(lines.len(), 4);
    let router =
        narvi.entries("{host=\"router\", app=\"snmpd\"} | severity=\"notice\" | facility=\"local4\" | sd_ex_1_a=\"b\"");
    assert_eq!((router[0].line.as_str(), i128::from(router[0].timestamp_ns)), ("up", now.as_nanosecond()));
    assert_eq!(narvi.lines("{host=\"gateway\", app=\"su\"} | severity=\"crit\""), ["failed"]);
    // Who names no host is known by address.
    assert_eq!(narvi.lines("{host=\"127.0.0.1\"}"), ["dhcp,info lan assigned 10.0.0.5", "no priority \u{fffd}"]);
    narvi.stop();
}

#[test]
fn connections_may_frame_as_they_like() {
    let directory = Directory::new();
    let (narvi, address) = receiver(
        &directory,
        "listen_address = '127.0.0.1:0'\nlisten_protocol = 'tcp'\nmax_message_length = 480\nuse_rfc5424_message = true",
        "relabel_configs = [{ source_labels = ['__syslog_message_hostname'], regex = 'noise', action = 'drop' },\n\
         { source_labels = ['__syslog_message_severity'], target_label = 'level' }]",
    );
    let mut stream = TcpStream::connect(&address).unwrap();
    let noise = "<34>Oct 11 22:14:15 noise x: y";
    let long = format!("<34>{}", "l".repeat(2000));
    let text = format!("<34>one\n7 <34>two{} {noise}{long}\n7 <34>end", noise.len());
    for byte in text.as_bytes() {
        stream.write_all(&[*byte]).unwrap();
    }
    drop(stream);
    let mut lines = narvi.lines_once("{job=\"devices\", level=\"crit\"}", 4);
    lines.sort();
    assert_eq!(lines, ["<34>end", &long[..480], "<34>one", "<34>two"]);
    // Another address after a reload, without a restart.
    configure(
        &directory,
        "[[scrape_configs]]\njob_name = 'devices'\n[scrape_configs.syslog]\nlisten_address = '127.0.0.1:0'\nlisten_protocol = 'tcp'\n",
    );
    narvi.signal(Signal::HUP);
    narvi.says("configuration reloaded; job devices listens on ");
    assert!(
        eventually("the old address to be closed", || Some(TcpStream::connect(&address)).filter(Result::is_err))
            .is_err()
    );
    narvi.stop();
}

/// logger(1) of util-linux, as scripts call it.
#[test]
fn logger_speaks_to_a_unix_socket() {
    let directory = Directory::new();
    let path = directory.join("log.sock");
    // What a receiver that was killed left behind is in nobody's way.
    drop(UnixDatagram::bind(&path).unwrap());
    let table = format!("listen_address = '{}'\nlisten_protocol = 'unix'", path.display());
    let (narvi, _) = receiver(&directory, &table, "");
    let Some(logger) = program("logger") else {
        return skip("logger_speaks_to_a_unix_socket", "logger is not installed");
    };
    for form in ["--rfc3164", "--rfc5424"] {
        let mut command = Command::new(&logger);
        command.arg(form).arg("--socket").arg(&path).args(["-p", "auth.err", "-t", "narvi-test", "--", "it", form]);
        assert!(command.stdout(Stdio::null()).status().unwrap().success());
    }
    let mut lines = narvi.lines_once("{app=\"narvi-test\"} | severity=\"error\" | facility=\"auth\"", 2);
    lines.sort();
    assert_eq!(lines, ["it --rfc3164", "it --rfc5424"]);
    narvi.stop();
}
