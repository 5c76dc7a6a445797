//! What all questions to a server have in common: which server, who asks, over which time; and how they end.

use std::{
    cell::Cell,
    fs,
    io::{self, IsTerminal},
    process::ExitCode,
    time::SystemTime,
};

use narvi::{
    client::{Api, Credentials, Error, Kind, Range, Url, Wait, Zone, parse_span, parse_time},
    labels::duration::nanoseconds,
};

use super::arguments::{self, Arguments, Flag, Group};

/// There is no server, or it went away. Source of this and the next: `sysexits.h` of BSD.
const EX_UNAVAILABLE: u8 = 69;
/// The server does not answer who asks.
const EX_NOPERM: u8 = 77;

const URL_DEFAULT: &str = "http://127.0.0.1:3100";
/// How often a busy server is asked again unless the flag says otherwise.
const RETRIES_DEFAULT: u32 = 3;

const URL: Flag = Flag {
    aliases: &["addr"],
    variables: &["NARVI_URL", "LOKI_ADDR"],
    ..Flag::with("url", "URL", "the server; default http://127.0.0.1:3100").short('u')
};
const USERNAME: Flag =
    Flag { variables: &["LOKI_USERNAME"], ..Flag::with("username", "NAME", "for basic authentication") };
const PASSWORD: Flag =
    Flag { variables: &["LOKI_PASSWORD"], ..Flag::with("password", "TEXT", "for it; a variable hides it from others") };
const BEARER_TOKEN: Flag =
    Flag { variables: &["LOKI_BEARER_TOKEN"], ..Flag::with("bearer-token", "TEXT", "a token instead of both") };
const BEARER_TOKEN_FILE: Flag =
    Flag { variables: &["LOKI_BEARER_TOKEN_FILE"], ..Flag::with("bearer-token-file", "FILE", "a file that holds it") };
const ORG_ID: Flag = Flag { variables: &["LOKI_ORG_ID"], ..Flag::with("org-id", "TENANT", "the tenant") };
const RETRIES: Flag = Flag {
    variables: &["LOKI_CLIENT_RETRIES"],
    ..Flag::with("retries", "N", "how often a busy server is asked again; default 3")
};
/// `-q`
pub(super) const QUIET: Flag = Flag::switch("quiet", "say nothing about the question, only about errors").short('q');
/// `-z`
pub(super) const TIMEZONE: Flag =
    Flag::with("timezone", "ZONE", "of times: Local, UTC or as in Europe/Berlin; default Local").short('z');
/// `--since`
pub(super) const SINCE: Flag = Flag::with("since", "SPAN", "how far back, as in 30m or 7d; default 1h");
const FROM: Flag = Flag::with("from", "TIME", "from this time on, as in 2026-01-05T08:00:00Z, instead of --since");
const TO: Flag = Flag::with("to", "TIME", "before this time; default now");

const FLAGS: &[Flag] = &[URL, USERNAME, PASSWORD, BEARER_TOKEN, BEARER_TOKEN_FILE, ORG_ID, RETRIES];

/// Which server, and who asks.
pub(super) const CONNECTION: Group = Group { explained_by: "", flags: FLAGS };
/// The same, for a `--help` that has no room for them.
pub(super) const CONNECTION_BRIEF: Group = Group { explained_by: "labels", flags: FLAGS };
/// Over which time.
pub(super) const TIME: Group = Group { explained_by: "", flags: &[SINCE, FROM, TO] };

/// The server that the arguments name. What makes it slow is told on standard error, if that is a terminal.
pub(super) fn api(arguments: &Arguments) -> Result<Api, Failure> {
    let url = arguments.text(&URL)?.unwrap_or_else(|| URL_DEFAULT.to_owned());
    let name = arguments.text(&USERNAME)?;
    let password = arguments.text(&PASSWORD)?.unwrap_or_default();
    let bearer = match (arguments.text(&BEARER_TOKEN)?, arguments.text(&BEARER_TOKEN_FILE)?) {
        (None, Some(file)) => {
            let token = fs::read_to_string(&file);
            Some(
                token
                    .map_err(|error| arguments::Error::value(BEARER_TOKEN_FILE.long, &file, error.to_string()))?
                    .trim()
                    .to_owned(),
            )
        }
        (token, _) => token,
    };
    let who = Credentials { user: name.map(|name| (name, password)), bearer, org_id: arguments.text(&ORG_ID)? };
    let retries = arguments.read(&RETRIES, number)?.unwrap_or(RETRIES_DEFAULT);
    let is_quiet = arguments.has(QUIET.long);
    let progress = Progress::new(is_quiet);
    let waiting = move |wait: Wait<'_>| match wait {
        Wait::Reading(bytes) => progress.show(bytes),
        Wait::Repeating(error, pause) if !is_quiet => {
            progress.clear();
            super::say(&format_args!("narvi: {error}; asking again in {} s", pause.as_secs_f32()));
        }
        Wait::Repeating(..) => {}
        Wait::Done => progress.clear(),
    };
    Ok(Api::new(Url::parse(&url)?, who, retries, Box::new(waiting))?)
}

/// The time zone for reading and writing times.
pub(super) fn zone(arguments: &Arguments) -> Result<Zone, arguments::Error> {
    let zone = arguments
        .read(&TIMEZONE, |name| Zone::parse(name).ok_or_else(|| "is no time zone of this system".to_owned()))?;
    zone.or_else(|| Zone::parse("Local")).ok_or_else(|| arguments::Error::value(TIMEZONE.long, "Local", "is not known"))
}

/// The time that a question is about, for subcommands that take [`TIME`].
pub(super) fn range(arguments: &Arguments, zone: &Zone) -> Result<Range, arguments::Error> {
    let end_ns = arguments.read(&TO, |text| parse_time(text, zone))?.unwrap_or_else(now_ns);
    let start_ns = match arguments.read(&FROM, |text| parse_time(text, zone))? {
        Some(start_ns) => start_ns,
        None => end_ns.saturating_sub(since_ns(arguments)?),
    };
    Ok(Range { start_ns, end_ns })
}

/// The span of `--since`.
pub(super) fn since_ns(arguments: &Arguments) -> Result<i64, arguments::Error> {
    /// One hour.
    const SINCE_DEFAULT_NS: i64 = 3_600_000_000_000;
    Ok(arguments.read(&SINCE, parse_span)?.unwrap_or(SINCE_DEFAULT_NS))
}

/// The present, in nanoseconds since 1970.
pub(super) fn now_ns() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, nanoseconds)
}

/// A count that a flag gives.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "is not a number".to_owned())
}

/// Whether colours are wanted on standard output. Source: <https://no-color.org/>.
pub(super) fn has_colors() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Why a question got no answer.
pub(super) enum Failure {
    Arguments(arguments::Error),
    Client(Error),
}

impl From<arguments::Error> for Failure {
    fn from(error: arguments::Error) -> Self {
        Self::Arguments(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Client(Error::Output(error))
    }
}

/// The exit code of a question; why it got no answer goes to standard error. That nobody reads the answer to its end,
/// as with `| head`, is no failure.
pub(super) fn finish(result: Result<(), Failure>) -> ExitCode {
    let error = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Arguments(error)) => return super::misused(&error),
        Err(Failure::Client(error)) => error,
    };
    let code = match error.kind() {
        Kind::Unread => return ExitCode::SUCCESS,
        Kind::Usage => super::EX_USAGE,
        Kind::Unreachable => EX_UNAVAILABLE,
        Kind::Forbidden => EX_NOPERM,
        Kind::Failed => 1,
    };
    super::fail(&format_args!("narvi: {error}"), code)
}

/// A line on a terminal that says that something goes on.
struct Progress {
    is_shown: bool,
    is_there: Cell<bool>,
}

impl Progress {
    fn new(is_quiet: bool) -> Self {
        Self { is_shown: !is_quiet && io::stderr().is_terminal(), is_there: Cell::new(false) }
    }

    fn show(&self, bytes: usize) {
        if self.is_shown {
            self.is_there.set(true);
            super::write_error(&format!("\r\x1b[Kwaiting for the server, {} KiB have come", bytes >> 10));
        }
    }

    fn clear(&self) {
        if self.is_there.take() {
            super::write_error("\r\x1b[K");
        }
    }
}
