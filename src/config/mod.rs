//! The configuration: one TOML file, every error in it at once, and the options that it gives to each room.
//!
//! A section is read by its table of keys, which also gives the defaults, the "did you mean" and
//! `config.example.toml`. No room sees the file, so its shape can change alone.

mod collect;
mod docker;
mod env;
#[cfg(test)]
mod example;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod jobs;
mod journal;
mod keys;
mod labels;
mod limits;
mod relabel;
mod report;
mod section;
mod server;
mod stages;
mod store;
mod suggest;
mod syslog;
mod units;
mod users;

use std::{
    collections::HashSet,
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use log::LevelFilter;
use toml::de::DeTable;

pub use env::Environment;
pub use report::Report;
pub use units::NEVER;

use self::{
    keys::{Key, Kind},
    report::Problem,
    section::{Document, Section},
};

/// The file that is read if none is named and it exists.
pub const DEFAULT_FILE: &str = "/etc/narvi/config.toml";

/// Largest file that is read. A configuration of a thousand jobs is a tenth of it.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// For the room `server`.
    pub server: crate::server::Options,
    /// For the room `store`.
    pub store: crate::store::Options,
    /// For the room `ingest`.
    pub ingest: crate::ingest::Limits,
    /// For the room `query`.
    pub query: crate::query::Limits,
    /// For the room `collect`.
    pub collect: crate::collect::Options,
    /// Whose the collected streams are; `None` if there are no tenants.
    pub collect_tenant: Option<String>,
    /// Of Narvi's own messages.
    pub log_level: LevelFilter,
    /// What is allowed but probably not meant.
    pub warnings: Report,
    /// The file; `None` if there is none and everything is as by default.
    pub file: Option<PathBuf>,
    /// The text that was read, without secrets.
    pub shown: String,
}

/// What `SIGHUP` changes in a running process.
#[derive(Clone, Debug)]
pub struct Reload {
    /// The jobs, and what holds for all of them.
    pub collect: crate::collect::Options,
    /// Of Narvi's own messages.
    pub log_level: LevelFilter,
    /// What is allowed but probably not meant.
    pub warnings: Report,
}

impl Config {
    /// Reads a file, or if none is named [`DEFAULT_FILE`] if it exists, or else takes the defaults.
    ///
    /// # Errors
    /// A file that cannot be read, and everything that is wrong with its contents.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Self, Error> {
        let default = Path::new(DEFAULT_FILE);
        let file = match file {
            Some(file) => Some(file),
            None => default.try_exists().unwrap_or(true).then_some(default),
        };
        let Some(file) = file else {
            return Self::parse("defaults", "", environment);
        };
        let config = Self::parse(&file.display().to_string(), &read_file(file)?, environment)?;
        Ok(Self { file: Some(file.to_owned()), ..config })
    }

    /// Reads a text as if it were the contents of a file of that name.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn parse(file: &str, source: &str, environment: &Environment) -> Result<Self, Error> {
        let document = Document::new(source, environment);
        let (table, mistakes) = DeTable::parse_recoverable(source);
        if !mistakes.is_empty() {
            report_syntax(&document, &mistakes);
            return Err(Error::Invalid(document.into_report(file)));
        }
        let root = Section::new(&document, "at the top level", SECTIONS, Some(table.get_ref()));
        let section = |name: &'static str, place, keys| {
            let table = root.value(name).and_then(|value| document.table(value, "a table"));
            Section::new(&document, place, keys, table)
        };
        let server = server::read(&section("server", "in [server]", server::KEYS));
        let limits = limits::read(&section("limits", "in [limits]", limits::KEYS));
        let store = store::read(&section("store", "in [store]", store::KEYS), limits.tail_queue_max);
        let surroundings = jobs::Surroundings { retention: store.retention, limits: &limits.ingest };
        let (jobs, sources) = if root.value("scrape_configs").is_some() {
            jobs::read(&root, &surroundings)
        } else {
            jobs::read_default(environment, &surroundings)
        };
        let collect = section("collect", "in [collect]", collect::KEYS);
        let collect_tenant = collect::read_tenant(&collect, server.tenants_max.is_some());
        let collect = collect::read(&collect, jobs, sources, &limits.ingest, &store);
        let shown = document.shown();
        let report = document.into_report(file);
        if report.has_errors() {
            return Err(Error::Invalid(report));
        }
        if store.path.as_os_str().is_empty() {
            return Err(Error::NoStorePath);
        }
        Ok(Self {
            server: crate::server::Options {
                listen: server.listen,
                users: server.users,
                tenants_max: server.tenants_max,
                delete_cancel_period: limits.delete_cancel_period,
                http: server.http,
                push_body_bytes_max: limits.push_body_bytes_max,
                push_decompressed_bytes_max: limits.push_decompressed_bytes_max,
                push_memory_max: limits.push_memory_max,
            },
            store,
            ingest: limits.ingest,
            query: limits.query,
            collect,
            collect_tenant,
            log_level: server.log_level,
            warnings: report,
            file: None,
            shown,
        })
    }

    /// Reads the file anew for a running process: what it may change, or everything that is wrong. The whole file is
    /// checked; the sections other than the jobs, `[collect]` and `log_level` take effect at the next start.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn reload(file: Option<&Path>, environment: &Environment) -> Result<Reload, Error> {
        let Self { collect, log_level, warnings, .. } = Self::load(file, environment)?;
        Ok(Reload { collect, log_level, warnings })
    }
}

/// The top level of the file.
const SECTIONS: &[Key] = &[
    Key::shown("server", Kind::Tables, "", "HTTP: where to listen, and the bounds of a connection"),
    Key::shown("store", Kind::Tables, "", "Where the streams are kept, and for how long"),
    Key::shown(
        "limits",
        Kind::Tables,
        "",
        "What is taken in and what a query may ask for; Loki's names where Loki has the limit",
    ),
    Key::shown("collect", Kind::Tables, "", "Log files: what holds for all jobs"),
    Key::shown("scrape_configs", Kind::Tables, "", "A job: which files, which labels"),
];

/// The keys of each section, in the same order; those of a section within one follow it.
const KEYS_OF: &[(&str, &[Key])] = &[
    ("[server]", server::KEYS),
    ("[[server.users]]", users::KEYS),
    ("[store]", store::KEYS),
    ("[limits]", limits::KEYS),
    ("[collect]", collect::KEYS),
    ("[[scrape_configs]]", jobs::KEYS),
];

/// Why there is no configuration.
#[derive(Debug)]
pub enum Error {
    /// "cannot read /etc/narvi/config.toml: Permission denied (os error 13)"
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// "/etc/narvi/config.toml is larger than 4194304 bytes; is it the right file?"
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// "config.toml:3: not UTF-8 at byte 41; is it the right file?"
    NotText {
        /// The file.
        file: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// Bytes before the first that is wrong.
        offset: usize,
    },
    /// "there is no place for the store: neither `XDG_STATE_HOME` nor `HOME` is an absolute path; ..."
    NoStorePath,
    /// All that is wrong with the contents, with lines and columns.
    Invalid(Report),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, source } => write!(f, "cannot read {}: {source}", file.display()),
            Self::TooLarge { file } => {
                write!(f, "{} is larger than {FILE_BYTES_MAX} bytes; is it the right file?", file.display())
            }
            Self::NotText { file, line, offset } => {
                write!(f, "{}:{line}: not UTF-8 at byte {offset}; is it the right file?", file.display())
            }
            Self::NoStorePath => f.write_str(
                "there is no place for the store: neither XDG_STATE_HOME nor HOME is an absolute path; \
                 set one of them, or `path` in [store]",
            ),
            Self::Invalid(report) => report.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Records what is not TOML, the first mistake of each line: the others follow from it.
fn report_syntax(document: &Document<'_>, mistakes: &[toml::de::Error]) {
    let mut lines = HashSet::new();
    for mistake in mistakes {
        let span = mistake.span().unwrap_or_default();
        if lines.insert(report::line_number(document.source, span.start)) {
            let message = mistake.message().trim_end_matches(", expected nothing");
            document.report(Problem::error(span, format!("not TOML: {message}")));
        }
    }
}

/// Reads a file of bounded size as text.
fn read_file(file: &Path) -> Result<String, Error> {
    let mut bytes = Vec::new();
    fs::File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|source| Error::Read { file: file.to_owned(), source })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::TooLarge { file: file.to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = memchr::memchr_iter(b'\n', &error.as_bytes()[..offset]).count() + 1;
        Error::NotText { file: file.to_owned(), line, offset }
    })
}
