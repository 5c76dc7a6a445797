//! Functions on texts. Offsets count bytes, as in Go, but never cut a character: what would be
//! half a character is left out.

use super::super::super::regex::{Regex, TooLong};
use super::super::Scope;
use super::super::exec::OUTPUT_BYTES_MAX;
use super::super::value::Value;
use super::{Function, Outcome, exactly, int_of, text_of};

pub(super) const FUNCTIONS: &[Function] = &[
    exactly(1, "ToLower", |_, a| Ok(Value::text(text_of(&a[0])?.to_lowercase()))),
    exactly(1, "ToUpper", |_, a| Ok(Value::text(text_of(&a[0])?.to_uppercase()))),
    exactly(1, "lower", |_, a| Ok(Value::text(text_of(&a[0])?.to_lowercase()))),
    exactly(1, "upper", |_, a| Ok(Value::text(text_of(&a[0])?.to_uppercase()))),
    exactly(1, "title", |_, a| Ok(Value::text(title(text_of(&a[0])?)))),
    exactly(4, "Replace", |_, a| {
        let (text, old, new) = (text_of(&a[0])?, text_of(&a[1])?, text_of(&a[2])?);
        replaced(text, old, new, usize::try_from(int_of(&a[3])?).unwrap_or(usize::MAX))
    }),
    exactly(3, "replace", |_, a| replaced(text_of(&a[2])?, text_of(&a[0])?, text_of(&a[1])?, usize::MAX)),
    exactly(2, "Trim", |_, a| trim(&a[0], &a[1], true, true)),
    exactly(2, "TrimLeft", |_, a| trim(&a[0], &a[1], true, false)),
    exactly(2, "TrimRight", |_, a| trim(&a[0], &a[1], false, true)),
    exactly(2, "TrimPrefix", |_, a| trim_prefix(&a[0], &a[1])),
    exactly(2, "TrimSuffix", |_, a| trim_suffix(&a[0], &a[1])),
    exactly(1, "TrimSpace", |_, a| Ok(Value::text(text_of(&a[0])?.trim()))),
    exactly(1, "trim", |_, a| Ok(Value::text(text_of(&a[0])?.trim()))),
    exactly(2, "trimAll", |_, a| trim(&a[1], &a[0], true, true)),
    exactly(2, "trimPrefix", |_, a| trim_prefix(&a[1], &a[0])),
    exactly(2, "trimSuffix", |_, a| trim_suffix(&a[1], &a[0])),
    exactly(2, "trunc", |_, a| Ok(Value::text(trunc(int_of(&a[0])?, text_of(&a[1])?)))),
    exactly(3, "substr", |_, a| substr(int_of(&a[0])?, int_of(&a[1])?, text_of(&a[2])?)),
    exactly(2, "contains", |_, a| Ok(Value::Bool(text_of(&a[1])?.contains(text_of(&a[0])?)))),
    exactly(2, "hasPrefix", |_, a| Ok(Value::Bool(text_of(&a[1])?.starts_with(text_of(&a[0])?)))),
    exactly(2, "hasSuffix", |_, a| Ok(Value::Bool(text_of(&a[1])?.ends_with(text_of(&a[0])?)))),
    exactly(2, "indent", |_, a| indent(int_of(&a[0])?, text_of(&a[1])?, "")),
    exactly(2, "nindent", |_, a| indent(int_of(&a[0])?, text_of(&a[1])?, "\n")),
    exactly(2, "repeat", |_, a| repeat(int_of(&a[0])?, text_of(&a[1])?)),
    exactly(2, "alignLeft", |_, a| align(int_of(&a[0])?, text_of(&a[1])?, true)),
    exactly(2, "alignRight", |_, a| align(int_of(&a[0])?, text_of(&a[1])?, false)),
    exactly(3, "regexReplaceAll", |scope, a| {
        let regex = scope.regexes.get(text_of(&a[0])?)?;
        replace_all(&regex, text_of(&a[1])?, text_of(&a[2])?, true)
    }),
    exactly(3, "regexReplaceAllLiteral", |scope, a| {
        let regex = scope.regexes.get(text_of(&a[0])?)?;
        replace_all(&regex, text_of(&a[1])?, text_of(&a[2])?, false)
    }),
    exactly(2, "count", |scope, a| {
        let regex = scope.regexes.get(text_of(&a[0])?)?;
        let mut count = 0;
        each_match(&regex, text_of(&a[1])?, |_| {
            count += 1;
            Ok(())
        })?;
        Ok(Value::Int(count))
    }),
    exactly(0, "__line__", |scope: &Scope<'_>, _| Ok(Value::Text(super::super::super::regex::readable(scope.line)))),
];

/// A text that is no longer than a template's output may be.
fn bounded<'c>(text: String) -> Outcome<'c> {
    fits(text.len())?;
    Ok(Value::text(text))
}

/// An error if a text of so many bytes would be longer than a template's output may be. Asked before the
/// text is made: some functions could make gigabytes of a short line.
fn fits(bytes: usize) -> Result<(), String> {
    if bytes > OUTPUT_BYTES_MAX { Err(format!("more than {OUTPUT_BYTES_MAX} bytes")) } else { Ok(()) }
}

/// The first `count` occurrences of `old` replaced.
fn replaced<'c>(text: &str, old: &str, new: &str, count: usize) -> Outcome<'c> {
    if new.len() > old.len() {
        let growth = text.matches(old).take(count).count().saturating_mul(new.len() - old.len());
        fits(text.len().saturating_add(growth))?;
    }
    Ok(Value::text(text.replacen(old, new, count)))
}

/// The bytes from `start` to `end`, without the characters that lie on a bound.
pub(super) fn byte_slice(text: &str, start: usize, end: usize) -> &str {
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let end = (0..=end.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(start..end).unwrap_or("")
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    for c in text.chars() {
        if in_word {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        in_word = c.is_alphanumeric() || c == '_' || (!c.is_ascii() && !c.is_whitespace());
    }
    out
}

fn trim<'c>(text: &Value<'c>, cut: &Value<'c>, left: bool, right: bool) -> Outcome<'c> {
    let (mut text, cut) = (text_of(text)?, text_of(cut)?);
    if left {
        text = text.trim_start_matches(|c| cut.contains(c));
    }
    if right {
        text = text.trim_end_matches(|c| cut.contains(c));
    }
    Ok(Value::text(text))
}

fn trim_prefix<'c>(text: &Value<'c>, prefix: &Value<'c>) -> Outcome<'c> {
    let text = text_of(text)?;
    Ok(Value::text(text.strip_prefix(text_of(prefix)?).unwrap_or(text)))
}

fn trim_suffix<'c>(text: &Value<'c>, suffix: &Value<'c>) -> Outcome<'c> {
    let text = text_of(text)?;
    Ok(Value::text(text.strip_suffix(text_of(suffix)?).unwrap_or(text)))
}

fn trunc(count: i64, text: &str) -> &str {
    let length = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX).min(text.len());
    let (start, end) = if count < 0 { (text.len() - length, text.len()) } else { (0, length) };
    byte_slice(text, start, end)
}

fn substr<'c>(start: i64, end: i64, text: &str) -> Outcome<'c> {
    let out_of_range = || format!("slice bounds out of range [{start}:{end}] with length {}", text.len());
    let end_at = usize::try_from(end).ok().filter(|end| *end <= text.len());
    let start_at = usize::try_from(start).ok();
    let (from, to) = match (start_at, end_at) {
        (None, Some(end)) => (0, end),
        (Some(start), None) => (start, text.len()),
        (Some(start), Some(end)) => (start, end),
        (None, None) => return Err(out_of_range()),
    };
    if from > to { Err(out_of_range()) } else { Ok(Value::text(byte_slice(text, from, to))) }
}

fn indent<'c>(spaces: i64, text: &str, lead: &str) -> Outcome<'c> {
    let count = usize::try_from(spaces).map_err(|_| "strings: negative Repeat count")?;
    let lines = text.matches('\n').count() + 1;
    fits(count.saturating_mul(lines))?;
    let pad = " ".repeat(count);
    bounded(format!("{lead}{pad}{}", text.replace('\n', &format!("\n{pad}"))))
}

fn repeat<'c>(count: i64, text: &str) -> Outcome<'c> {
    let count = usize::try_from(count).map_err(|_| "strings: negative Repeat count")?;
    fits(count.saturating_mul(text.len()))?;
    Ok(Value::text(text.repeat(count)))
}

/// Pads with spaces, or cuts, to so many characters.
fn align<'c>(width: i64, text: &str, left: bool) -> Outcome<'c> {
    let Ok(width) = usize::try_from(width) else {
        return Ok(Value::text(text));
    };
    fits(width)?;
    let length = text.chars().count();
    let pad = " ".repeat(width.saturating_sub(length));
    Ok(Value::text(match (left, length > width) {
        (true, true) => text.chars().take(width).collect(),
        (false, true) => text.chars().skip(length - width).collect(),
        (true, false) => format!("{text}{pad}"),
        (false, false) => format!("{pad}{text}"),
    }))
}

/// Calls `take` with the places of each match and its groups; matches do not overlap, and an empty
/// one does not follow another match directly. Ends with the first error of `take`.
fn each_match(
    regex: &Regex,
    text: &str,
    mut take: impl FnMut(&regex_lite::CaptureLocations) -> Result<(), String>,
) -> Result<(), String> {
    let mut places = regex.locations();
    let (mut at, mut last_end) = (0, None);
    while at <= text.len() && regex.captures_at(&mut places, text, at) {
        let (start, end) = places.get(0).unwrap_or((at, at));
        if start < end || last_end != Some(end) {
            take(&places)?;
            last_end = Some(end);
        }
        at = if start < end { end } else { end + text[end..].chars().next().map_or(1, char::len_utf8) };
    }
    Ok(())
}

fn replace_all<'c>(regex: &Regex, text: &str, replacement: &str, expands: bool) -> Outcome<'c> {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    each_match(regex, text, |places| {
        let (start, end) = places.get(0).unwrap_or((copied, copied));
        out.push_str(&text[copied..start]);
        copied = end;
        if expands {
            let expanded = regex.expand(places, text, replacement, OUTPUT_BYTES_MAX, &mut out);
            return expanded.map_err(|TooLong| format!("more than {OUTPUT_BYTES_MAX} bytes"));
        }
        out.push_str(replacement);
        fits(out.len())
    })?;
    out.push_str(&text[copied..]);
    bounded(out)
}
