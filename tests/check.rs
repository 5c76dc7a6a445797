//! The command line: `narvi check` and its exit codes, `--version`, `--help`, and what cannot be understood.

#![expect(clippy::unwrap_used, reason = "the helpers of a test stop it where they fail")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

/// A directory of one test's own, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("narvi-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, contents: &[u8]) -> String {
        let path = self.0.join("config.toml");
        fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn narvi(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_narvi")).args(arguments).env("HOME", "/nonexistent").output().unwrap()
}

/// Exit code, standard output, standard error.
fn observed(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_says_ok_on_one_line() {
    let directory = Directory::new("check-ok");
    let rows = [
        ("", "2 jobs"),
        ("scrape_configs = []", "0 jobs"),
        ("[[scrape_configs]]\njob_name = 'a'\npaths = ['/a']\nstatic_configs = [{ paths = ['/b'] }]\n", "1 job"),
        ("scrape_configs = [{ job_name = 'a', paths = ['/a'] }, { job_name = 'b', paths = ['/b'] }]", "2 jobs"),
    ];
    for (source, jobs) in rows {
        let file = directory.file(source.as_bytes());
        let expected = (0, format!("{file}: ok, {jobs}\n"), String::new());
        assert_eq!(observed(&narvi(&["check", "--config", &file])), expected, "{source}");
    }
}

#[test]
fn warnings_do_not_fail() {
    let directory = Directory::new("check-warning");
    let file = directory.file(b"collect = { coalesce = '1ms' }\n");
    let (code, stdout, stderr) = observed(&narvi(&["check", &format!("--config={file}")]));
    assert_eq!((code, stdout), (0, format!("{file}: ok, 2 jobs\n")));
    assert!(stderr.starts_with(&format!("{file}:1:24: warning: ")), "{stderr}");
}

#[test]
fn check_and_serving_show_every_error() {
    let directory = Directory::new("check-errors");
    let file = directory.file(b"[store]\nretention = 'x'\nretenion = 1\n");
    for arguments in [vec!["check", "--config", &file], vec!["--config", &file]] {
        let (code, stdout, stderr) = observed(&narvi(&arguments));
        assert_eq!((code, stdout.as_str()), (78, ""), "{arguments:?}");
        assert!(stderr.contains(&format!("{file}:2:13: `x` is not a duration")), "{stderr}");
        assert!(stderr.contains(&format!("{file}:3:1: unknown key `retenion`")), "{stderr}");
    }
}

#[test]
fn files_that_are_no_configuration_are_named() {
    let directory = Directory::new("check-files");
    let missing = directory.0.join("missing.toml").to_str().unwrap().to_owned();
    let file = directory.file(b"# \xff\n");
    let rows = [
        (missing.clone(), format!("cannot read {missing}: ")),
        (directory.0.to_str().unwrap().to_owned(), format!("cannot read {}: ", directory.0.display())),
        (file.clone(), format!("{file}:1: not UTF-8 at byte 2")),
    ];
    for (argument, start) in rows {
        let (code, _, stderr) = observed(&narvi(&["check", "--config", &argument]));
        assert_eq!(code, 78, "{argument}");
        assert!(stderr.starts_with(&start), "{stderr}");
    }
    let file = directory.file(&vec![b'#'; (4 << 20) + 1]);
    let (code, _, stderr) = observed(&narvi(&["check", "--config", &file]));
    assert_eq!((code, stderr), (78, format!("{file} is larger than 4194304 bytes; is it the right file?\n")));
}

#[test]
fn unknown_arguments_are_a_usage_error() {
    let rows = [
        (vec!["frobnicate"], "unknown argument `frobnicate`"),
        (vec!["check", "file.toml"], "unknown argument `file.toml`"),
        (vec!["-config.file=x"], "unknown argument `-config.file=x`; write --config FILE"),
        (vec!["--config"], "--config needs a FILE"),
    ];
    for (arguments, message) in rows {
        let expected = (64, String::new(), format!("narvi: {message}\nTry `narvi --help`.\n"));
        assert_eq!(observed(&narvi(&arguments)), expected, "{arguments:?}");
    }
}

#[test]
fn help_fits_one_screen() {
    let help = |arguments: &[&str]| {
        let (code, stdout, stderr) = observed(&narvi(arguments));
        assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(stdout.lines().count() <= 24 && stdout.lines().all(|line| line.chars().count() <= 100), "{stdout}");
        stdout
    };
    let overview = help(&["--help"]);
    let subcommands: Vec<_> =
        overview.lines().filter_map(|line| line.strip_prefix("  narvi ")?.split(' ').next()).collect();
    assert!(subcommands.contains(&"check") && subcommands.contains(&"inspect"), "{overview}");
    for subcommand in subcommands.into_iter().filter(|word| !word.starts_with('[')) {
        let text = help(&[subcommand, "--help"]);
        assert!(text.starts_with(&format!("narvi {subcommand}")) && text.lines().count() > 2, "{text}");
        assert_eq!(help(&["help", subcommand]), text);
    }
    let (code, stdout, _) = observed(&narvi(&["--version"]));
    assert_eq!((code, stdout), (0, format!("narvi {}\n", env!("CARGO_PKG_VERSION"))));
}
