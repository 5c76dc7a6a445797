//! The machine that the tests run on: what is installed, who runs them, how long they may take.

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
};

/// Where a program is, if it is installed.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    // Administrators' programs are not in everybody's path.
    let path = format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default());
    env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// Whether permissions of files mean nothing to the tests' processes.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// How often a test that throws dice repeats itself; `NARVI_TEST_ROUNDS` asks for more.
pub(crate) fn rounds(default: usize) -> usize {
    env::var("NARVI_TEST_ROUNDS").map_or(default, |text| text.parse().expect("NARVI_TEST_ROUNDS is a number"))
}

/// Says that a test, or a part of it, cannot run here; past the harness, which hides what tests print that pass.
pub(crate) fn skip(test: &str, why: &str) {
    io::stderr().write_all(format!("skipped: {test}: {why}\n").as_bytes()).unwrap();
}
