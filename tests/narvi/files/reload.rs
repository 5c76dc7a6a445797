//! SIGHUP: other jobs and another log level without a restart.

use std::fs;

use super::Logs;
use crate::support::{Signal, configure, eventually};

#[test]
fn sighup_takes_over_the_jobs() {
    let mut logs = Logs::new();
    let other = logs.directory.join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("b.txt"), "b 1\n").unwrap();
    logs.write("a.log", "a 1\n");
    logs.up();
    logs.lines("a.log", 1);

    let job = format!("\n[[scrape_configs]]\njob_name = 'more'\npaths = ['{}/*.txt']\n", other.display());
    configure(&logs.directory, &(logs.config.clone() + &job));
    logs.narvi().signal(Signal::HUP);
    assert_eq!(logs.narvi().lines_once("{job=\"more\"}", 1), ["b 1"]);
    logs.narvi().says("configuration reloaded");
    logs.write("a.log", "a 2\n");
    assert_eq!(logs.lines("a.log", 2), ["a 1", "a 2"]);

    // With an error in the file everything stays as it was.
    configure(&logs.directory, "scrape_configs = [{ job_name = 'broken' }]\n");
    logs.narvi().signal(Signal::HUP);
    logs.narvi().says("the configuration was not reloaded");
    fs::write(other.join("b.txt"), "b 1\nb 2\n").unwrap();
    logs.write("a.log", "a 3\n");
    logs.narvi().lines_once("{job=\"more\"}", 2);
    logs.lines("a.log", 3);

    // A job that is taken out is not followed any more, and goes on where it was when it comes back.
    configure(&logs.directory, &job);
    logs.narvi().signal(Signal::HUP);
    eventually("one file to be followed", || {
        (logs.narvi().metrics().get("collector_files{state=\"live\"}") == 1).then_some(())
    });
    logs.write("a.log", "a 4\n");
    configure(&logs.directory, &logs.config);
    logs.narvi().signal(Signal::HUP);
    assert_eq!(logs.all_lines("a.log"), ["a 1", "a 2", "a 3", "a 4"]);
    logs.down();
}
