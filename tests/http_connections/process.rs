//! Tests that measure or limit a whole process run in one of their own, which is this test binary again.

use std::process::Command;

const MARK: &str = "NARVI_TEST_ALONE";

/// `true` in the process that has the test to itself. Elsewhere runs that process, and passes its failure on.
pub(crate) fn is_alone(test: &str) -> bool {
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        // One arena: threads that end leave nothing behind which depends on their number.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains("1 passed"), "{}\n{printed}\n{errors}", output.status);
    false
}

pub(crate) fn threads() -> u64 {
    status("Threads:")
}

pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The most memory this process ever had, in bytes.
pub(crate) fn memory_peak_bytes() -> u64 {
    status("VmHWM:") * 1024
}

/// Address space in use, in bytes.
pub(crate) fn address_space_bytes() -> u64 {
    status("VmSize:") * 1024
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}
