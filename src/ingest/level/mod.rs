//! `detected_level`: how severe an entry is, for entries of any origin. First hit wins: metadata
//! `detected_level`, a stream label, metadata, an OpenTelemetry severity number, the line.
//! The rules are Loki's, since dashboards and queries count on the same level for the same line.

mod json;
mod logfmt;
mod text;

use crate::labels::LabelSet;

/// The metadata that holds an entry's level.
pub(super) const DETECTED_LEVEL: &str = "detected_level";

/// The OpenTelemetry severity as a number, which stands in for a missing level.
const SEVERITY_NUMBER: &str = "severity_number";

/// The labels, metadata and fields that hold a level, in order of preference.
const NAMES: [&str; 14] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];

/// The levels that are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing says how severe the entry is.
    Unknown,
    /// `trace`
    Trace,
    /// `debug`
    Debug,
    /// `info`
    Info,
    /// `warn`
    Warn,
    /// `error`
    Error,
    /// `critical`
    Critical,
    /// `fatal`
    Fatal,
}

impl Level {
    /// How many levels there are.
    pub(super) const COUNT: usize = 8;

    /// The value of `detected_level`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Fatal => "fatal",
        }
    }

    /// The level of a line: of its JSON or logfmt field, else of the first word that names one.
    pub fn of_line(line: &[u8]) -> Self {
        let body = line.trim_ascii();
        let field = if body.starts_with(b"{") && body.ends_with(b"}") {
            json::level_field(body)
        } else {
            logfmt::level_field(line)
        };
        field.and_then(Self::from_alias).or_else(|| text::first_level(line)).unwrap_or(Self::Unknown)
    }

    /// The level that a field's value names, in any letter case.
    fn from_alias(value: &[u8]) -> Option<Self> {
        const ALIASES: [(&str, Level); 14] = [
            ("info", Level::Info),
            ("error", Level::Error),
            ("warn", Level::Warn),
            ("debug", Level::Debug),
            ("trace", Level::Trace),
            ("warning", Level::Warn),
            ("err", Level::Error),
            ("wrn", Level::Warn),
            ("inf", Level::Info),
            ("dbg", Level::Debug),
            ("trc", Level::Trace),
            ("information", Level::Info),
            ("critical", Level::Critical),
            ("fatal", Level::Fatal),
        ];
        ALIASES.iter().find(|(alias, _)| value.eq_ignore_ascii_case(alias.as_bytes())).map(|(_, level)| *level)
    }
}

/// The level that a set of labels or of metadata states; a word that is no level stays as it is.
pub(super) fn of_labels(labels: &LabelSet) -> Option<&str> {
    let rank = |name: &str| NAMES.iter().position(|known| *known == name);
    let ranked = labels.iter().filter_map(|(name, value)| Some((rank(name)?, value)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, value)| normalized(value))
}

/// The level that an entry's own metadata states.
pub(super) fn stated(metadata: &LabelSet) -> Option<&str> {
    metadata.get(DETECTED_LEVEL).map(normalized)
}

/// The level of an OpenTelemetry severity number among the metadata.
pub(super) fn of_severity_number(metadata: &LabelSet) -> Option<&'static str> {
    let level = match metadata.get(SEVERITY_NUMBER)?.parse::<i64>() {
        Ok(1..=4) => Level::Trace,
        Ok(5..=8) => Level::Debug,
        Ok(9..=12) | Err(_) => Level::Info,
        Ok(13..=16) => Level::Warn,
        Ok(17..=20) => Level::Error,
        Ok(21..=24) => Level::Fatal,
        Ok(_) => Level::Unknown,
    };
    Some(level.name())
}

fn normalized(value: &str) -> &str {
    match Level::from_alias(value.as_bytes()) {
        Some(level) => level.name(),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines and the level that Loki found in each.
    const LINES: &[(&str, &[&str])] = &[
        (
            "critical",
            &[
                "level=critical",
                r#"{"severity":"CRITICAL"}"#,
                "CRITICAL x",
                "<34>1 2026-01-05T10:00:00Z host app - - - BOM critical failure",
            ],
        ),
        (
            "debug",
            &[
                "LEVEL=debug msg=x",
                "level=dbg",
                r#"msg="level=error inside quotes" level=debug"#,
                r#"{"lvl":"dbg"}"#,
                "(debug) x",
                "DEBUG x",
                "lEvEl=dbg",
                r#"{"log":{"level":"dbg"}}"#,
                r#"{"severity":"dbg","level":"err"}"#,
                r#"{"a":[{"level":"err"}],"b":{"c":{"level":"err"},"lvl":"DBG"}}"#,
                r#"{"\"level":"x","a\\":"y","b":"\"","level":"dbg"}"#,
                "log.level=dbg severity=err",
            ],
        ),
        (
            "error",
            &[
                "severity=error msg=x",
                "level=err",
                r#"msg="an error happened""#,
                "severity=warn level=error",
                r#"{"level":"error","msg":"x"}"#,
                r#"{"log":{"level":"error"}}"#,
                r#"{"msg":"an error without level"}"#,
                r#"{"SeverityText":"Error"}"#,
                r#"{"severity_text":"Error"}"#,
                "ERROR something broke",
                "[ERROR] something broke",
                "error: something broke",
                "Error: something broke",
                "2026-01-05 10:00:00,123 [main] ERROR com.acme.App - failed",
                "err",
                "an error, then a warning",
                "ERR x",
                r#""error" quoted"#,
                "error=1",
                r#"level="Error" msg=x"#,
                "level=error,msg=x",
                "level= msg=error",
                "x=err",
                "errors error!",
                "level error level=debug",
                r#"{"level":"notice","msg":"an error: x"}"#,
                r#"{"_entry":"level=error msg=\"boom\" code=17","pod":"web-1","container":"app"}"#,
                "Jan  5 10:00:22 bastion sshd[914]: error: maximum authentication attempts exceeded [preauth]",
            ],
        ),
        ("fatal", &["Level=fatal msg=x", r#"{"a":{"b":{"level":"fatal"}}}"#, "FATAL x", "fatal\n at main"]),
        (
            "info",
            &[
                "level=info msg=x",
                "level=INFO msg=x",
                "level=inf",
                "level=information",
                r#"  {"level":"info"}  "#,
                r#"{"level":"info""#,
                r#"{"level":"INF"}"#,
                "INFO all good",
                "2026-01-05 10:00:00 INFO Started",
                "level=30 info",
            ],
        ),
        ("trace", &["loglevel=trace msg=x", "level=trc", "TRACE x", r#"{"a":{"level":"trace"}}"#]),
        (
            "unknown",
            &[
                "level=crit",
                "level=emerg",
                "level=notice",
                "level=alert",
                "level=5",
                r#"{"level":30,"msg":"numeric"}"#,
                "<info> all good",
                "<error>",
                "panic: x",
                "E0105 10:00:00.000000 1 main.go:1] klog",
                "I0105 10:00:00.000000 1 main.go:1] klog",
                "no level here",
                "terror on the loose",
                "information desk",
                "errors: 0",
                "0 errors",
                "misc:error",
                "error-prone code",
                "WRN x",
                "INF x",
                "Dbg",
                "noerror=1",
                "notice: x",
                "alert: x",
                "",
                "{}",
                " ",
                "=",
                "e",
                "level='error' msg=x",
                "lvl=",
                r#"{"level":30}"#,
                r#"{"lEvEl":"dbg"}"#,
                r#"{"level":"zzz","severity":"dbg"}"#,
                r#"[{"level":"dbg"}]"#,
                r#"{"a":{"b":{"level":"dbg"}}}"#,
                r#"{"a":1 "level":"dbg"}"#,
                r#"{"a":"\"}"#,
                r#"{"a"}"#,
                r#"{level:"dbg"}"#,
                r#"{"a":[}"#,
                r#"say "hi" level=dbg"#,
                r#"level="dbg"#,
            ],
        ),
        (
            "warn",
            &[
                "lvl=warn msg=x",
                "level=wrn",
                "level=warning",
                "lvl=Warning msg=x",
                r#"{"LEVEL":"warn"}"#,
                r#"{"level":"unheard-of","msg":"warn in text"}"#,
                r#"{"severity":"warn","level":"error"}"#,
                "severity=dbg level=wrn",
                "WARN low disk",
                "[warn] low disk",
                "WARNING: low disk",
                "a warning, then an error",
                r#"time="2026-01-05" level=warn msg="x""#,
                r#"{"level":"warn","msg":"nested","ctx":{"level":"error"}}"#,
                r#"msg="a \"quote\" = b" level=wrn"#,
            ],
        ),
    ];

    #[test]
    fn the_level_of_a_line() {
        for (level, lines) in LINES {
            for line in *lines {
                assert_eq!(Level::of_line(line.as_bytes()).name(), *level, "{line}");
            }
        }
    }

    /// Whatever a line is cut to or holds, detection ends and stays within it.
    #[test]
    fn no_cut_line_panics() {
        for line in
            [r#"{"a":{"b":"c\\","d":[1,{"e":"}"}]},"level":"err"}"#, r#"msg="a \"b\" = c" severity_text="wrn" x="#]
        {
            for cut in 0..=line.len() {
                let cut_line = &line.as_bytes()[..cut];
                Level::of_line(cut_line);
                Level::of_line(&[cut_line, b"}"].concat());
                Level::of_line(&[cut_line, b"\"level=\xff\\"].concat());
            }
        }
        assert_eq!(Level::of_line(b"\xff error \xfe").name(), "error");
    }

    #[test]
    fn names_have_an_order_and_unknown_words_stay() {
        for (pairs, level) in [
            (&[("severity", "WARN"), ("level", "ERR")][..], Some("error")),
            (&[("lvl", "trc"), ("Severity", "Info")], Some("info")),
            (&[("level", "NOTICE")], Some("NOTICE")),
            (&[("lEvel", "err"), ("detected_level", "err")], None),
            (&[], None),
        ] {
            let set = LabelSet::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
            assert_eq!(of_labels(&set), level, "{pairs:?}");
        }
    }

    #[test]
    fn severity_numbers_have_levels() {
        for (number, level) in [
            ("0", "unknown"),
            ("1", "trace"),
            ("4", "trace"),
            ("5", "debug"),
            ("9", "info"),
            ("13", "warn"),
            ("17", "error"),
            ("21", "fatal"),
            ("24", "fatal"),
            ("25", "unknown"),
            ("-1", "unknown"),
            ("abc", "info"),
        ] {
            let set = LabelSet::new(vec![(SEVERITY_NUMBER.into(), number.into())]);
            assert_eq!(of_severity_number(&set), Some(level), "{number}");
        }
        assert_eq!(of_severity_number(&LabelSet::default()), None);
    }
}
