//! The command line: what a subcommand takes, and what was given. A subcommand is described once, in its own file;
//! the parser, `--help`, the completions and the manual page follow from that.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What can be asked for: a word and what may follow it.
pub(super) struct Subcommand {
    /// The word; empty for serving, which has none.
    pub(super) name: &'static str,
    /// What it takes beside flags, as the usage shows it: `DIR`, `[LABEL]`; empty if nothing.
    pub(super) operand: &'static str,
    /// What it does, in one line, as the overview shows it.
    pub(super) about: &'static str,
    /// Its flags; [`HELP`] and [`VERSION`] are everywhere.
    pub(super) flags: &'static [Group],
    /// Sentences below the flags, in lines of at most 100 characters.
    pub(super) notes: &'static str,
    /// Does it, and gives the exit code.
    pub(super) run: fn(&Arguments) -> ExitCode,
}

/// Flags that belong together.
pub(super) struct Group {
    /// Another subcommand whose `--help` explains these flags; empty if this one's does.
    pub(super) explained_by: &'static str,
    /// The flags.
    pub(super) flags: &'static [Flag],
}

/// A word that begins with a hyphen.
pub(super) struct Flag {
    /// `config` for `--config`.
    pub(super) long: &'static str,
    /// Other spellings that are understood.
    pub(super) aliases: &'static [&'static str],
    /// `q` for `-q`.
    pub(super) short: Option<char>,
    /// The name of its value; empty for a switch, which has none.
    pub(super) value: &'static str,
    /// The values there are, if they can be listed.
    pub(super) choices: &'static [&'static str],
    /// Variables of the environment that give the value if the flag does not, the first that is set.
    pub(super) variables: &'static [&'static str],
    /// Whether it may be given more than once.
    pub(super) repeats: bool,
    /// What it does, in one line.
    pub(super) about: &'static str,
}

impl Flag {
    /// A flag that is there or not.
    pub(super) const fn switch(long: &'static str, about: &'static str) -> Self {
        Self { long, aliases: &[], short: None, value: "", choices: &[], variables: &[], repeats: false, about }
    }

    /// A flag with a value.
    pub(super) const fn with(long: &'static str, value: &'static str, about: &'static str) -> Self {
        Self { value, ..Self::switch(long, about) }
    }

    /// The same with a short form.
    pub(super) const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }
}

pub(super) const HELP: Flag = Flag::switch("help", "this text").short('h');
pub(super) const VERSION: Flag = Flag::switch("version", "the version").short('V');

/// `--config`, for whatever reads the configuration.
pub(super) const CONFIG: Group = Group {
    explained_by: "",
    flags: &[Flag::with("config", "FILE", "instead of /etc/narvi/config.toml, or the defaults if that is missing")],
};

impl Subcommand {
    /// Every flag that it understands.
    pub(super) fn flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.flags.iter().flat_map(|group| group.flags).chain([&HELP, &VERSION])
    }

    fn long(&self, name: &str) -> Option<&'static Flag> {
        self.flags().find(|flag| flag.long == name || flag.aliases.contains(&name))
    }

    fn short(&self, name: char) -> Option<&'static Flag> {
        self.flags().find(|flag| flag.short == Some(name))
    }
}

/// What a command line asks for.
pub(super) enum Request {
    /// To run a subcommand.
    Run(&'static Subcommand, Arguments),
    /// How a subcommand is used.
    Help(&'static Subcommand),
    /// The version.
    Version,
}

/// What was given to a subcommand.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Flags by their long name, with values, in order; a switch has an empty one.
    flags: Vec<(&'static Flag, OsString)>,
    operand: Option<OsString>,
}

impl PartialEq for Flag {
    fn eq(&self, other: &Self) -> bool {
        self.long == other.long
    }
}

impl Eq for Flag {}

impl fmt::Debug for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}", self.long)
    }
}

/// Why the command line cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// "unknown argument `-config.file`; write --config FILE"
    Unknown { argument: String, hint: &'static str },
    /// "--config needs a FILE"
    NoValue { flag: &'static Flag },
    /// "--json takes no value"
    NotAValue { flag: &'static Flag },
    /// "--config is given twice"
    Twice { flag: &'static Flag },
    /// "inspect needs DIR"
    NoOperand { subcommand: &'static str, operand: &'static str },
    /// "--limit: `x` is not a number"
    Value { flag: String, text: String, why: String },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { argument, hint: "" } => write!(f, "unknown argument `{argument}`"),
            Self::Unknown { argument, hint } => write!(f, "unknown argument `{argument}`; {hint}"),
            Self::NoValue { flag } => write!(f, "--{} needs a {}", flag.long, flag.value),
            Self::NotAValue { flag } => write!(f, "--{} takes no value", flag.long),
            Self::Twice { flag } => write!(f, "--{} is given twice", flag.long),
            Self::NoOperand { subcommand, operand } => write!(f, "{subcommand} needs {operand}"),
            Self::Value { flag, text, why } => write!(f, "--{flag}: `{text}` {why}"),
        }
    }
}

/// Reads the arguments, without the program's name. The first of `subcommands` is the one without a word.
///
/// # Errors
/// What is unknown, a flag without its value or given twice, and an operand that is missing.
pub(super) fn parse(
    subcommands: &'static [Subcommand],
    arguments: impl Iterator<Item = OsString>,
) -> Result<Request, Error> {
    let mut arguments = arguments.peekable();
    let named =
        |word: &OsStr| subcommands.iter().find(|subcommand| !subcommand.name.is_empty() && subcommand.name == word);
    if arguments.next_if(|word| word == "help").is_some() {
        return match arguments.next() {
            None => Ok(Request::Help(&subcommands[0])),
            Some(word) => named(&word).map(Request::Help).ok_or_else(|| unknown(&word.to_string_lossy())),
        };
    }
    let subcommand = arguments.peek().and_then(|word| named(word));
    if subcommand.is_some() {
        arguments.next();
    }
    let subcommand = subcommand.unwrap_or(&subcommands[0]);
    let mut parser = Parser { subcommand, given: Arguments::default() };
    let mut all_operands = false;
    while let Some(argument) = arguments.next() {
        match argument.as_bytes() {
            b"--" if !all_operands => all_operands = true,
            [b'-', _, ..] if !all_operands => parser.flag(&argument, &mut arguments)?,
            _ => parser.operand(argument)?,
        }
        if parser.given.has(HELP.long) {
            return Ok(Request::Help(subcommand));
        }
        if parser.given.has(VERSION.long) {
            return Ok(Request::Version);
        }
    }
    if parser.given.operand.is_none() && !subcommand.operand.is_empty() && !subcommand.operand.starts_with('[') {
        return Err(Error::NoOperand { subcommand: subcommand.name, operand: subcommand.operand });
    }
    Ok(Request::Run(subcommand, parser.given))
}

struct Parser {
    subcommand: &'static Subcommand,
    given: Arguments,
}

impl Parser {
    fn operand(&mut self, argument: OsString) -> Result<(), Error> {
        if self.subcommand.operand.is_empty() || self.given.operand.is_some() {
            return Err(unknown(&argument.to_string_lossy()));
        }
        self.given.operand = Some(argument);
        Ok(())
    }

    /// `--name`, `--name=VALUE`, `--name VALUE`, `-n`, `-nVALUE`, `-n VALUE`, and switches in one word, `-qt`.
    fn flag(&mut self, argument: &OsStr, rest: &mut impl Iterator<Item = OsString>) -> Result<(), Error> {
        let unknown = || unknown(&argument.to_string_lossy());
        let bytes = argument.as_bytes();
        if let Some(long) = bytes.strip_prefix(b"--") {
            let (name, value) = match memchr::memchr(b'=', long) {
                Some(at) => (&long[..at], Some(&long[at + 1..])),
                None => (long, None),
            };
            let flag =
                std::str::from_utf8(name).ok().and_then(|name| self.subcommand.long(name)).ok_or_else(unknown)?;
            return self.take(flag, value, rest);
        }
        let mut letters = &bytes[1..];
        while let Some((&letter, behind)) = letters.split_first() {
            let flag = self.subcommand.short(char::from(letter)).ok_or_else(unknown)?;
            if !flag.value.is_empty() {
                return self.take(flag, (!behind.is_empty()).then_some(behind), rest);
            }
            self.take(flag, None, rest)?;
            letters = behind;
        }
        Ok(())
    }

    fn take(
        &mut self,
        flag: &'static Flag,
        value: Option<&[u8]>,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), Error> {
        let value = match (flag.value, value) {
            ("", None) => OsString::new(),
            ("", Some(_)) => return Err(Error::NotAValue { flag }),
            (_, Some(value)) => OsString::from_vec(value.to_vec()),
            (_, None) => rest.next().ok_or(Error::NoValue { flag })?,
        };
        if value.is_empty() && !flag.value.is_empty() {
            return Err(Error::NoValue { flag });
        }
        if !flag.repeats && self.given.has(flag.long) {
            return Err(Error::Twice { flag });
        }
        if let Some(text) = value.to_str()
            && !flag.choices.is_empty()
            && !flag.choices.contains(&text)
        {
            return Err(Error::value(flag.long, text, format!("is none of {}", flag.choices.join(", "))));
        }
        self.given.flags.push((flag, value));
        Ok(())
    }
}

impl Arguments {
    /// Whether a flag was given.
    pub(super) fn has(&self, long: &str) -> bool {
        self.flags.iter().any(|(flag, _)| flag.long == long)
    }

    /// The value of a flag as it was given.
    fn os(&self, long: &str) -> Option<&OsStr> {
        self.flags.iter().find(|(flag, _)| flag.long == long).map(|(_, value)| value.as_os_str())
    }

    /// The value of a flag as a path.
    pub(super) fn path(&self, long: &str) -> Option<&Path> {
        self.os(long).map(Path::new)
    }

    /// All values of a flag.
    ///
    /// # Errors
    /// One that is not UTF-8.
    pub(super) fn texts(&self, long: &str) -> Result<Vec<String>, Error> {
        let values = self.flags.iter().filter(|(flag, _)| flag.long == long);
        values.map(|(flag, value)| text(flag.long, value)).collect()
    }

    /// The value of a flag of this subcommand, or else of its variables in the environment.
    ///
    /// # Errors
    /// One that is not UTF-8.
    pub(super) fn text(&self, flag: &Flag) -> Result<Option<String>, Error> {
        if let Some(value) = self.os(flag.long) {
            return text(flag.long, value).map(Some);
        }
        let set = flag.variables.iter().find_map(|name| env::var_os(name).filter(|value| !value.is_empty()));
        set.map(|value| text(flag.long, &value)).transpose()
    }

    /// The value of a flag, read.
    ///
    /// # Errors
    /// One that is not UTF-8, or that `read` refuses: what it says completes "`text` ...".
    pub(super) fn read<T>(
        &self,
        flag: &Flag,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(flag)? else { return Ok(None) };
        read(&text).map(Some).map_err(|why| Error::value(flag.long, &text, why))
    }

    /// What stands beside the flags; empty if it is optional and missing.
    ///
    /// # Errors
    /// What is not UTF-8.
    pub(super) fn operand(&self, name: &str) -> Result<String, Error> {
        self.operand.as_deref().map_or(Ok(String::new()), |value| text(name, value))
    }

    /// The same as a path.
    pub(super) fn operand_path(&self) -> PathBuf {
        self.operand.clone().unwrap_or_default().into()
    }
}

impl Error {
    /// A value that cannot be used; `why` completes "`text` ...".
    pub(super) fn value(flag: &str, text: &str, why: impl Into<String>) -> Self {
        Self::Value { flag: flag.to_owned(), text: text.to_owned(), why: why.into() }
    }
}

fn text(flag: &str, value: &OsStr) -> Result<String, Error> {
    value.to_str().map(str::to_owned).ok_or_else(|| Error::value(flag, &value.to_string_lossy(), "is not UTF-8"))
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

    const SUBCOMMANDS: &[Subcommand] = &[
        Subcommand { name: "", operand: "", flags: &[CONFIG], ..ROW },
        Subcommand { name: "check", operand: "", flags: &[CONFIG], ..ROW },
        Subcommand { name: "get", operand: "WHAT", flags: FLAGS, ..ROW },
        Subcommand { name: "list", operand: "[WHAT]", flags: &[], ..ROW },
    ];
    const ROW: Subcommand =
        Subcommand { name: "", operand: "", about: "", flags: &[], notes: "", run: |_| ExitCode::SUCCESS };
    const FLAGS: &[Group] = &[Group {
        explained_by: "",
        flags: &[
            Flag::switch("quiet", "").short('q'),
            Flag::switch("raw", "").short('r'),
            Flag { aliases: &["addr"], ..Flag::with("url", "URL", "").short('u') },
            Flag { choices: &["a", "b"], ..Flag::with("mode", "MODE", "") },
            Flag { repeats: true, ..Flag::with("label", "NAME", "") },
        ],
    }];

    /// The subcommand, the flags with their values, and the operand; or the message.
    fn parsed(arguments: &[&str]) -> String {
        match parse(SUBCOMMANDS, arguments.iter().map(OsString::from)) {
            Ok(Request::Run(subcommand, given)) => {
                let flags = given.flags.iter().map(|(flag, value)| format!(" {}={}", flag.long, value.display()));
                let operand = given.operand.as_deref().map(|operand| format!(" {}", operand.display()));
                subcommand.name.to_owned() + &flags.collect::<String>() + &operand.unwrap_or_default()
            }
            Ok(Request::Help(subcommand)) => format!("help of {}", subcommand.name),
            Ok(Request::Version) => "version".to_owned(),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn arguments_are_read() {
        let rows: &[(&[&str], &str)] = &[
            (&[], ""),
            (&["--config", "a"], " config=a"),
            (&["--config=a=b"], " config=a=b"),
            (&["check"], "check"),
            (&["check", "--config", "check"], "check config=check"),
            (&["get", "x", "--quiet", "-r"], "get quiet= raw= x"),
            (&["get", "-qr", "-uhttp://h", "x"], "get quiet= raw= url=http://h x"),
            (&["get", "-qu", "h", "x"], "get quiet= url=h x"),
            (&["get", "--addr", "h", "x"], "get url=h x"),
            (&["get", "--label=a", "--label=b", "x"], "get label=a label=b x"),
            (&["get", "--mode=b", "x"], "get mode=b x"),
            (&["get", "--url=-", "-"], "get url=- -"),
            (&["get", "--", "--quiet"], "get --quiet"),
            (&["get", ""], "get "),
            (&["list"], "list"),
            (&["list", "x"], "list x"),
            (&["--help"], "help of "),
            (&["help"], "help of "),
            (&["help", "get"], "help of get"),
            (&["check", "-h", "--nonsense"], "help of check"),
            (&["-V"], "version"),
            (&["list", "--version"], "version"),
            (&["--config", "a", "check"], "! unknown argument `check`"),
            (&["serve"], "! unknown argument `serve`"),
            (&["help", "serve"], "! unknown argument `serve`"),
            (&[""], "! unknown argument ``"),
            (&["get"], "! get needs WHAT"),
            (&["get", "x", "y"], "! unknown argument `y`"),
            (&["get", "--all", "x"], "! unknown argument `--all`"),
            (&["get", "-qx", "x"], "! unknown argument `-qx`"),
            (&["get", "-\u{e9}", "x"], "! unknown argument `-\u{e9}`"),
            (&["get", "x", "--url"], "! --url needs a URL"),
            (&["get", "x", "-u"], "! --url needs a URL"),
            (&["get", "x", "--quiet=yes"], "! --quiet takes no value"),
            (&["get", "--mode=c", "x"], "! --mode: `c` is none of a, b"),
            (&["--config"], "! --config needs a FILE"),
            (&["--config="], "! --config needs a FILE"),
            (&["--config", "a", "--config=b"], "! --config is given twice"),
            (&["-config.file=a"], "! unknown argument `-config.file=a`; write --config FILE"),
        ];
        for (arguments, expected) in rows {
            assert_eq!(parsed(arguments), *expected, "{arguments:?}");
        }
    }
}
