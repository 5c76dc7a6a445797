//! What a file's name says: whether discovery leaves it out, and whether it is a rotated copy of another.

/// Why discovery leaves a name out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sieved {
    /// Compressed, a database, an editor's file.
    Excluded,
    /// A rotated copy by its number or suffix.
    Rotated,
    /// It ends with a date: a rotated copy, unless it is how its writer names the live file.
    Dated,
}

const COMPRESSED: [&str; 10] = [".gz", ".tgz", ".xz", ".bz2", ".zst", ".lz4", ".z", ".Z", ".zip", ".tar"];
const OTHER_SUFFIXES: [&str; 8] = [".db", ".sqlite", ".journal", ".journal~", "~", ".swp", ".tmp", ".part"];
const OLD_SUFFIXES: [&str; 1] = [".old"];
const ACCOUNTING: [&str; 6] = ["wtmp", "btmp", "utmp", "lastlog", "faillog", "tallylog"];

/// Whether the built-in excludes leave a name out.
pub(super) fn sieved(name: &str) -> Option<Sieved> {
    let accounting = ACCOUNTING.iter().any(|database| {
        name.strip_prefix(database).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '_']))
    });
    if accounting || is_compressed(name) || OTHER_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        return Some(Sieved::Excluded);
    }
    let numbered = name.rsplit_once('.').is_some_and(|(_, number)| (1..=2).contains(&number.len()) && digits(number));
    if numbered || OLD_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        return Some(Sieved::Rotated);
    }
    undated(name).map(|_| Sieved::Dated)
}

/// Whether a name is that of an archive.
pub(super) fn is_compressed(name: &str) -> bool {
    COMPRESSED.iter().any(|suffix| name.ends_with(suffix))
}

/// The name before a date at its end: `-YYYYMMDD`, `.YYYY-MM-DD`, `.YYYYMMDD-HHMMSS`.
pub(super) fn undated(name: &str) -> Option<&str> {
    let shaped = |suffix: &str, shape: &str| {
        suffix.len() == shape.len()
            && suffix.bytes().zip(shape.bytes()).all(|(c, s)| if s == b'0' { c.is_ascii_digit() } else { c == s })
    };
    ["-00000000", ".0000-00-00", ".00000000-000000"].iter().find_map(|shape| {
        let at = name.len().checked_sub(shape.len())?;
        (at > 0 && name.is_char_boundary(at) && shaped(&name[at..], shape)).then(|| &name[..at])
    })
}

/// Whether `name` is how a rotation names a former `live`: `x.log.1`, `x.log-20261122`, `x-20261122.log`,
/// `x.log.2026-11-22-1`, `0.log.20261122-101112`, `x.log.old`, and `@40...` beside `current`.
pub(super) fn is_rotated_copy(live: &str, name: &str) -> bool {
    let numbered = |between: &str| {
        between.starts_with(['.', '-', '_'])
            && between.bytes().any(|byte| byte.is_ascii_digit())
            && between.bytes().all(|byte| byte.is_ascii_digit() || b".-_:T".contains(&byte))
    };
    if is_compressed(name) || name == live {
        return false;
    }
    if let Some(suffix) = name.strip_prefix(live)
        && (suffix == ".old" || numbered(suffix))
    {
        return true;
    }
    if let Some((stem, extension)) = live.rsplit_once('.')
        && let Some(between) = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(extension))
        && let Some(between) = between.strip_suffix('.')
        && numbered(between)
    {
        return true;
    }
    live == "current" && name.starts_with('@')
}

/// Whether `name` may be a copy of `live` that is about to be truncated; the contents decide.
pub(super) fn may_be_copy(live: &str, name: &str) -> bool {
    let stem = live.split_once('.').map_or(live, |(stem, _)| if stem.is_empty() { live } else { stem });
    name != live && !is_compressed(name) && name.contains(stem)
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_what_is_no_live_log() {
        use Sieved::{Dated, Excluded, Rotated};
        for (name, expected) in [
            ("syslog", None),
            ("app.log", None),
            ("app-20261122.log", None),
            ("app.log.100", None),
            ("maillog", None),
            ("lastlogger", None),
            ("x.log.1", Some(Rotated)),
            ("x.log.12", Some(Rotated)),
            ("x.log.old", Some(Rotated)),
            ("messages-20261122", Some(Dated)),
            ("x.2026-11-22", Some(Dated)),
            ("x.log.20261122-101112", Some(Dated)),
            ("ü-20261122", Some(Dated)),
            ("x.log.2.gz", Some(Excluded)),
            ("lastlog", Some(Excluded)),
            ("wtmp.1", Some(Excluded)),
            ("btmp-20261122", Some(Excluded)),
            ("system@0005.journal~", Some(Excluded)),
            ("x.log~", Some(Excluded)),
            ("a.tmp", Some(Excluded)),
        ] {
            assert_eq!(sieved(name), expected, "{name}");
        }
    }

    #[test]
    fn knows_rotated_copies_by_name() {
        for (live, name, expected) in [
            ("x.log", "x.log.1", true),
            ("x.log", "x.log.0", true),
            ("x.log", "x.log-20261122", true),
            ("x.log", "x.log-20261122-1", true),
            ("x.log", "x-20261122.log", true),
            ("x.log", "x.1.log", true),
            ("x.log", "x.log.2026-11-22-1", true),
            ("x.log", "x.log.old", true),
            ("0.log", "0.log.20261122-101112", true),
            ("current", "@400000005f1.s", true),
            ("x.log", "x.log.1.gz", false),
            ("x.log", "x.log", false),
            ("x.log", "x.log.bak", false),
            ("syslog", "syslog-ng.log", false),
            ("x.log", "xy.log", false),
            ("x.log", "x.log.", false),
        ] {
            assert_eq!(is_rotated_copy(live, name), expected, "{live} and {name}");
        }
        assert!(may_be_copy("x.log", "x.log.1") && may_be_copy("x.log", "x-copy.log") && may_be_copy("x.log", "2-x"));
        assert!(!may_be_copy("x.log", "x.log.1.gz") && !may_be_copy("x.log", "y.log"));
    }
}
