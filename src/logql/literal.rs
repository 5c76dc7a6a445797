//! String and number literals as Go writes them: quoting, unquoting, printing and reading floats.

use crate::labels::Quoted;

/// A text in double quotes, escaped so that it reads back as the same text.
pub(super) fn quoted(text: &str) -> String {
    Quoted(text).to_string()
}

/// Resolves the escapes of what stands between double quotes. Bytes given by `\xHH` or `\NNN` that
/// form no UTF-8 become U+FFFD. `None` if an escape is malformed.
pub(super) fn unescape(body: &str) -> Option<String> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let mut chars = rest[at + 1..].chars();
        let kind = chars.next()?;
        let tail = chars.as_str();
        let digits = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        rest = tail;
        match kind {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '\\' => out.push(b'\\'),
            '"' => out.push(b'"'),
            'x' => {
                out.push(u8::from_str_radix(hex(tail.get(..digits)?)?, 16).ok()?);
                rest = &tail[digits..];
            }
            'u' | 'U' => {
                let code = u32::from_str_radix(hex(tail.get(..digits)?)?, 16).ok()?;
                out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &tail[digits..];
            }
            '0'..='7' => {
                let more = tail.get(..2).filter(|more| more.bytes().all(|b| (b'0'..=b'7').contains(&b)))?;
                let code = u32::from(kind) - u32::from('0');
                let code = code * 64 + u32::from_str_radix(more, 8).ok()?;
                out.push(u8::try_from(code).ok()?);
                rest = &tail[2..];
            }
            _ => return None,
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Some(String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// `digits` if all of them are hexadecimal.
fn hex(digits: &str) -> Option<&str> {
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)
}

/// Prints a float as Go's `%v`: the shortest digits that read back, plain while the decimal
/// exponent is in -4 ... 5, else as `1.2e+06`.
pub(super) fn print_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    value.to_string()
}

/// Reads a float as Go's `ParseFloat`: decimal or hexadecimal, `Inf`, `NaN`, `_` between digits.
/// The error is Go's message.
pub(super) fn parse_float(text: &str) -> Result<f64, String> {
    let syntax = || format!("strconv.ParseFloat: parsing {}: invalid syntax", quoted(text));
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.len() > 2 && unsigned.as_bytes()[0] == b'0' && unsigned.as_bytes()[1] | 0x20 == b'x' {
        let magnitude = parse_hex_float(&unsigned[2..]).ok_or_else(syntax)?;
        return Ok(if text.starts_with('-') { -magnitude } else { magnitude });
    }
    let plain = if text.contains('_') { without_underscores(text).ok_or_else(syntax)? } else { text.to_owned() };
    let value: f64 = plain.parse().map_err(|_| syntax())?;
    if value.is_infinite() && !unsigned.starts_with(['i', 'I']) {
        return Err(format!("strconv.ParseFloat: parsing {}: value out of range", quoted(text)));
    }
    Ok(value)
}

/// `text` without its underscores; `None` unless each stands between digits.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let sound =
        (0..bytes.len()).filter(|at| bytes[*at] == b'_').all(|at| digit(at.checked_sub(1)) && digit(Some(at + 1)));
    sound.then(|| text.replace('_', ""))
}

/// Reads what follows `0x`: hexadecimal digits with an optional point, then `p` and a power of two.
fn parse_hex_float(text: &str) -> Option<f64> {
    let text = if text.contains('_') { without_underscores(&format!("0{text}"))? } else { text.to_owned() };
    let at = text.find(['p', 'P'])?;
    let power: i32 = text[at + 1..].parse().ok()?;
    let (whole, fraction) = text[..at].split_once('.').unwrap_or((&text[..at], ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value.mul_add(16.0, f64::from(digit.to_digit(16)?));
    }
    let fraction_bits = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(value * 2.0_f64.powi(power.checked_sub(fraction_bits)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_escapes() {
        for (body, text) in [
            (r"\x41\101\u0041\U00000041", "AAAA"),
            (r#"say \"hi\"\n"#, "say \"hi\"\n"),
            (r"\\d\377", "\\d\u{fffd}"),
            ("plain é", "plain é"),
        ] {
            assert_eq!(unescape(body).as_deref(), Some(text), "{body}");
        }
        for body in [r"\q", r"\'", r"\x4", r"\xg1", r"\400", r"\18", r"\ud800", r"\u12", "\\"] {
            assert_eq!(unescape(body), None, "{body}");
        }
    }

    #[test]
    fn what_is_quoted_reads_back() {
        let text = "a\"\\\n\t\u{1}\u{7f}\u{85}é`";
        let quoted = quoted(text);
        assert_eq!(unescape(&quoted[1..quoted.len() - 1]).as_deref(), Some(text));
        assert_eq!(quoted, r#""a\"\\\n\t\x01\x7f\u0085é`""#);
    }

    #[test]
    fn reads_and_prints_floats() {
        for (text, value) in [
            ("1_000", 1000.0),
            ("010", 10.0),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("0x1p4", 16.0),
            ("-0x1.8p1", -3.0),
            ("Inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse_float(text), Ok(value), "{text}");
        }
        for text in ["0x10", "1__0", "_1", "1_", " 1", "1,005", "", "x"] {
            assert!(parse_float(text).unwrap_err().ends_with("invalid syntax"), "{text}");
        }
        assert!(parse_float("1e400").unwrap_err().ends_with("value out of range"));
        for (value, text) in [
            (1e10, "1e+10"),
            (100_000.0, "100000"),
            (999_999.5, "999999.5"),
            (0.00012, "0.00012"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (1.2e-5, "1.2e-05"),
            (1e20, "1e+20"),
            (7.0, "7"),
            (-0.5, "-0.5"),
            (0.0, "0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(print_float(value), text);
        }
    }
}
