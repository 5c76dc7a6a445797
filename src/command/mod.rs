//! The command line: what was asked for, and the exit code.

mod arguments;
mod check;
mod hash_password;
mod inspect;
mod logging;
mod numbers;
mod serve;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use narvi::config::{Config, Environment};

use self::arguments::Command;

/// The command line cannot be understood. Source of this and the next: `sysexits.h` of BSD.
const EX_USAGE: u8 = 64;
/// The configuration is wrong.
const EX_CONFIG: u8 = 78;

const HELP: &str = "\
Narvi follows log files, keeps them compressed, and answers Loki's HTTP API.

Usage:
  narvi [--config FILE]         serve until SIGTERM; SIGHUP reads the jobs anew
  narvi check [--config FILE]   look for mistakes in the configuration
  narvi inspect [--json] DIR    verify a store that is not running
  narvi hash-password           read a password, print its hash for [[server.users]]
  narvi --version
  narvi --help

Without --config the configuration is /etc/narvi/config.toml, or if there is none, the defaults.
Exit codes: check 0, or 78 if there are errors; inspect 0, or 1 if anything is
damaged; unknown arguments 64.
";

/// Does what the arguments (without the program's name) ask for.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match arguments::parse(arguments) {
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(concat!("narvi ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Inspect { dir, json }) => inspect::run(&dir, json),
        Ok(Command::HashPassword) => hash_password::run(),
        Ok(Command::Check { config }) => check::check(config.as_deref(), &Environment::of_process()),
        Ok(Command::Serve { config }) => match Config::load(config.as_deref(), &Environment::of_process()) {
            Ok(config) => serve::serve(config),
            Err(error) => fail(&error, EX_CONFIG),
        },
        Err(error) => fail(&format_args!("narvi: {error}\nTry `narvi --help`."), EX_USAGE),
    }
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
    eprintln!("{message}");
    ExitCode::from(code)
}
