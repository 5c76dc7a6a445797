//! The programs that write and rotate logs on real machines.

use std::{
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use super::Logs;
use crate::support::{program, skip};

/// logrotate itself, with the three policies that distributions ship.
#[test]
fn logrotate_loses_and_repeats_nothing() {
    let Some(logrotate) = program("logrotate") else {
        return skip("logrotate", "logrotate is not installed");
    };
    for policy in ["create", "create\ncompress\ndelaycompress", "copytruncate", "nocreate\ncompress"] {
        let mut logs = Logs::new();
        // It refuses to work where others may write.
        fs::set_permissions(logs.directory.join("log"), Permissions::from_mode(0o755)).unwrap();
        let rules = format!("{} {{\nrotate 3\nmissingok\n{policy}\n}}\n", logs.path("app.log").display());
        let rules = logs.directory.write("logrotate.conf", rules);
        fs::set_permissions(&rules, Permissions::from_mode(0o644)).unwrap();
        logs.up();
        // Until a file was met its rotated copies are somebody's old ones.
        logs.write("app.log", "met\n");
        let mut want = vec!["met".to_owned()];
        for round in 0..5 {
            // The rotations to come compress or delete what was rotated before: by then it must have been read.
            logs.lines("app.log", want.len());
            let mut file = logs.append("app.log");
            for number in 0..50 {
                want.push(format!("round {round}, line {number}"));
                writeln!(file, "round {round}, line {number}").unwrap();
            }
            // A truncation loses what comes between the copy and it, whoever reads, and what is compressed at once
            // was read before or never; all else is rotated as it comes, read or not.
            if policy == "copytruncate" || policy.starts_with("nocreate") {
                logs.lines("app.log", want.len());
            }
            let state = logs.directory.join("logrotate.state");
            let output =
                Command::new(&logrotate).arg("--force").arg("--state").args([&state, &rules]).output().unwrap();
            assert!(output.status.success(), "{policy}: {}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(logs.all_lines("app.log"), want, "{policy}");
    }
}

/// A shell's redirection, and the lines that logger(1) makes.
#[test]
fn shells_and_logger_are_read() {
    let mut logs = Logs::new();
    logs.up();
    let script = "for i in 1 2 3; do echo shell $i; done; printf 'no newline yet'; echo; exec ls /nonexistent 2>&1";
    let output = logs.append("shell.log");
    Command::new("sh").args(["-c", script]).stdout(output).status().unwrap();
    let lines = logs.lines("shell.log", 5);
    assert_eq!(lines[..4], ["shell 1", "shell 2", "shell 3", "no newline yet"]);
    assert!(lines[4].contains("/nonexistent"), "{lines:?}");

    let Some(logger) = program("logger") else {
        return skip("logger", "logger is not installed");
    };
    for number in 0..3 {
        let mut command = Command::new(&logger);
        command.args([
            "--no-act",
            "--stderr",
            "--socket-errors=off",
            "-t",
            "narvi-test",
            "--",
            &format!("message {number}"),
        ]);
        assert!(command.stdout(Stdio::null()).stderr(logs.append("syslog")).status().unwrap().success());
    }
    let lines = logs.lines("syslog", 3);
    for (number, line) in lines.iter().enumerate() {
        assert!(line.ends_with(&format!("narvi-test: message {number}")), "{line}");
    }
}
