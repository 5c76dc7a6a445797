//! The command line: what was asked for, and the exit code. A subcommand is a file with a constant, and a line in
//! [`SUBCOMMANDS`].

mod arguments;
mod check;
mod completions;
mod connection;
mod hash_password;
mod help;
mod inspect;
mod logging;
mod notify;
mod numbers;
mod process;
mod query;
mod serve;
mod streams;
mod tail;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use self::arguments::{Request, Subcommand};

/// The command line cannot be understood. Source of this and the others: `sysexits.h` of BSD.
const EX_USAGE: u8 = 64;
/// The configuration is wrong.
const EX_CONFIG: u8 = 78;

/// All there are, in the order of `--help`; the first is what runs without a word.
const SUBCOMMANDS: &[Subcommand] = &[
    serve::SUBCOMMAND,
    check::SUBCOMMAND,
    inspect::SUBCOMMAND,
    hash_password::SUBCOMMAND,
    query::SUBCOMMAND,
    query::INSTANT_SUBCOMMAND,
    tail::SUBCOMMAND,
    streams::LABELS,
    streams::SERIES,
    streams::STATS,
    completions::SUBCOMMAND,
];

/// Does what the arguments (without the program's name) ask for.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match arguments::parse(SUBCOMMANDS, arguments) {
        Ok(Request::Help(subcommand)) => print(&help::of(subcommand, SUBCOMMANDS)),
        Ok(Request::Version) => print(concat!("narvi ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Request::Run(subcommand, arguments)) => (subcommand.run)(&arguments),
        Err(error) => misused(&error),
    }
}

/// It needs the subcommands that it is one of.
fn completions(arguments: &arguments::Arguments) -> ExitCode {
    match completions::of(arguments, SUBCOMMANDS) {
        Some(text) => print(&text),
        None => fail(&"narvi: there are completions for bash, zsh and fish", EX_USAGE),
    }
}

/// Says what is wrong with the command line.
fn misused(error: &arguments::Error) -> ExitCode {
    fail(&format_args!("narvi: {error}\nTry `narvi --help`."), EX_USAGE)
}

/// Writes to standard output. That nobody reads it is no reason to panic.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Writes to standard error, and exits with a code.
fn fail(message: &dyn std::fmt::Display, code: u8) -> ExitCode {
    say(message);
    ExitCode::from(code)
}

/// Writes a line to standard error.
fn say(message: &dyn std::fmt::Display) {
    write_error(&format!("{message}\n"));
}

/// Writes to standard error; that nobody reads it is no reason to panic, as `eprintln!` would.
fn write_error(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}
