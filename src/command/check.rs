//! `narvi check`: every mistake in the configuration, without starting anything.

use std::{path::Path, process::ExitCode};

use narvi::config::{Config, Environment};

use super::arguments::{self, Arguments, Subcommand};

pub(super) const SUBCOMMAND: Subcommand = Subcommand {
    name: "check",
    operand: "",
    about: "look for mistakes in the configuration, start nothing",
    flags: &[arguments::CONFIG],
    notes: "Exit code 0, or 78 if there are mistakes; each is shown with file, line and column.\n",
    run,
};

fn run(arguments: &Arguments) -> ExitCode {
    check(arguments.path("config"), &Environment::of_process())
}

/// One line on standard output if the configuration can be used; otherwise all errors on standard error.
/// Warnings go to standard error and do not fail.
fn check(file: Option<&Path>, environment: &Environment) -> ExitCode {
    let config = match Config::load(file, environment) {
        Ok(config) => config,
        Err(error) => return super::fail(&error, super::EX_CONFIG),
    };
    if !config.warnings.is_empty() {
        super::say(&config.warnings);
    }
    let file = config.file.as_deref().map_or("defaults".into(), Path::to_string_lossy);
    // Groups of one table share its name and stand behind each other.
    let mut names: Vec<_> = config.collect.jobs.iter().map(|job| &job.name).collect();
    names.dedup();
    names.extend(config.collect.sources.iter().map(|job| &job.name));
    let jobs = if names.len() == 1 { "1 job".to_owned() } else { format!("{} jobs", names.len()) };
    super::print(&format!("{file}: ok, {jobs}\n"))
}
