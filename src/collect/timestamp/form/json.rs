//! The time of a JSON line: the first of the usual keys at the top level whose value is an RFC 3339
//! string or a count since 1970. The line is not parsed, only walked over: strings and braces.

use super::{number, numeric};
use crate::collect::timestamp::{civil::Reading, scan::Scan};

/// How far keys are looked for. Encoders that sort their keys write `time` behind the message.
const KEY_BYTES_MAX: usize = 4096;

/// The keys of logrus, pino, bunyan, zap, zerolog, Logstash, Docker and most others.
const KEYS: [&[u8]; 4] = [b"time", b"ts", b"timestamp", b"@timestamp"];

/// The time of a line that begins with `{`.
pub(super) fn time(line: &[u8], epoch_max_ns: i64) -> Option<Reading> {
    let head = line.get(..KEY_BYTES_MAX).unwrap_or(line);
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = head.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1).filter(|&depth| depth > 0)?,
            b'"' => {
                let end = at + string_bytes(&head[at..])?;
                if depth == 1
                    && KEYS.contains(&&head[at..end])
                    && let Some(reading) = value(&line[end + 1..], epoch_max_ns)
                {
                    return Some(reading);
                }
                at = end + 1;
            }
            _ => {}
        }
    }
    None
}

/// Bytes of a string up to its closing quote; `None` if it does not close here.
fn string_bytes(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// What follows a key: a colon and a time. A string that equals a key but is a value has no colon.
fn value(rest: &[u8], epoch_max_ns: i64) -> Option<Reading> {
    let mut scan = Scan::new(rest);
    scan.eat(b' ');
    scan.expect(b':')?;
    scan.eat(b' ');
    if scan.eat(b'"') {
        let wall = numeric::date_and_time(&mut scan)?;
        return (wall.offset_s.is_some() && scan.eat(b'"')).then_some(Reading::Wall(wall));
    }
    let reading = number::epoch(&mut scan, epoch_max_ns)?;
    matches!(scan.peek(), Some(b',' | b'}' | b' ')).then_some(reading)
}
