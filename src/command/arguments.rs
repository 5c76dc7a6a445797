//! The parser of the command line.

use std::{ffi::OsString, fmt, path::PathBuf};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Serve { config: Option<PathBuf> },
    Check { config: Option<PathBuf> },
    Inspect { dir: PathBuf, json: bool },
    HashPassword,
    Version,
    Help,
}

/// Why the command line cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// "unknown argument `-config.file`; write --config FILE"
    Unknown { argument: String, hint: &'static str },
    /// "--config needs a FILE"
    NoFile,
    /// "--config is given twice"
    Twice,
    /// "inspect needs one directory, that of the store"
    NoDirectory,
    /// "hash-password takes no arguments: it reads the password from standard input"
    PasswordShown,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { argument, hint: "" } => write!(f, "unknown argument `{argument}`"),
            Self::Unknown { argument, hint } => write!(f, "unknown argument `{argument}`; {hint}"),
            Self::NoFile => f.write_str("--config needs a FILE"),
            Self::Twice => f.write_str("--config is given twice"),
            Self::PasswordShown => {
                f.write_str("hash-password takes no arguments: it reads the password from standard input")
            }
            Self::NoDirectory => f.write_str("inspect needs one directory, that of the store"),
        }
    }
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// What is unknown, a `--config` without file or given twice, and `inspect` without directory.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, Error> {
    let mut arguments = arguments.peekable();
    if arguments.next_if(|argument| argument == "inspect").is_some() {
        return inspect(arguments);
    }
    if arguments.next_if(|argument| argument == "hash-password").is_some() {
        return hash_password(arguments);
    }
    let is_check = arguments.next_if(|argument| argument == "check").is_some();
    let mut config = None;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let file = match text.as_ref() {
            "--help" | "-h" => return Ok(Command::Help),
            "--version" | "-V" => return Ok(Command::Version),
            "--config" => arguments.next().filter(|file| !file.is_empty()).ok_or(Error::NoFile)?,
            _ => match argument.as_encoded_bytes().strip_prefix(b"--config=") {
                Some(b"") => return Err(Error::NoFile),
                Some(file) => std::os::unix::ffi::OsStringExt::from_vec(file.to_vec()),
                None => return Err(unknown(&text)),
            },
        };
        if config.replace(PathBuf::from(file)).is_some() {
            return Err(Error::Twice);
        }
    }
    Ok(if is_check { Command::Check { config } } else { Command::Serve { config } })
}

/// What follows `inspect`.
fn inspect(arguments: impl Iterator<Item = OsString>) -> Result<Command, Error> {
    let (mut dir, mut json) = (None, false);
    for argument in arguments {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Command::Help),
            Some("--json") => json = true,
            Some(flag) if flag.starts_with('-') => return Err(unknown(flag)),
            _ if dir.is_none() => dir = Some(PathBuf::from(argument)),
            _ => return Err(Error::NoDirectory),
        }
    }
    Ok(Command::Inspect { dir: dir.ok_or(Error::NoDirectory)?, json })
}

/// What follows `hash-password`. A password is no argument: other users see those in the list of processes.
fn hash_password(mut arguments: impl Iterator<Item = OsString>) -> Result<Command, Error> {
    match arguments.next() {
        None => Ok(Command::HashPassword),
        Some(argument) if argument == "--help" || argument == "-h" => Ok(Command::Help),
        Some(_) => Err(Error::PasswordShown),
    }
}

/// Promtail's and Loki's spellings get the new one as hint.
fn unknown(argument: &str) -> Error {
    let flag = argument.trim_start_matches('-').split('=').next().unwrap_or_default();
    let hint = match flag {
        _ if !argument.starts_with('-') => "",
        "config.file" | "config" | "c" => "write --config FILE",
        "version" => "write --version",
        "help" => "write --help",
        "check-syntax" | "verify-config" => "write narvi check --config FILE",
        "config.expand-env" => "leave it out: ${NAME} is always replaced inside values",
        _ => "",
    };
    Error::Unknown { argument: argument.to_owned(), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_arguments() {
        let serve = |file: Option<&str>| Ok(Command::Serve { config: file.map(PathBuf::from) });
        let check = |file: Option<&str>| Ok(Command::Check { config: file.map(PathBuf::from) });
        let unknown = |argument: &str, hint| Err(Error::Unknown { argument: argument.to_owned(), hint });
        let rows = [
            (vec![], serve(None)),
            (vec!["--config", "a"], serve(Some("a"))),
            (vec!["--config=a=b"], serve(Some("a=b"))),
            (vec!["check"], check(None)),
            (vec!["check", "--config", "check"], check(Some("check"))),
            (vec!["--config", "a", "check"], unknown("check", "")),
            (vec!["check", "--help"], Ok(Command::Help)),
            (vec!["-V"], Ok(Command::Version)),
            (vec!["inspect", "d"], Ok(Command::Inspect { dir: "d".into(), json: false })),
            (vec!["inspect", "--json", "d"], Ok(Command::Inspect { dir: "d".into(), json: true })),
            (vec!["inspect"], Err(Error::NoDirectory)),
            (vec!["inspect", "d", "e"], Err(Error::NoDirectory)),
            (vec!["inspect", "--all", "d"], unknown("--all", "")),
            (vec!["hash-password"], Ok(Command::HashPassword)),
            (vec!["hash-password", "--help"], Ok(Command::Help)),
            (vec!["hash-password", "secret"], Err(Error::PasswordShown)),
            (vec!["--config"], Err(Error::NoFile)),
            (vec!["--config="], Err(Error::NoFile)),
            (vec!["--config", "a", "--config=b"], Err(Error::Twice)),
            (vec!["-config.file=a"], unknown("-config.file=a", "write --config FILE")),
            (vec!["serve"], unknown("serve", "")),
            (vec![""], unknown("", "")),
        ];
        for (arguments, expected) in rows {
            assert_eq!(parse(arguments.iter().map(OsString::from)), expected, "{arguments:?}");
        }
    }
}
