//! `narvi query`, `tail`, `labels`, `series` and `stats`: the real command against the real server, and against odd ones.

mod odd;
mod output;
mod pages;
mod tail;

use std::{
    net::SocketAddr,
    process::{Command, Output},
};

/// The command that asks a server, in UTC and without what the tester's environment says.
fn command(address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narvi"));
    command.args(arguments).arg("--url").arg(format!("http://{address}")).env("TZ", "UTC");
    for name in
        ["NO_COLOR", "LOKI_USERNAME", "LOKI_PASSWORD", "LOKI_BEARER_TOKEN", "LOKI_BEARER_TOKEN_FILE", "LOKI_ORG_ID"]
    {
        command.env_remove(name);
    }
    command
}

/// Exit code, standard output, standard error.
fn observed(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().expect("it ended by a signal"), text(&output.stdout), text(&output.stderr))
}

/// Asks, and gives the standard output of an answer that says nothing else.
fn answer(address: SocketAddr, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = observed(&command(address, arguments).arg("--quiet").output().unwrap());
    assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}: {stdout}");
    stdout
}
