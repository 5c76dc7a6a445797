//! One syslog message: RFC 5424 where it says so, else RFC 3164 in all the dialects that devices speak.
//! Whatever cannot be made out is text.

use crate::collect::{source::journal::SEVERITIES, timestamp::is_month};

/// The facilities by number: RFC 5424, 6.2.1, in the words of syslog.conf(5).
const FACILITIES: [&str; 24] = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];

/// Of a message without priority: user, notice.
const PRIORITY_DEFAULT: u8 = 13;
/// Letters of a program's name before its colon.
const TAG_BYTES_MAX: usize = 48;

/// A message in its parts, which lie in its text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Message<'t> {
    priority: u8,
    /// The time as it stands there.
    pub(super) time: Option<&'t str>,
    pub(super) hostname: Option<&'t str>,
    pub(super) app_name: Option<&'t str>,
    pub(super) proc_id: Option<&'t str>,
    pub(super) msg_id: Option<&'t str>,
    structured: &'t str,
    pub(super) text: &'t str,
}

impl<'t> Message<'t> {
    /// Reads a message; nothing is refused.
    pub(super) fn parse(text: &'t str) -> Self {
        let (priority, rest) = priority(text).unwrap_or((PRIORITY_DEFAULT, text));
        let message = rest.strip_prefix("1 ").and_then(|rest| rfc5424(priority, rest));
        message.unwrap_or_else(|| rfc3164(priority, rest))
    }

    pub(super) fn severity(&self) -> &'static str {
        SEVERITIES[usize::from(self.priority % 8)]
    }

    pub(super) fn facility(&self) -> &'static str {
        FACILITIES.get(usize::from(self.priority / 8)).copied().unwrap_or("user")
    }

    /// The structured data: `ID_NAME` and value, `@` and other characters as `_`.
    pub(super) fn structured(&self) -> impl Iterator<Item = (String, String)> {
        let mut pairs = Vec::new();
        for element in elements(self.structured) {
            let mut rest = element;
            let id = word(&mut rest, ' ').unwrap_or("");
            while let Some((name, quoted)) = rest.trim_start().split_once("=\"") {
                let Some(end) = closing_quote(quoted) else { break };
                let value = quoted[..end].replace("\\\"", "\"").replace("\\]", "]").replace("\\\\", "\\");
                let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
                pairs.push((format!("{id}_{name}").chars().map(plain).collect(), value));
                rest = &quoted[end + 1..];
            }
        }
        pairs.into_iter()
    }
}

/// `<34>`: facility times 8, plus severity.
fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let sound = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u8>().ok().filter(|number| sound && *number < 192)?;
    Some((number, rest))
}

/// `TIME HOST APP PROCID MSGID STRUCTURED-DATA TEXT`, behind the version.
fn rfc5424(priority: u8, text: &str) -> Option<Message<'_>> {
    let mut rest = text;
    let mut part = || word(&mut rest, ' ').map(|part| Some(part).filter(|part| *part != "-"));
    let (time, hostname, app_name) = (part()?, part()?, part()?);
    let (proc_id, msg_id) = (part()?, part()?);
    let (structured, text) = match rest.strip_prefix('-') {
        Some(text) => ("", text),
        None => rest.split_at(structured_length(rest)?),
    };
    let text = text.strip_prefix(' ').unwrap_or(text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Some(Message { priority, time, hostname, app_name, proc_id, msg_id, structured, text })
}

/// The part up to a separator, which is passed.
fn word<'t>(rest: &mut &'t str, separator: char) -> Option<&'t str> {
    let (part, behind) = rest.split_once(separator)?;
    *rest = behind;
    Some(part)
}

/// How long the elements `[id name="value"]...` at the start are; `None` if they do not end.
fn structured_length(text: &str) -> Option<usize> {
    let mut at = 0;
    while text[at..].starts_with('[') {
        at += element_length(&text[at..])?;
    }
    (at > 0).then_some(at)
}

fn element_length(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The insides of the elements.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let length = element_length(rest).filter(|_| rest.starts_with('['))?;
        let (element, behind) = rest.split_at(length);
        rest = behind;
        Some(&element[1..length - 1])
    })
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let found = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        found.then_some(at)
    })
}

/// `TIME HOST TAG: TEXT`, of which anything may be missing. Cisco's devices have a number before the time, and `*`
/// or `.` where their clock is not set.
fn rfc3164(priority: u8, text: &str) -> Message<'_> {
    let mut rest = text.trim_start_matches(' ');
    if let Some((number, behind)) = rest.split_once(": ")
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        rest = behind;
    }
    let marked = rest.trim_start_matches(['*', '.']);
    let mut message = Message { priority, text: rest, ..Message::default() };
    if let Some(length) = time_length(marked) {
        let (time, behind) = marked.split_at(length);
        message.time = Some(time);
        let behind = behind.strip_prefix(':').unwrap_or(behind);
        rest = behind.strip_prefix(' ').unwrap_or(behind);
        message.text = rest;
        // What follows the time is a host, unless it is the tag already.
        if let Some((host, behind)) = rest.split_once(' ')
            && !host.is_empty()
            && !host.ends_with(':')
            && !host.contains(['[', '%', '='])
        {
            message.hostname = Some(host);
            rest = behind;
            message.text = rest;
        }
    }
    if let Some((app, proc_id, text)) = tag(rest) {
        message.app_name = Some(app);
        message.proc_id = proc_id;
        message.text = text;
    }
    message
}

/// `app: text`, `app[123]: text`.
fn tag(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let length = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_./@".contains(c)))?;
    let (app, rest) = text.split_at(length);
    if app.is_empty() || length > TAG_BYTES_MAX {
        return None;
    }
    let (proc_id, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((proc_id, rest)) => (Some(proc_id).filter(|id| !id.is_empty()), rest),
        None => (None, rest),
    };
    let text = rest.strip_prefix(':')?;
    Some((app, proc_id, text.strip_prefix(' ').unwrap_or(text)))
}

/// How long the time at the start is: `Oct  1 22:14:15`, with a year before or behind the time of day, a fraction and
/// a zone, or ISO 8601.
fn time_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits =
        |at: usize, count: usize| bytes.get(at..at + count).is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
    if digits(0, 4) && bytes.get(4) == Some(&b'-') && digits(5, 2) && matches!(bytes.get(10), Some(b'T' | b' ')) {
        let date = &text[..11];
        let rest = &text[11..];
        let length = rest.find(' ').unwrap_or(rest.len());
        return Some(date.len() + length).filter(|_| rest.as_bytes().get(2) == Some(&b':'));
    }
    if !is_month(text.get(..3)?) || bytes.get(3) != Some(&b' ') {
        return None;
    }
    // The day has one digit, two, or a blank in front.
    let mut at = 4 + usize::from(bytes.get(4) == Some(&b' '));
    at += text[at..].bytes().take(2).take_while(u8::is_ascii_digit).count();
    (bytes.get(at) == Some(&b' ')).then_some(())?;
    at += 1;
    if digits(at, 4) && bytes.get(at + 4) == Some(&b' ') {
        at += 5;
    }
    let is_time =
        digits(at, 2) && bytes.get(at + 2) == Some(&b':') && digits(at + 3, 2) && bytes.get(at + 5) == Some(&b':');
    (is_time && digits(at + 6, 2)).then_some(())?;
    at += 8;
    if bytes.get(at) == Some(&b'.') {
        at += 1 + text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
    }
    if bytes.get(at) == Some(&b' ') && digits(at + 1, 4) && !bytes.get(at + 5).is_some_and(u8::is_ascii_alphanumeric) {
        at += 5;
    }
    if let Some(zone) = ["UTC", "GMT"].into_iter().find(|zone| text[at..].trim_start_matches(' ').starts_with(zone)) {
        at += text[at..].len() - text[at..].trim_start_matches(' ').len() + zone.len();
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time, host, program, process, text, severity and facility.
    type Row<'a> = (&'a str, [&'a str; 5], &'a str, &'a str);

    #[test]
    fn understands_the_dialects() {
        let rows: &[Row<'_>] = &[
            // RFC 5424, 6.5, and RFC 3164, 5.4.
            (
                "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed for lonvick",
                ["2003-10-11T22:14:15.003Z", "mymachine.example.com", "su", "", "'su root' failed for lonvick"],
                "crit",
                "auth",
            ),
            (
                r#"<165>1 2003-10-11T22:14:15.003Z m evntslog 12 ID47 [ex@32473 iut="3" s="a \"b\] c"][x y="1"] An event"#,
                ["2003-10-11T22:14:15.003Z", "m", "evntslog", "12", "An event"],
                "notice",
                "local4",
            ),
            (
                "<34>Oct 11 22:14:15 mymachine su: 'su root' failed on /dev/pts/8",
                ["Oct 11 22:14:15", "mymachine", "su", "", "'su root' failed on /dev/pts/8"],
                "crit",
                "auth",
            ),
            (
                "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
                ["Feb  5 17:32:18", "10.0.0.99", "", "", "Use the BFG!"],
                "notice",
                "user",
            ),
            // rsyslog, Cisco, MikroTik, busybox, and what is none.
            (
                "<38>2026-11-22T10:00:00.123456+01:00 host sshd[42]: Accepted",
                ["2026-11-22T10:00:00.123456+01:00", "host", "sshd", "42", "Accepted"],
                "info",
                "auth",
            ),
            (
                "<187>123: *Nov 22 10:00:00.123 UTC: %LINK-3-UPDOWN: Interface changed",
                ["Nov 22 10:00:00.123 UTC", "", "", "", "%LINK-3-UPDOWN: Interface changed"],
                "error",
                "local7",
            ),
            (
                "<189>Nov 22 2026 10:00:00: %ASA-5-1: Built",
                ["Nov 22 2026 10:00:00", "", "", "", "%ASA-5-1: Built"],
                "notice",
                "local7",
            ),
            (
                "<30>dhcp,info lan assigned 10.0.0.5",
                ["", "", "", "", "dhcp,info lan assigned 10.0.0.5"],
                "info",
                "daemon",
            ),
            ("<6>Nov 22 10:00:00 kernel: eth0 up", ["Nov 22 10:00:00", "", "kernel", "", "eth0 up"], "info", "kern"),
            ("no priority", ["", "", "", "", "no priority"], "notice", "user"),
            ("<999>x", ["", "", "", "", "<999>x"], "notice", "user"),
            ("<34>1 broken", ["", "", "", "", "1 broken"], "crit", "auth"),
            ("<34>", ["", "", "", "", ""], "crit", "auth"),
        ];
        for (text, expected, severity, facility) in rows {
            let message = Message::parse(text);
            let or = Option::unwrap_or_default;
            let parts =
                [or(message.time), or(message.hostname), or(message.app_name), or(message.proc_id), message.text];
            assert_eq!((parts, message.severity(), message.facility()), (*expected, *severity, *facility), "{text}");
        }
        let structured: Vec<_> = Message::parse(rows[1].0).structured().collect();
        let expected = [("ex_32473_iut", "3"), ("ex_32473_s", "a \"b] c"), ("x_y", "1")];
        assert_eq!(structured, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    /// Cut anywhere, and with any byte changed, a message is still one.
    #[test]
    fn nothing_is_refused() {
        for text in [
            r#"<165>1 2003-10-11T22:14:15.003Z m evntslog 12 ID47 [ex@32473 iut="3" s="a \"b\] c"][x y="1"] é"#,
            "<187>123: *Nov 22 10:00:00.123 UTC: %LINK-3-UPDOWN: é",
            "<13>Feb  5 2026-11-22 17:32:18 [ \"",
        ] {
            for (cut, _) in text.char_indices() {
                let message = Message::parse(&text[..cut]);
                let _ = (message.severity(), message.facility(), message.structured().count());
                for other in ['<', '[', '"', ' ', '\\', 'é', '9'] {
                    let changed = format!("{}{other}{}", &text[..cut], text[cut..].chars().skip(1).collect::<String>());
                    assert!(changed.contains(Message::parse(&changed).text));
                }
            }
        }
    }
}
