//! The `narvi` command.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(std::env::args_os().skip(1))
}
