//! The jobs, `[[scrape_configs]]`, and their groups, `[[scrape_configs.static_configs]]`. Each set of paths becomes a
//! [`Job`] of its own; those of one table share its name.

use std::{collections::HashMap, ops::Range, path::PathBuf, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    SECTIONS, docker,
    env::Environment,
    journal,
    keys::{Key, Kind, NO_LIMIT, size},
    labels, relabel,
    report::{Problem, line_number},
    section::{Document, Section, Text},
    stages::{self, Known, not_an_expression},
    syslog,
};
use crate::collect::{
    Encoding, Job, Pattern, StartAt, TimestampSource, Watch,
    source::{SourceJob, SourceKind},
    stage::{Expression, Stage},
};
use crate::ingest;
use crate::labels::LabelSet;

pub(super) const KEYS: &[Key] = &[
    Key::shown("job_name", Kind::Text, r#""varlogs""#, "required and unique; the label `job` unless labels.job is set"),
    Key::shown(
        "paths",
        Kind::Texts,
        r#"["/var/log/*log", "/var/log/messages"]"#,
        "absolute patterns: * ? [a-z] {a,b} and /**/",
    ),
    Key::new("exclude", Kind::Texts, "[]", "patterns of files that are left out"),
    Key::new("default_excludes", Kind::Flag, "true", "leave out archives, rotated copies, wtmp, journal files"),
    Key::new("hidden", Kind::Flag, "false", "match names that begin with a dot"),
    Key::new("labels", Kind::Labels, "{}", "of every stream of the job"),
    Key::new("path_labels", Kind::Text, "''", "named groups, matched to the path from its start, become labels"),
    Key::new("format", Kind::Choice(FORMATS), r#""plain""#, "of the lines; auto: docker or cri, if the first line is"),
    Key::new("encoding", Kind::Choice(ENCODINGS), r#""utf-8""#, "of the files"),
    Key::new("binary", Kind::Choice(&["skip", "text"]), r#""skip""#, "files that hold bytes no text has"),
    Key::new("start_at", Kind::Choice(&["beginning", "end"]), r#""beginning""#, "in files present at the first run"),
    Key::new(
        "ignore_older",
        Kind::Text,
        r#""retention""#,
        "do not open files last changed longer ago; \"0\": open all",
    ),
    Key::new(
        "backlog_limit",
        size(1, NO_LIMIT),
        r#""0""#,
        "at the first run read at most this from the end of each file",
    ),
    Key::new(
        "timestamp",
        Kind::Choice(&["auto", "read"]),
        r#""auto""#,
        "from a line's start where known, or the time of reading",
    ),
    Key::new("location", Kind::Text, r#""Local""#, "zone of times that carry none, as in \"Europe/Berlin\""),
    Key::new("watch", Kind::Choice(&["auto", "inotify", "poll"]), r#""auto""#, "how growth is noticed"),
    Key::new("drop_empty", Kind::Flag, "false", "do not store empty lines"),
    Key::new("allow_overlap", Kind::Flag, "false", "take files that an earlier job has as well"),
    Key::new("unless_exists", Kind::Texts, "[]", "skip the job while one of these paths exists"),
    Key::new("pipeline_stages", Kind::Tables, "[]", "what happens to each line: see docs/collecting.md"),
    Key::new("relabel_configs", Kind::Tables, "[]", "rules for the labels of each file, and which are left out"),
    Key::shown("docker", Kind::Table, "", "the files of Docker's containers instead of `paths`"),
    Key::shown("journal", Kind::Table, "", "the journal of systemd instead of files"),
    Key::shown("syslog", Kind::Table, "", "what is sent by the syslog protocol instead of files"),
    Key::new("static_configs", Kind::Tables, "[]", "more groups, each with paths, exclude and labels of its own"),
];

pub(super) const GROUP_KEYS: &[Key] = &[
    Key::shown("paths", Kind::Texts, r#"["/srv/app/*.log"]"#, "patterns; promtail's labels.__path__ does as well"),
    Key::new("exclude", Kind::Texts, "[]", "besides those of the job"),
    Key::new("labels", Kind::Labels, "{}", "besides those of the job, which they outrank"),
    Key::shown("path_labels", Kind::Text, "", "instead of that of the job"),
    Key::new("targets", Kind::Texts, "[]", "promtail's; has no effect"),
];

const FORMATS: &[&str] = &["plain", "docker", "cri", "auto"];

const ENCODINGS: &[&str] = &["utf-8", "utf-16", "utf-16le", "utf-16be", "windows-1252"];

/// Endings of names that no default job reads, because the files are archives.
const ARCHIVES: &[&str] = &[".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip"];

/// What the jobs depend on in the other sections.
pub(super) struct Surroundings<'a> {
    pub(super) retention: Option<Duration>,
    pub(super) limits: &'a ingest::Limits,
}

/// Reads all jobs of `root`, in order of the file.
pub(super) fn read(root: &Section<'_>, surroundings: &Surroundings<'_>) -> (Vec<Job>, Vec<SourceJob>) {
    let (mut jobs, mut sources) = (Vec::new(), Vec::new());
    let mut first_uses: HashMap<String, Range<usize>> = HashMap::new();
    for (span, table) in root.tables("scrape_configs") {
        let section = Section::new(root.document, "in [[scrape_configs]]", KEYS, Some(table));
        let is_source = ["journal", "syslog"].iter().any(|key| section.value(key).is_some());
        if let Some(name) = read_name(&section, &span) {
            match first_uses.get(&name.value) {
                Some(first) => root.document.report(used_twice(root.document, &name, first)),
                None => drop(first_uses.insert(name.value.clone(), name.span.clone())),
            }
            if is_source {
                sources.extend(read_source(&section, name, surroundings));
            } else {
                jobs.append(&mut read_job(&section, name, &span, surroundings));
            }
        } else if is_source {
            read_source(&section, Text::default(), surroundings);
        } else {
            // Read all the same, for what else is wrong; there is an error, so nobody gets to see the name.
            read_job(&section, Text::default(), &span, surroundings);
        }
    }
    (jobs, sources)
}

/// What the default jobs have behind the first: hosts without a syslog daemon log to the journal only.
pub(super) const JOURNAL_JOB: &str = "\
[[scrape_configs]]
job_name = \"journal\"
unless_exists = [\"/var/log/syslog\", \"/var/log/messages\"]
[scrape_configs.journal]
";

/// The jobs of a configuration that says nothing about them: what `config.example.toml` shows.
pub(super) fn read_default(environment: &Environment, surroundings: &Surroundings<'_>) -> (Vec<Job>, Vec<SourceJob>) {
    let mut source = "[[scrape_configs]]\n".to_owned();
    for key in KEYS.iter().filter(|key| key.default.is_none() && !key.shown.is_empty()) {
        source.extend([key.name, " = ", key.shown, "\n"]);
    }
    source.push_str(JOURNAL_JOB);
    let document = Document::new(&source, environment);
    let (table, _) = DeTable::parse_recoverable(&source);
    let root = Section::new(&document, "", SECTIONS, Some(table.get_ref()));
    read(&root, surroundings)
}

/// The name, which must be there.
fn read_name(section: &Section<'_>, span: &Range<usize>) -> Option<Text> {
    if section.value("job_name").is_none() {
        let problem = Problem::error(span.clone(), "this job has no `job_name`");
        section.document.report(problem.hint("the name becomes the label `job`; write `job_name = \"...\"`"));
        return None;
    }
    section.parsed("job_name", |text| match text.value.as_str() {
        "" => Err(Problem::error(text.span.clone(), "the job's name is empty")),
        _ => Ok(text.clone()),
    })
}

fn used_twice(document: &Document<'_>, name: &Text, first: &Range<usize>) -> Problem {
    let line = line_number(document.source, first.start);
    Problem::error(name.span.clone(), format!("job name `{}` is used twice, first at line {line}", name.value))
        .hint("job names are the value of the label `job`; rename one, or make both groups of one job: [[scrape_configs.static_configs]]")
}

/// The jobs of one table: one for its own paths, and one for each group.
fn read_job(section: &Section<'_>, name: Text, span: &Range<usize>, surroundings: &Surroundings<'_>) -> Vec<Job> {
    let labels = labels::read(section, surroundings.limits).pairs;
    let document = section.document;
    let paths = section.texts("paths");
    let mut job = Job {
        name: name.value,
        paths: patterns(document, &paths),
        exclude: patterns(document, &section.texts("exclude")),
        default_excludes: section.flag("default_excludes"),
        hidden: section.flag("hidden"),
        labels: LabelSet::new(labels.clone()),
        encoding: match section.choice("encoding") {
            "utf-16" => Encoding::Utf16,
            "utf-16le" => Encoding::Utf16Le,
            "utf-16be" => Encoding::Utf16Be,
            "windows-1252" => Encoding::Windows1252,
            _ => Encoding::Utf8,
        },
        binary_as_text: section.choice("binary") == "text",
        start_at: if section.choice("start_at") == "end" { StartAt::End } else { StartAt::Beginning },
        ignore_older: section.read("ignore_older", |value| ignore_older(section, value, surroundings)).flatten(),
        backlog_limit: section.size_or_off("backlog_limit"),
        timestamp: if section.choice("timestamp") == "read" { TimestampSource::Read } else { TimestampSource::Auto },
        location: section.parsed("location", location).flatten(),
        watch: match section.choice("watch") {
            "inotify" => Watch::Inotify,
            "poll" => Watch::Poll,
            _ => Watch::Auto,
        },
        drop_empty: section.flag("drop_empty"),
        allow_overlap: section.flag("allow_overlap"),
        path_labels: path_labels(section),
        container: None,
        relabel: relabel::read(section, INTERNAL),
        stages: stages(section),
        unless_exists: unless_exists(section),
    };
    if let Some(value) = section.value("docker") {
        if let Some(table) = document.table(value, "a table") {
            let (pattern, container) = docker::read(document, table);
            job.paths.push(pattern);
            job.container = Some(container);
        }
        if let Some(other) = ["paths", "static_configs"].into_iter().find(|key| section.says(key)) {
            let what = format!("the job has two sources, `docker` and `{other}`");
            document.report(Problem::error(value.span(), what).hint("make a job of each"));
        }
    }
    warn_of_archives(document, &paths, job.default_excludes);
    check_label_count(section, &job.labels, surroundings.limits);
    let mut jobs = Vec::new();
    for (group_span, table) in section.tables("static_configs") {
        jobs.push(read_group(document, &job, &labels, (&group_span, table), surroundings));
    }
    if section.says("paths") || section.says("docker") {
        jobs.insert(0, job);
    } else if !section.says("static_configs") {
        document.report(without_source(section.span("paths").unwrap_or_else(|| span.clone())));
    }
    jobs
}

/// Keys of jobs that read no files.
const SOURCE_KEYS: &[&str] =
    &["job_name", "labels", "location", "pipeline_stages", "relabel_configs", "unless_exists", "journal", "syslog"];

/// A job that reads no files.
fn read_source(section: &Section<'_>, name: Text, surroundings: &Surroundings<'_>) -> Option<SourceJob> {
    let document = section.document;
    let keys = ["journal", "syslog"].into_iter().filter_map(|key| Some((key, section.value(key)?)));
    let (source, value) = keys.min_by_key(|(_, value)| value.span().start)?;
    for key in KEYS.iter().filter(|key| !SOURCE_KEYS.contains(&key.name)) {
        if let Some(span) = section.span(key.name).filter(|_| section.says(key.name)) {
            let what = format!("`{}` has no meaning for a job that reads `{source}`", key.name);
            document.report(Problem::error(span, what).hint("it is for files: make a job of each source"));
        }
    }
    if section.value("journal").is_some() && section.value("syslog").is_some() {
        let what = "the job has two sources, `journal` and `syslog`";
        document.report(Problem::error(value.span(), what).hint("make a job of each"));
    }
    let (table, internal) = (document.table(value, "a table")?, format!("__{source}_"));
    let kind = match source {
        "journal" => Some(SourceKind::Journal(journal::read(document, table, surroundings.retention))),
        _ => syslog::read(document, table, value.span()).map(SourceKind::Syslog),
    };
    // What a source brings besides labels is not known to the reader of stages.
    let stages = stages::read(section, None, Known::default().anything(true));
    if let Some(span) = section.span("pipeline_stages").filter(|_| source == "syslog" && waits(&stages)) {
        let problem = Problem::error(span, "`limit` cannot wait here: nobody keeps what is sent meanwhile");
        document.report(problem.hint("add `drop = true` to the stage"));
    }
    let labels = LabelSet::new(labels::read(section, surroundings.limits).pairs);
    let relabel = relabel::read(section, &[internal.as_str()]);
    let location = section.parsed("location", location).flatten();
    let unless_exists = unless_exists(section);
    Some(SourceJob { name: name.value, labels, relabel, stages, location, unless_exists, kind: kind? })
}

/// Whether a stage makes its source wait.
fn waits(stages: &[Stage]) -> bool {
    stages.iter().any(|stage| match stage {
        Stage::Limit(limit) => !limit.drop,
        Stage::Match(inner) => waits(&inner.stages),
        _ => false,
    })
}

fn without_source(span: Range<usize>) -> Problem {
    Problem::error(span, "this job has no source").hint("write `paths = [\"/var/log/...\"]`")
}

/// One group: a job with paths of its own, and what else the job has.
fn read_group(
    document: &Document<'_>,
    job: &Job,
    job_labels: &[(String, String)],
    (span, table): (&Range<usize>, &DeTable<'_>),
    surroundings: &Surroundings<'_>,
) -> Job {
    let section = Section::new(document, "in [[scrape_configs.static_configs]]", GROUP_KEYS, Some(table));
    let literal = labels::read_with_paths(&section, surroundings.limits);
    let mut group = job.clone();
    group.labels = LabelSet::new([job_labels, &literal.pairs].concat());
    let paths = section.texts("paths");
    group.paths = patterns(document, &paths);
    group.paths.extend(literal.path.iter().filter_map(|text| pattern(document, text)));
    group.exclude.extend(patterns(document, &section.texts("exclude")));
    group.exclude.extend(literal.path_exclude.iter().filter_map(|text| pattern(document, text)));
    if section.value("path_labels").is_some() {
        group.path_labels = path_labels(&section);
    }
    section.texts("targets"); // read for its mistakes
    if !literal.has_path && !section.says("paths") {
        document.report(without_source(section.span("paths").unwrap_or_else(|| span.clone())));
    }
    warn_of_archives(document, &paths, job.default_excludes);
    check_label_count(&section, &group.labels, surroundings.limits);
    group
}

/// The patterns of a list; what is wrong is recorded and left out.
fn patterns(document: &Document<'_>, texts: &[Text]) -> Vec<String> {
    texts.iter().filter_map(|text| pattern(document, text)).collect()
}

fn pattern(document: &Document<'_>, text: &Text) -> Option<String> {
    match Pattern::parse(&text.value) {
        Ok(pattern) => {
            for fault in pattern.warnings() {
                document.report(Problem::warning(text.character(fault.column), &*fault.what).hint(&*fault.hint));
            }
            Some(text.value.clone())
        }
        Err(fault) => {
            document.report(Problem::error(text.character(fault.column), fault.what).hint(fault.hint));
            None
        }
    }
}

/// Patterns that match nothing but what `default_excludes` leaves out.
fn warn_of_archives(document: &Document<'_>, texts: &[Text], default_excludes: bool) {
    for text in texts {
        if default_excludes && ARCHIVES.iter().any(|ending| text.value.ends_with(ending)) {
            let what = format!("`{}` matches archives only; they are not read", text.value);
            document.report(Problem::warning(text.span.clone(), what));
        }
    }
}

/// A stream has these labels, `filename`, and `job` if it is not among them.
fn check_label_count(section: &Section<'_>, set: &LabelSet, limits: &ingest::Limits) {
    let count = set.len() + 1 + usize::from(set.get("job").is_none());
    if let Some(span) = section.span("labels").filter(|_| labels::exceeds(count, limits.max_label_names_per_series)) {
        let max = limits.max_label_names_per_series;
        let what = format!("{count} labels with `job` and `filename`; `max_label_names_per_series` is {max}");
        section.document.report(Problem::error(span, what));
    }
}

/// A duration, zero for never, or the word `retention`.
fn ignore_older(
    section: &Section<'_>,
    value: &Spanned<DeValue<'_>>,
    surroundings: &Surroundings<'_>,
) -> Result<Option<Duration>, Problem> {
    if value.get_ref().as_str() == Some("retention") {
        return Ok(surroundings.retention);
    }
    let age = section.bounded_duration("ignore_older", value).map_err(|problem| match value.get_ref() {
        DeValue::String(_) if !problem.hint.is_empty() => {
            problem.hint("write a duration, as in \"30d\", or \"retention\"")
        }
        _ => problem,
    })?;
    if let Some(retention) = surroundings.retention.filter(|retention| age > *retention) {
        let what = "longer than `retention` in [store]: older lines are dropped as soon as they are read";
        let retention = super::units::format_duration(retention);
        section.document.report(Problem::warning(value.span(), what).label(format!("retention is {retention}")));
    }
    Ok(Some(age).filter(|age| !age.is_zero()))
}

/// The name of a zone, or `Local` for the host's.
fn location(text: &Text) -> Result<Option<String>, Problem> {
    if text.value == "Local" {
        return Ok(None);
    }
    match jiff::tz::TimeZone::get(&text.value) {
        Ok(_) => Ok(Some(text.value.clone())),
        Err(_) => Err(Problem::error(text.span.clone(), format!("unknown time zone `{}`", text.value))
            .hint("write a name as in \"Europe/Berlin\", \"UTC\" or \"Local\"; names are in /usr/share/zoneinfo")),
    }
}

/// The labels that rules of files see besides the job's.
const INTERNAL: &[&str] = &["__path__", "__file__", "__dir__", "__meta_symlink_target"];

/// The expression for the labels in a path; it has to match from the path's start on.
fn path_labels(section: &Section<'_>) -> Option<Expression> {
    let text = section.parsed("path_labels", |text| Ok(text.clone()))?;
    if text.value.is_empty() {
        return None;
    }
    let problem = match Expression::new(&format!("^(?:{})", text.value)) {
        Ok(expression) if expression.groups().1 > 0 => {
            if let Some(name) = expression.names().find(|name| !LabelSet::is_name(name) || name.starts_with("__")) {
                section.document.report(Problem::error(text.span, format!("`{name}` is not a label name")));
            }
            return Some(expression);
        }
        Ok(_) => Problem::error(text.span, "the expression has no named group, so that there is no label")
            .hint("name a part of the path: (?P<name>[^/]+)"),
        // What is wrong is said of the expression as it was written.
        Err(error) => not_an_expression(&text, &Expression::new(&text.value).err().unwrap_or(error)),
    };
    section.document.report(problem);
    None
}

/// What happens to each line: the format of the file, then the stages.
fn stages(section: &Section<'_>) -> Vec<Stage> {
    let format = match section.choice("format") {
        "plain" if section.value("docker").is_some() => Some(Stage::Docker),
        "docker" => Some(Stage::Docker),
        "cri" => Some(Stage::Cri),
        "auto" => Some(Stage::Container),
        _ => None,
    };
    let names = |key: &str| {
        let tables = section.value(key).and_then(|value| value.get_ref().as_table());
        tables.into_iter().flat_map(|table| table.keys()).map(|name| name.get_ref().to_string()).collect::<Vec<_>>()
    };
    let stream = format.as_ref().map(|_| "stream");
    let own = ["job", "filename"].into_iter().chain(stream).map(str::to_owned).chain(names("labels"));
    // Groups, paths and rules give labels as well.
    let more = ["path_labels", "relabel_configs", "static_configs", "docker"].iter().any(|key| section.says(key));
    let known = Known::new(own).anything(more || matches!(format, Some(Stage::Docker | Stage::Container)));
    stages::read(section, format.as_ref(), known)
}

fn unless_exists(section: &Section<'_>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for text in section.texts("unless_exists") {
        if text.value.starts_with('/') {
            paths.push(PathBuf::from(text.value));
        } else {
            let what = format!("`{}` is not an absolute path", text.value);
            section.document.report(Problem::error(text.span, what));
        }
    }
    paths
}
