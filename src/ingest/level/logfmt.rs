//! The level field of a line of `key=value` pairs.

use memchr::{memchr_iter, memchr2};

/// The names of level fields, in order of preference; letter case does not matter here.
const NAMES: [&[u8]; 6] = [b"level", b"log.level", b"severity", b"severitytext", b"lvl", b"severity_text"];

/// The value of the most preferred level field; of equal names the first. Pairs are read up to the
/// first that is malformed: what follows is prose that happens to hold an equals sign.
pub(super) fn level_field(line: &[u8]) -> Option<&[u8]> {
    if !memchr_iter(b'=', line).any(|at| may_be_level(&line[..at])) {
        return None;
    }
    let mut found: Option<(usize, &[u8])> = None;
    let mut rest = line;
    while let Some((key, value)) = next_pair(&mut rest) {
        let preferred = found.map_or(NAMES.len(), |(rank, _)| rank);
        if let Some(rank) = NAMES[..preferred].iter().position(|name| key.eq_ignore_ascii_case(name)) {
            found = Some((rank, value));
            if rank == 0 {
                break;
            }
        }
    }
    found.map(|(_, value)| value)
}

/// Whether a level field's name may end here: a test that nearly every other equals sign fails.
fn may_be_level(before: &[u8]) -> bool {
    let ends_with =
        |name: &[u8]| before.len() >= name.len() && before[before.len() - name.len()..].eq_ignore_ascii_case(name);
    matches!(before.last(), Some(b'l' | b'L' | b'y' | b'Y' | b't' | b'T')) && NAMES.iter().any(|name| ends_with(name))
}

/// The next key and its value, which is empty for a key that stands alone; `None` at the end and
/// at a malformed pair. Control bytes separate as blanks do. Escapes in a quoted value stay as they are.
fn next_pair<'t>(rest: &mut &'t [u8]) -> Option<(&'t [u8], &'t [u8])> {
    let text = &rest[rest.iter().position(|byte| *byte > b' ')?..];
    let key_end = text.iter().position(|byte| *byte <= b' ' || matches!(byte, b'=' | b'"')).unwrap_or(text.len());
    let key = &text[..key_end];
    let value = match text.get(key_end) {
        Some(b'=') if key_end > 0 => &text[key_end + 1..],
        Some(b'=' | b'"') => return None,
        _ => {
            *rest = &text[key_end..];
            return Some((key, b""));
        }
    };
    if let Some(quoted) = value.strip_prefix(b"\"") {
        let end = closing_quote(quoted)?;
        *rest = &quoted[end + 1..];
        return Some((key, &quoted[..end]));
    }
    let end = value.iter().position(|byte| *byte <= b' ' || matches!(byte, b'=' | b'"')).unwrap_or(value.len());
    if matches!(value.get(end), Some(b'=' | b'"')) {
        return None;
    }
    *rest = &value[end..];
    Some((key, &value[..end]))
}

fn closing_quote(quoted: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', quoted.get(at..)?)?;
        if quoted[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}
