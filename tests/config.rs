//! What `narvi` makes of configuration files. Each `tests/config/*.toml` has beside it, as `*.expected`, what the
//! operator reads about it: errors, or "ok" and the warnings. `UPDATE=1 cargo test` writes them anew; read the diff.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use log::LevelFilter;
use narvi::collect::{Encoding, Job, StartAt, TimestampSource, Watch};
use narvi::config::{Config, Environment, NEVER};
use narvi::store::FreeDisk;

fn environment() -> Environment {
    let variables = [("SITE", "north"), ("LOGS", "/srv/logs"), ("HOME", "/home/u")];
    Environment {
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect(),
        host_name: "box".to_owned(),
        is_root: false,
    }
}

fn parse(source: &str) -> Config {
    Config::parse("config.toml", source, &environment()).unwrap_or_else(|error| panic!("{error}"))
}

fn labels(job: &Job) -> String {
    job.labels.to_string()
}

#[test]
fn goldens() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut sources: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    sources.sort();
    assert!(!sources.is_empty());
    let mut differing = Vec::new();
    for path in sources {
        let source = fs::read_to_string(&path).unwrap();
        let text = match Config::parse("config.toml", &source, &environment()) {
            Ok(config) if config.warnings.is_empty() => "ok\n".to_owned(),
            Ok(config) => format!("ok\n{}\n", config.warnings),
            Err(error) => format!("{error}\n"),
        };
        let golden = path.with_extension("expected");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&golden, &text).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != text {
            differing.push(format!("{}:\n{text}", golden.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn nothing_means_the_defaults() {
    let config = parse("");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:3100");
    assert_eq!(config.server.http, narvi::server::http::Limits::default());
    assert_eq!(config.log_level, LevelFilter::Info);
    assert_eq!(config.store.path, Path::new("/home/u/.local/state/narvi"));
    assert_eq!(config.store.retention, Some(Duration::from_hours(720)));
    assert_eq!(config.store.retention_size, Some(1 << 30));
    assert_eq!(config.store.free_disk_min, Some(FreeDisk::Percent(5.0)));
    assert_eq!(config.store.commit_interval, Duration::from_secs(5));
    assert_eq!(config.ingest, narvi::ingest::Limits::default());
    assert_eq!(config.query, narvi::query::Limits::default());
    assert_eq!(config.collect.store_path, config.store.path);
    assert!(config.collect.labels.is_empty());
    assert_eq!(
        config.collect.jobs,
        [Job {
            name: "varlogs".to_owned(),
            paths: vec!["/var/log/*log".to_owned(), "/var/log/messages".to_owned()],
            exclude: Vec::new(),
            default_excludes: true,
            hidden: false,
            labels: narvi::labels::LabelSet::default(),
            encoding: Encoding::Utf8,
            binary_as_text: false,
            start_at: StartAt::Beginning,
            ignore_older: Some(Duration::from_hours(720)),
            backlog_limit: None,
            timestamp: TimestampSource::Auto,
            location: None,
            watch: Watch::Auto,
            drop_empty: false,
            allow_overlap: false,
            path_labels: None,
            container: None,
            relabel: Vec::new(),
            stages: Vec::new(),
            unless_exists: Vec::new(),
        }]
    );
}

#[test]
fn an_empty_list_of_jobs_means_none() {
    assert!(parse("scrape_configs = []").collect.jobs.is_empty());
    assert_eq!(parse("[collect]").collect.jobs.len(), 1);
}

#[test]
fn zero_switches_bounds_off() {
    let config = parse(
        r#"
        store = { retention = "0", retention_size = 0, free_disk_min = "0%", commit_interval = "0" }
        [limits]
        max_line_size = "0"
        max_entries_limit_per_query = 0
        max_query_length = "0s"
        query_timeout = "0"
        push_body_max = "0"
        "#,
    );
    assert_eq!((config.store.retention, config.store.retention_size, config.store.free_disk_min), (None, None, None));
    assert_eq!(config.store.commit_interval, Duration::ZERO);
    assert_eq!(config.ingest.max_line_size, 0);
    assert_eq!(config.query.max_entries_limit_per_query, usize::MAX);
    assert_eq!(config.query.max_query_length_ns, i64::MAX);
    assert_eq!(config.query.query_timeout, NEVER);
    assert_eq!(config.server.push_body_bytes_max, u64::MAX);
    // "retention", the default, follows the store's.
    assert_eq!(config.collect.jobs[0].ignore_older, None);
}

#[test]
fn every_group_becomes_a_job() {
    let config = parse(
        r#"
        collect = { labels = { host = "%H", site = "${SITE}", zone = "${ZONE:-z1}", raw = "$${SITE}" } }
        [[scrape_configs]]
        job_name = "app"
        paths = ["${LOGS}/own.log"]
        exclude = ["/srv/logs/old*"]
        labels = { team = "edge", tier = "1" }
        encoding = "utf-16le"
        ignore_older = "0"
        location = "Europe/Berlin"
        [[scrape_configs.static_configs]]
        paths = ["/a/*.log"]
        exclude = ["/a/b.log"]
        labels = { tier = "2" }
        [[scrape_configs.static_configs]]
        targets = ["localhost"]
        labels = { __path__ = "/c/*.log", __path_exclude__ = "/c/d.log", job = "c" }
        "#,
    );
    assert_eq!(config.collect.labels.to_string(), r#"{host="box", raw="${SITE}", site="north", zone="z1"}"#);
    let jobs = &config.collect.jobs;
    let rows: Vec<_> = jobs.iter().map(|job| (job.paths.join(" "), job.exclude.join(" "), labels(job))).collect();
    let expected = [
        ("/srv/logs/own.log", "/srv/logs/old*", r#"{team="edge", tier="1"}"#),
        ("/a/*.log", "/srv/logs/old* /a/b.log", r#"{team="edge", tier="2"}"#),
        ("/c/*.log", "/srv/logs/old* /c/d.log", r#"{job="c", team="edge", tier="1"}"#),
    ];
    assert_eq!(
        rows,
        expected.map(|(paths, exclude, labels)| (paths.to_owned(), exclude.to_owned(), labels.to_owned()))
    );
    for job in jobs {
        assert_eq!((job.name.as_str(), job.encoding, job.ignore_older), ("app", Encoding::Utf16Le, None));
        assert_eq!(job.location.as_deref(), Some("Europe/Berlin"));
    }
}

#[test]
fn an_open_address_must_be_meant() {
    let rows = [
        ("127.0.0.1:0", false, true),
        ("127.8.9.1:3100", false, true),
        ("[::1]:3100", false, true),
        ("0.0.0.0:3100", false, false),
        ("0.0.0.0:3100", true, true),
        ("[::]:3100", false, false),
        ("192.0.2.7:3100", false, false),
        ("[::ffff:127.0.0.1]:3100", false, false),
    ];
    for (listen, allow_anonymous, is_ok) in rows {
        let source = format!("server = {{ listen = \"{listen}\", allow_anonymous = {allow_anonymous} }}");
        assert_eq!(Config::parse("c", &source, &environment()).is_ok(), is_ok, "{listen} {allow_anonymous}");
    }
}

#[test]
fn a_store_needs_a_place() {
    let nowhere = Environment { variables: BTreeMap::new(), ..environment() };
    let error = Config::parse("c", "", &nowhere).unwrap_err().to_string();
    assert!(error.contains("neither XDG_STATE_HOME nor HOME"), "{error}");
    assert!(Config::parse("c", "store = { path = \"/s\" }", &nowhere).is_ok());
    let root = Environment { is_root: true, ..nowhere };
    assert_eq!(Config::parse("c", "", &root).unwrap().store.path, Path::new("/var/lib/narvi"));
}

/// What SIGHUP does: new jobs and level, or all errors and nothing else.
#[test]
fn a_reload_gives_jobs_and_level_or_all_errors() {
    let file = std::env::temp_dir().join(format!("narvi-reload-{}.toml", std::process::id()));
    fs::write(&file, "server = { log_level = 'warn' }\nscrape_configs = []\ncollect = { coalesce = '1ms' }\n").unwrap();
    let reload = Config::reload(Some(&file), &environment()).unwrap();
    fs::write(&file, "scrape_configs = [{}]\nstores = {}\n").unwrap();
    let error = Config::reload(Some(&file), &environment()).unwrap_err().to_string();
    fs::remove_file(&file).unwrap();
    assert_eq!((reload.log_level, reload.collect.jobs.len()), (LevelFilter::Warn, 0));
    assert!(reload.warnings.to_string().contains("below 10ms"));
    for what in [":1:19: this job has no `job_name`", ":1:19: this job has no source", ":2:1: unknown key `stores`"] {
        assert!(error.contains(&format!("{}{what}", file.display())), "{error}");
    }
}

/// A file that was cut anywhere gives a configuration or errors, never a panic.
#[test]
fn every_cut_file_is_answered() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut cuts = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        for (cut, _) in source.char_indices() {
            match Config::parse("config.toml", &source[..cut], &environment()) {
                Ok(config) => assert!(!config.warnings.has_errors()),
                Err(error) => assert!(error.to_string().starts_with("config.toml:"), "{error}"),
            }
            cuts += 1;
        }
    }
    assert!(cuts > 1000);
}
