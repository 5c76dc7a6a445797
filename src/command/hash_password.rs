//! `narvi hash-password`: one line from standard input, without echo if that is a terminal, and its
//! hash as `password_hash` of `[[server.users]]` takes it.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    process::ExitCode,
};

use narvi::server::access;
use rustix::termios::{self, LocalModes, OptionalActions, Termios};

use super::{
    arguments::{Arguments, Subcommand},
    fail, print,
};

/// Bytes that are read at most; a password has fewer.
const LINE_BYTES_MAX: u64 = 1024;

pub(super) const SUBCOMMAND: Subcommand = Subcommand {
    name: "hash-password",
    // Other users see arguments in the list of processes.
    operand: "",
    about: "print the hash of a password on standard input",
    flags: &[],
    notes: "\
The password is one line; what is typed on a terminal is not shown.
The hash is for `password_hash` in [[server.users]].
",
    run,
};

fn run(_: &Arguments) -> ExitCode {
    let failed = |why: &dyn std::fmt::Display| fail(&format_args!("narvi: no password was hashed: {why}"), 1);
    let line = match read_line() {
        Ok(line) => line,
        Err(error) => return failed(&error),
    };
    match access::hash(line.as_bytes()) {
        Ok(hash) => print(&format!("{hash}\n")),
        Err(error) => failed(&error),
    }
}

/// The first line of standard input.
fn read_line() -> io::Result<String> {
    let input = io::stdin();
    let _silence = if input.is_terminal() {
        eprint!("Password: ");
        Some(Silence::begin()?)
    } else {
        None
    };
    let mut line = String::new();
    input.lock().take(LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The terminal does not echo what is typed, until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        termios::tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        eprintln!();
    }
}
