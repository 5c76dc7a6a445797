//! Go's `printf`, as far as the values of templates go.
//! Source: <https://pkg.go.dev/fmt>.

use std::fmt::Write;

use super::super::literal::{print_float, quoted};
use super::value::Value;

/// Greatest width and precision; more is cut to it.
const WIDTH_MAX: usize = 1000;

/// What stands between `%` and the verb.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of the format language")]
struct Spec {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// A `[n]` named no value.
    misplaced: bool,
}

/// Formats `values`. What does not fit is said in the text, as Go does it.
pub(super) fn printf(layout: &str, values: &[Value<'_>]) -> String {
    let mut out = String::new();
    let mut values = Values { all: values, next: 0, reordered: false };
    let mut rest = layout;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let spec = spec(&mut rest, &mut values);
        let Some(verb) = rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        match values.take() {
            _ if spec.misplaced => {
                let _ = write!(out, "%!{verb}(BADINDEX)"); // a String takes every write
            }
            Some(value) => match formatted(verb, &spec, value) {
                Some(text) => out.push_str(&padded(&text, &spec, value)),
                None if matches!(value, Value::Nil) => {
                    let _ = write!(out, "%!{verb}(<nil>)"); // a String takes every write
                }
                // The value is printed as `%v` prints it, padding and all.
                None => {
                    let text = formatted('v', &spec, value).unwrap_or_default();
                    let _ = write!(out, "%!{verb}({}={})", value.type_name(), padded(&text, &spec, value));
                }
            },
            None => {
                let _ = write!(out, "%!{verb}(MISSING)"); // a String takes every write
            }
        }
    }
    out.push_str(rest);
    // What was taken out of order is not counted.
    let left = if values.reordered { &[] } else { values.all.get(values.next..).unwrap_or_default() };
    let surplus: Vec<String> = left.iter().map(|value| format!("{}={}", value.type_name(), value.printed())).collect();
    if !surplus.is_empty() {
        let _ = write!(out, "%!(EXTRA {})", surplus.join(", "));
    }
    out
}

/// The values and which is next; `%[2]d` moves on to the second.
struct Values<'v, 'c> {
    all: &'v [Value<'c>],
    next: usize,
    reordered: bool,
}

impl<'v, 'c> Values<'v, 'c> {
    fn take(&mut self) -> Option<&'v Value<'c>> {
        let value = self.all.get(self.next);
        self.next += usize::from(value.is_some());
        value
    }

    /// Reads `[2]`; false if there is no such value.
    fn select(&mut self, rest: &mut &str) -> bool {
        let Some(tail) = rest.strip_prefix('[') else { return true };
        self.reordered = true;
        let Some((number, behind)) = tail.split_once(']') else {
            *rest = tail;
            return false;
        };
        *rest = behind;
        match number.parse::<usize>() {
            Ok(number @ 1..) if number <= self.all.len() => {
                self.next = number - 1;
                true
            }
            _ => false,
        }
    }
}

fn spec(rest: &mut &str, values: &mut Values<'_, '_>) -> Spec {
    let mut spec = Spec::default();
    while let Some(flag) = rest.chars().next() {
        match flag {
            '+' => spec.plus = true,
            '-' => spec.minus = true,
            '#' => spec.sharp = true,
            ' ' => spec.space = true,
            '0' => spec.zero = true,
            _ => break,
        }
        *rest = &rest[1..];
    }
    spec.misplaced |= !values.select(rest);
    spec.width = size(rest, values);
    if let Some(tail) = rest.strip_prefix('.') {
        *rest = tail;
        spec.misplaced |= !values.select(rest);
        spec.precision = Some(size(rest, values).unwrap_or(0));
    }
    spec.misplaced |= !values.select(rest);
    spec
}

/// A number, or `*` for one that is the next value.
fn size(rest: &mut &str, values: &mut Values<'_, '_>) -> Option<usize> {
    if let Some(tail) = rest.strip_prefix('*') {
        *rest = tail;
        return match values.take() {
            Some(Value::Int(size)) => usize::try_from(*size).ok().map(|size| size.min(WIDTH_MAX)),
            _ => None,
        };
    }
    let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, tail) = rest.split_at(length);
    *rest = tail;
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(WIDTH_MAX).min(WIDTH_MAX))
}

/// A value by its verb, before padding; `None` if the verb is not for it.
fn formatted(verb: char, spec: &Spec, value: &Value<'_>) -> Option<String> {
    let signed = |text: String| {
        if text.starts_with('-') || text == "NaN" {
            text
        } else if spec.plus {
            format!("+{}", text.trim_start_matches('+'))
        } else if spec.space {
            format!(" {text}")
        } else {
            text
        }
    };
    let precise = |text: &str| match spec.precision {
        Some(count) => text.chars().take(count).collect(),
        None => text.to_owned(),
    };
    Some(match (verb, value) {
        ('T', value) => value.type_name().to_owned(),
        ('v', Value::Int(_)) => signed(value.printed()),
        ('v', Value::Float(number)) => signed(float('g', spec, *number)),
        ('v', Value::Text(text)) if spec.sharp => quoted(text),
        ('v', Value::Nil) => "<nil>".to_owned(),
        ('v', value) => value.printed(),
        ('s', Value::Text(text)) => precise(text),
        ('s', Value::Time(_) | Value::List(_) | Value::Map(_) | Value::Labels(_)) => value.printed(),
        ('q', Value::Text(text)) => quoted(&precise(text)),
        ('x', Value::Text(text)) => hexadecimal(text, spec),
        ('X', Value::Text(text)) => hexadecimal(text, spec).to_uppercase(),
        ('t', Value::Bool(value)) => value.to_string(),
        ('d', Value::Int(number)) => signed(number.to_string()),
        ('b', Value::Int(number)) => radix(*number, &format!("{:b}", number.unsigned_abs()), ""),
        ('o', Value::Int(number)) => {
            radix(*number, &format!("{:o}", number.unsigned_abs()), if spec.sharp { "0" } else { "" })
        }
        ('x', Value::Int(number)) => {
            radix(*number, &format!("{:x}", number.unsigned_abs()), if spec.sharp { "0x" } else { "" })
        }
        ('X', Value::Int(number)) => {
            radix(*number, &format!("{:X}", number.unsigned_abs()), if spec.sharp { "0X" } else { "" })
        }
        ('c', Value::Int(number)) => character(*number).to_string(),
        ('q', Value::Int(number)) => format!("'{}'", character(*number)),
        ('U', Value::Int(number)) => format!("U+{:04X}", number.unsigned_abs()),
        ('e' | 'E' | 'f' | 'F' | 'g' | 'G', Value::Float(number)) => signed(float(verb, spec, *number)),
        _ => return None,
    })
}

/// The bytes of a text; with a space in the format, one stands between them.
fn hexadecimal(text: &str, spec: &Spec) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if spec.space && !out.is_empty() {
            out.push(' ');
        }
        let _ = write!(out, "{byte:02x}"); // a String takes every write
    }
    out
}

fn radix(number: i64, digits: &str, prefix: &str) -> String {
    format!("{}{prefix}{digits}", if number < 0 { "-" } else { "" })
}

fn character(number: i64) -> char {
    u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn float(verb: char, spec: &Spec, number: f64) -> String {
    if !number.is_finite() {
        return print_float(number);
    }
    let text = match verb {
        'e' | 'E' => exponential(number, spec.precision.unwrap_or(6)),
        'f' | 'F' => format!("{number:.*}", spec.precision.unwrap_or(6)),
        _ => match spec.precision {
            None => print_float(number),
            Some(precision) => shortest_of(number, precision.max(1)),
        },
    };
    if verb.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

/// `d.ddde±dd`
fn exponential(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// `%g` with a precision: so many significant digits, without zeros at the end.
fn shortest_of(number: f64, digits: usize) -> String {
    let text = exponential(number, digits - 1);
    let exponent: i32 = text.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let trimmed = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    match usize::try_from(exponent) {
        Ok(exponent) if exponent < digits => trimmed(&format!("{number:.*}", digits - 1 - exponent)),
        Err(_) if exponent >= -4 => {
            trimmed(&format!("{number:.*}", digits - 1 + usize::try_from(-exponent).unwrap_or(0)))
        }
        _ => {
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
            format!("{}e{exponent}", trimmed(digits))
        }
    }
}

/// Fills up to the width; zeros stand behind a sign.
fn padded(text: &str, spec: &Spec, value: &Value<'_>) -> String {
    let missing = spec.width.unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        return text.to_owned();
    }
    if spec.minus {
        return format!("{text}{}", " ".repeat(missing));
    }
    let is_number = matches!(value, Value::Int(_) | Value::Float(_));
    if spec.zero && is_number {
        let sign = text.find(|c: char| c != '+' && c != '-' && c != ' ').unwrap_or(0);
        return format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..]);
    }
    format!("{}{text}", " ".repeat(missing))
}
