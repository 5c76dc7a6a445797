//! What a package brings beside the program: manual pages, completions, files for Grafana and Prometheus, the unit; and
//! the commands that the documents name.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::{Directory, Narvi, Stream, eventually, now_ns, program, skip};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn ok(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn narvi(arguments: &[&str]) -> String {
    ok(&Command::new(env!("CARGO_BIN_EXE_narvi")).args(arguments).output().unwrap())
}

/// Every subcommand, and every flag that one of them has.
fn words() -> (BTreeSet<String>, BTreeSet<String>) {
    let overview = narvi(&["--help"]);
    let names = overview.lines().filter_map(|line| line.strip_prefix("  narvi ")?.split(' ').next());
    let names: BTreeSet<_> = names.filter(|name| !name.starts_with('[')).map(str::to_owned).collect();
    let helps = names.iter().map(|name| narvi(&[name, "--help"])).chain([overview.clone()]);
    let mut flags = BTreeSet::new();
    for help in helps {
        let words = help.split(|c: char| !c.is_alphanumeric() && c != '-').map(str::to_owned);
        flags.extend(words.filter(|word| word.starts_with("--") && word.len() > 2));
    }
    assert!(names.contains("query") && flags.contains("--exclude-label"), "{names:?} {flags:?}");
    (names, flags)
}

#[test]
fn manual_pages_name_every_subcommand_flag_and_key() {
    let directory = Directory::new();
    let out = directory.join("man");
    let manual = root().join("packaging/manual");
    ok(&Command::new(manual).arg(env!("CARGO_BIN_EXE_narvi")).arg(&out).output().unwrap());
    let page = |name: &str| fs::read_to_string(out.join(name)).unwrap().replace("\\-", "-");
    let (names, flags) = words();
    let commands = page("narvi.1");
    for word in names.iter().map(|name| format!(".Ss narvi {name}")).chain(flags) {
        // `--help` itself stands in the overview only, and `--version`.
        assert!(["--help", "--version"].contains(&word.as_str()) || commands.contains(&word), "{word}: {commands}");
    }
    let keys = page("narvi.toml.5");
    for line in read("config.example.toml").lines() {
        if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ")
            && !line.starts_with("#  ")
        {
            assert!(keys.contains(&format!(".It Li {key} = ")), "{key}: {keys}");
        }
    }
    match program("mandoc") {
        Some(mandoc) => {
            let pages = ["narvi.1", "narvi.toml.5"].map(|name| out.join(name));
            ok(&Command::new(mandoc).args(["-Tlint", "-Wwarning"]).args(pages).output().unwrap());
        }
        None => skip("the syntax of the manual pages", "mandoc is not installed"),
    }
}

#[test]
fn completions_know_every_subcommand_and_flag() {
    let directory = Directory::new();
    let (names, flags) = words();
    for shell in ["bash", "zsh", "fish"] {
        let text = narvi(&["completions", shell]);
        for name in &names {
            assert!(text.contains(name), "{shell}: {name}");
        }
        for flag in flags.iter().filter(|flag| *flag != "--help") {
            let spelling = if shell == "fish" { format!("-l {}", &flag[2..]) } else { flag.clone() };
            assert!(text.contains(&spelling), "{shell}: {flag}");
        }
        let file = directory.write(shell, text);
        match program(shell) {
            Some(shell) => _ = ok(&Command::new(shell).arg("-n").arg(file).output().unwrap()),
            None => skip("the syntax of completions", &format!("{shell} is not installed")),
        }
    }
    let Some(bash) = program("bash") else { return };
    for (words, expected) in [
        ("narvi la", "labels"),
        ("narvi query --inst", "--instant"),
        ("narvi query -o j", "jsonl"),
        ("narvi --conf", "--config"),
    ] {
        let script = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _narvi; echo ${{COMPREPLY[*]}}",
            directory.join("bash").display()
        );
        assert_eq!(ok(&Command::new(&bash).args(["-c", &script]).output().unwrap()).trim(), expected, "{words}");
    }
}

/// Names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let prefixes = ["loki_", "narvi_", "collector_", "promtail_", "process_"];
    let names = words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)));
    names
        .map(|name| ["_bucket", "_count", "_sum"].iter().fold(name, |name, end| name.trim_end_matches(end)).to_owned())
        .collect()
}

/// What a dashboard or an alert asks for is there, and what is there is explained.
#[test]
fn every_metric_is_documented_and_those_of_the_dashboard_exist() {
    let directory = Directory::new();
    let log = directory.write("app.log", "line\n");
    let narvi = Narvi::start_with(
        &directory,
        &format!("[[scrape_configs]]\njob_name = 'app'\npaths = ['{}']\n", log.display()),
    );
    narvi.lines_once("{job=\"app\"}", 1);
    narvi.push(&[Stream::new(&[("app", "a")]).with(now_ns(), "line")]);
    // The numbers of a job are shown at the end of the round in which its first line was stored.
    let page = eventually("the collector's numbers", || {
        Some(narvi.get("/metrics", &[]).text()).filter(|page| page.contains("collector_entries_total"))
    });
    let there: BTreeSet<_> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).map(str::to_owned).collect();
    assert!(there.contains("loki_request_duration_seconds"), "{there:?}");
    let documented = metrics(&read("docs/operations.md"));
    let silent: Vec<_> = there.difference(&documented).collect();
    assert!(silent.is_empty(), "docs/operations.md does not explain {silent:?}");
    // This one is there only while a file is behind.
    let there: BTreeSet<_> = there.into_iter().chain(["collector_lag_bytes".to_owned()]).collect();
    for file in ["packaging/grafana/narvi.json", "packaging/grafana/alerts.yaml"] {
        let asked = metrics(&read(file));
        let missing: Vec<_> = asked.difference(&there).collect();
        assert!(asked.len() > 5 && missing.is_empty(), "{file}: {missing:?}");
    }
    let dashboard: serde_json::Value = serde_json::from_str(&read("packaging/grafana/narvi.json")).unwrap();
    assert_eq!(dashboard["title"], "Narvi");
    let Some(promtool) = program("promtool") else {
        return skip("the alert rules", "promtool is not installed");
    };
    let rules = root().join("packaging/grafana/alerts.yaml");
    ok(&Command::new(promtool).args(["check", "rules"]).arg(rules).output().unwrap());
}

#[test]
fn the_unit_has_few_rights() {
    let Some(analyze) = program("systemd-analyze") else {
        return skip("the rights of the unit", "systemd-analyze is not installed");
    };
    let unit = root().join("systemd/narvi.service");
    let mut command = Command::new(analyze);
    // In tenths: at most 2.0.
    let output =
        command.args(["security", "--offline=true", "--threshold=20", "--no-pager"]).arg(unit).output().unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("Unknown option") {
        return skip("the rights of the unit", "systemd-analyze is too old");
    }
    ok(&output);
}

/// Commands of the documents: the lines of indented blocks that begin with `narvi` or `curl`, with their continuations.
fn commands(document: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in read(document).lines() {
        let Some(line) = line.strip_prefix("    ").map(str::trim) else {
            goes_on = false;
            continue;
        };
        if goes_on && let Some(last) = commands.last_mut() {
            last.push('\n');
            last.push_str(line);
        } else if line.starts_with("narvi ") || line.starts_with("curl ") {
            commands.push(line.to_owned());
        } else {
            continue;
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// What the documents tell to type works as it stands, against a server with data; but for what never ends, and for the
/// usage with its placeholders.
#[test]
fn commands_of_the_documents_work() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let labels = [("job", "varlogs"), ("filename", "/var/log/syslog"), ("app", "demo")];
    narvi.push(&[Stream::new(&labels).with(now_ns() - 1000, "an error")]);
    let bin = Path::new(env!("CARGO_BIN_EXE_narvi")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let url = format!("http://{}", narvi.address());
    let mut run = 0;
    for document in ["README.md", "docs/install.md", "docs/migrating.md", "docs/operations.md"] {
        for command in commands(document) {
            let is_usage = command.contains(['[', '…']) && !command.contains("curl")
                || command
                    .split_whitespace()
                    .any(|word| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase()))
                || command.contains("  ");
            if is_usage || command.starts_with("narvi tail") {
                continue;
            }
            if command.starts_with("curl") && program("curl").is_none() {
                skip(document, "curl is not installed");
                continue;
            }
            let script = command.replace("http://127.0.0.1:3100", &url);
            let mut shell = Command::new("sh");
            shell.args(["-ec", &script]).env("PATH", &path).env("NARVI_URL", &url).current_dir(PathBuf::from(root()));
            let output = shell.output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{document}: {command}: {text}");
            let stdout = String::from_utf8_lossy(&output.stdout);
            assert!(!command.starts_with("curl") || !stdout.contains("error\":"), "{document}: {command}: {stdout}");
            run += 1;
        }
    }
    assert!(run >= 8, "only {run} commands were found");
    eventually("the pushed line", || (narvi.lines("{app=\"demo\"}").len() > 1).then_some(()));
}
