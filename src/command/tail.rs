//! `narvi tail`: live entries, also across a server's restarts.

use narvi::client::{self, Follow, News};

use super::{
    arguments::{Arguments, Flag, Group, Subcommand},
    connection::{self, Failure, QUIET, number},
    query::{FORMAT_FLAGS, LIMIT, Output},
    say,
};

/// Entries of history, as logcli.
const LIMIT_DEFAULT: u64 = 30;

const DELAY_FOR: Flag = Flag::with("delay-for", "N", "seconds, up to 5, to wait for late entries; default 0");

pub(super) const SUBCOMMAND: Subcommand = Subcommand {
    name: "tail",
    operand: "QUERY",
    about: "entries as they come, until Ctrl-C",
    flags: &[
        Group { explained_by: "", flags: &[connection::SINCE, LIMIT, DELAY_FOR] },
        Group { explained_by: "", flags: FORMAT_FLAGS },
        connection::CONNECTION_BRIEF,
    ],
    notes: "\
It begins with the newest --limit entries of --since. A lost connection is opened again, and what
was missed is shown.
",
    run: |arguments| connection::finish(tail(arguments)),
};

/// Follows a query until the server ends it.
pub(super) fn tail(arguments: &Arguments) -> Result<(), Failure> {
    let follow = Follow {
        query: arguments.operand("QUERY")?,
        start_ns: connection::now_ns().saturating_sub(connection::since_ns(arguments)?),
        limit: arguments.read(&LIMIT, number)?.unwrap_or(LIMIT_DEFAULT),
        delay_for_s: arguments.read(&DELAY_FOR, number)?.unwrap_or(0),
    };
    let mut output = Output::new(arguments)?;
    let api = connection::api(arguments)?;
    let is_quiet = arguments.has(QUIET.long);
    client::tail(&api, &follow, connection::now_ns, |news| {
        match news {
            News::Entries(entries) => {
                output.printer.live(entries)?;
                output.printer.flush()?;
            }
            News::Dropped(count) => say(&format_args!("narvi: {count} entries were not read in time")),
            News::Lost(error) if !is_quiet => say(&format_args!("narvi: {error}; trying again")),
            News::Back if !is_quiet => say(&"narvi: connected again"),
            News::Lost(_) | News::Back => {}
        }
        Ok(())
    })?;
    Ok(())
}
