//! `config.example.toml`: made of the tables of keys, and held to them.

use std::fmt::Write;

use super::{
    Config, Environment, KEYS_OF, SECTIONS,
    keys::{Key, Kind, Zero},
};

/// Where the reasons begin, so that they stand below each other.
const WHY_COLUMN: usize = 44;

const HEAD: &str = "\
# Every key with its default. A line that begins with `# name =` is such a default: remove the `#` to change it.
# Durations: ns us ms s m h d w, as in \"1h30m\". Sizes: KiB MiB GiB (KB MB GB mean the same), or plain bytes.
# In strings ${NAME} and ${NAME:-default} are environment variables; $${ is a literal ${.
# `narvi check --config FILE` shows every mistake; SIGHUP takes over [collect], the jobs and log_level.
";

const TAIL: &str = "
# Groups share everything but paths, exclude and labels:
#
#     [[scrape_configs]]
#     job_name = \"app\"
#     [[scrape_configs.static_configs]]
#     paths = [\"/srv/app/*.log\"]
#     labels = { team = \"edge\" }
#     [[scrape_configs.static_configs]]
#     labels = { __path__ = \"/opt/*/out.txt\", __path_exclude__ = \"/opt/old/*\" }   # promtail's form
#
# Docker's containers under their names, and what devices send by syslog (see docs/collecting.md):
#
#     [[scrape_configs]]
#     job_name = \"docker\"
#     [scrape_configs.docker]
#     [[scrape_configs]]
#     job_name = \"devices\"
#     [scrape_configs.syslog]
#     listen_address = \"192.168.1.1:1514\"
";

/// The text that the file must have.
fn generate() -> String {
    let mut text = HEAD.to_owned();
    let mut sections = SECTIONS.iter();
    for (header, keys) in KEYS_OF {
        let name = header.trim_matches(['[', ']']);
        // A list that is empty by default is shown as what would stand in it.
        let is_list = name.contains('.');
        if is_list {
            writeln!(text, "#\n#     {header}").unwrap();
        } else {
            let section = sections.next().unwrap();
            assert_eq!(name, section.name);
            writeln!(text, "\n# {}\n{header}", section.why).unwrap();
        }
        for key in keys.iter().filter(|key| !key.shown.is_empty()) {
            // A key without default that the section cannot do without is what the default job has.
            let is_default_job = *header == "[[scrape_configs]]" && key.default.is_none();
            let mark = if is_default_job {
                ""
            } else if is_list {
                "#     "
            } else {
                "# "
            };
            write_key(&mut text, key, mark);
        }
    }
    let (head, table) = ("\n# Hosts without a syslog daemon log to the journal only.\n", super::jobs::JOURNAL_JOB);
    text.extend([head, table]);
    for key in super::journal::KEYS {
        write_key(&mut text, key, "# ");
    }
    text + TAIL
}

/// A key with its default behind `mark`, which says that it is not set.
fn write_key(text: &mut String, key: &Key, mark: &str) {
    let line = format!("{mark}{} = {}", key.name, key.shown);
    let why = why(key);
    if line.len() < 100 {
        writeln!(text, "{line:<WHY_COLUMN$} # {why}").unwrap();
    } else {
        writeln!(text, "#{:WHY_COLUMN$}# {why}\n{line}", "").unwrap();
    }
}

/// The reason, with what else may stand there.
fn why(key: &Key) -> String {
    match &key.kind {
        Kind::Choice(words) => format!("{}: {}", key.why, words.join(" | ")),
        Kind::Duration { zero: Zero::Means(meaning), .. } | Kind::Size { zero: Zero::Means(meaning), .. } => {
            format!("{}; \"0\": {meaning}", key.why)
        }
        _ => key.why.to_owned(),
    }
}

/// Removes the `# ` in front of `name =`.
fn uncommented(text: &str) -> String {
    let is_key = |line: &&str| {
        let name = line.split(" = ").next().unwrap_or_default();
        line.contains(" = ") && !name.is_empty() && name.bytes().all(|b| b == b'_' || b.is_ascii_lowercase())
    };
    text.lines().map(|line| line.strip_prefix("# ").filter(is_key).unwrap_or(line).to_owned() + "\n").collect()
}

/// Everything the text says, as text, because not every room's options can be compared.
fn read(text: &str) -> String {
    let environment = Environment { is_root: true, ..Environment::default() };
    match Config::parse("config.example.toml", text, &environment) {
        Ok(config) => {
            assert!(config.warnings.is_empty(), "{}", config.warnings);
            format!("{:#?}", Config { warnings: super::Report::default(), shown: String::new(), ..config })
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_example_is_up_to_date() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, generate()).unwrap();
    }
    let text = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(text, generate(), "`UPDATE=1 cargo test` writes config.example.toml anew");
}

#[test]
fn the_example_is_the_defaults() {
    let defaults = read("");
    assert_eq!(read(&generate()), defaults);
    assert_eq!(read(&uncommented(&generate())), defaults);
}

#[test]
fn the_example_has_every_key() {
    let text = uncommented(&generate());
    let table: toml::Table = text.parse().unwrap();
    for (header, keys) in KEYS_OF {
        let name = header.trim_matches(['[', ']']);
        if name.contains('.') {
            let (_, shown) = text.split_once(&format!("\n#     {header}\n")).unwrap();
            let shown: String =
                shown.lines().map_while(|line| line.strip_prefix("#     ")).flat_map(|line| [line, "\n"]).collect();
            let shown: toml::Table = shown.parse().unwrap();
            assert!(keys.iter().all(|key| shown.contains_key(key.name)), "{header}");
            continue;
        }
        let section = match &table[name] {
            toml::Value::Array(list) => list[0].as_table(),
            value => value.as_table(),
        };
        for key in keys.iter().filter(|key| !key.shown.is_empty()) {
            assert!(section.unwrap().contains_key(key.name), "{header} {}", key.name);
        }
    }
}

/// A default that the reader refuses would silently become zero.
#[test]
fn every_default_can_be_read() {
    for (header, keys) in KEYS_OF {
        for key in keys.iter().filter(|key| key.default.is_some()) {
            let job = if *header == "[[scrape_configs]]" { "job_name = \"a\"\npaths = [\"/a\"]\n" } else { "" };
            read(&format!("{header}\n{job}{} = {}\n", key.name, key.shown));
        }
    }
}
